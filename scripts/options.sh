#!/usr/bin/env bash
# What all scripts do first; they source it from the repository root, by environment.sh or setup.sh.
# --help prints a script's own text and variables; a variable that is spelled almost like one of ours is named.
set -euo pipefail

# The script that was called, and where from.
SCRIPT="${BASH_SOURCE[${#BASH_SOURCE[@]} - 1]#"$PWD/"}"
CALLER="${OLDPWD:-$PWD}"

# The lines at the top of a script, and each NAME="${NAME:-default}" with the comment behind it.
print_help() {
  awk '
    function wrap(text, first, rest,   words, number, i, line, has_words) {
      number = split(text, words, " ")
      line = first
      for (i = 1; i <= number; i++) {
        if (length(line) + length(words[i]) > 78 && has_words) { print line; line = rest; has_words = 0 }
        line = line (has_words ? " " : "") words[i]
        has_words = 1
      }
      if (has_words) print line
    }
    NR == 1 { next }
    /^#  / { wrap(text, "", ""); text = ""; print "\n" substr($0, 2) "\n"; next }
    /^#/ && !has_begun { text = text " " substr($0, 3); next }
    !has_begun { has_begun = 1; wrap(text, "", ""); print "\nVariables, to set before the command or to edit in the script:" }
    /^(export )?[A-Z_]+[0-9]?="\$\{[A-Z_]+[0-9]?:?-/ {
      sub(/^export /, "")
      name = substr($0, 1, index($0, "=") - 1)
      if (told[name]++) next
      rest = substr($0, index($0, "-") + 1)
      comment = index(rest, " # ") ? substr(rest, index(rest, " # ") + 3) : ""
      default_value = substr(rest, 1, index(rest, "}") - 1)
      wrap(default_value == "" ? "(empty)" : default_value, sprintf("  %-19s", name), sprintf("%21s", ""))
      wrap(comment, sprintf("%23s", ""), sprintf("%23s", ""))
    }
  ' "$SCRIPT"
  local PYTHON_SCRIPTS # that the lines at the top name
  PYTHON_SCRIPTS="$(sed -n '2,/^[^#]/p' "$SCRIPT" | grep -oE '[a-z_]+/[a-z_/]+\.py' || true)"
  if [[ -n "$PYTHON_SCRIPTS" ]]; then
    local PYTHON=python # of the environment that the scripts take
    if [[ -z "${VIRTUAL_ENV:-}" && ( -z "${CONDA_PREFIX:-}" || "${CONDA_DEFAULT_ENV:-base}" == base ) ]]; then
      PYTHON=.venv/bin/python
    fi
    printf '\nFlags that may follow it are explained by\n'
    sed -E "s|.*|  $PYTHON & --help|; s|$PYTHON code_ifd/benchmarks/(.*)\.py|env PYTHONPATH=code_ifd $PYTHON -m benchmarks.\1|" \
      <<<"$PYTHON_SCRIPTS"
  fi
}

# Whether files need not be there: the Python script will only print its flags, or the script that calls this one knows.
MAY_MISS="${SUPERFILTERING_CHECKED:-}"
for ARGUMENT in "$@"; do
  if [[ "$ARGUMENT" == --help ]]; then
    print_help
    exit 0
  elif [[ "$ARGUMENT" == -h ]]; then
    MAY_MISS=1
  fi
done

# A path is relative to the repository root; what is not there but where the caller stands is meant as well. Prints the
# path that was found. Else one line says both places, with a hint when there is a second word. A name such as
# tatsu-lab/alpaca is left as it is: it may be on the Hub.
find_path() {
  local WANTED="$1" ALSO=""
  if [[ "$WANTED" != /* && "$CALLER" != "$PWD" ]]; then
    ALSO=", nor in $CALLER"
  fi
  local FILES='\.(json|jsonl|ndjson|gz|zst|parquet|arrow|csv)$'
  if [[ -n "$WANTED" && -z "$MAY_MISS" ]] && [[ ! "$WANTED" =~ ^[^/.]+/[^/]+$ || "$WANTED" =~ $FILES ]] &&
    ! is_there "$WANTED"; then
    if [[ -z "$ALSO" ]] || ! is_there "$CALLER/$WANTED"; then
      echo "error: $WANTED: no such file${ALSO:+ in $PWD$ALSO}${2:+; $2}" >&2
      return 2
    fi
  fi
  find_name "$WANTED"
}

# Where a result goes that is made of a scored dataset: x_data.json gives outputs/x_selected.json. DATASET WORD [ENDING]
result_of() {
  local NAME ENDING
  NAME="$(basename "$1")"
  for ENDING in .jsonl.gz .jsonl.zst .jsonl .parquet .json; do
    if [[ "$NAME" == *"$ENDING" ]]; then
      break
    fi
  done
  NAME="${NAME%"$ENDING"}"
  printf 'outputs/%s_%s%s\n' "${NAME%_data}" "$2" "${3:-$ENDING}"
}

# As find_path, for what may be a name and no path: nothing is missed.
find_name() {
  local WANTED="$1"
  if [[ -n "$WANTED" && "$WANTED" != /* ]] && ! is_there "$WANTED" && is_there "$CALLER/$WANTED"; then
    WANTED="$CALLER/$WANTED"
  fi
  printf '%s\n' "${WANTED/#-/./-}" # with a hyphen first it would be taken for a flag
}

is_there() {
  [[ -e "$1" ]] || compgen -G "$1" >/dev/null
}
