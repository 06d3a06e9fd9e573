#!/usr/bin/env bash
# --help of a shell script: what stands at its top, and its variables with their defaults. A script sources this file
# before anything else, from any folder, so that its own arguments are seen here; it ends where one is --help or -h.
set -euo pipefail

show_help() { # SCRIPT
  awk '
    # Prints a text in lines of at most 80 columns; those after the first begin with an indent.
    function say(text, indent,   word, words, num, line, i) {
      num = split(text, words, " ")
      line = text ~ /^  / ? "  " words[1] : words[1]
      for (i = 2; i <= num; i++) {
        if (length(line) + 1 + length(words[i]) > 80) { print line; line = indent words[i] }
        else line = line " " words[i]
      }
      print line
    }
    NR > 1 && /^#/ && !in_code { sub(/^# ?/, ""); say($0, ""); next }
    NR > 1 { in_code = 1 }
    match($0, /^(export )?[A-Z][A-Z0-9_]*="\$\{[A-Z][A-Z0-9_]*:?-/) {
      sub(/^export /, "")
      name = $0
      sub(/=.*/, "", name)
      if (name in told) next
      told[name] = 1
      value = $0
      sub(/^[^-]*-/, "", value)
      comment = ""
      if (match(value, /}"[ ]*# /)) {
        comment = " (" substr(value, RSTART + RLENGTH) ")"
        value = substr(value, 1, RSTART - 1)
      }
      sub(/}"[ ]*$/, "", value)
      if (!num_variables++) print "\nVariables, with their defaults:"
      say("  " name "=" (value == "" || value ~ /[ $]/ ? "\"" value "\"" : value) comment, "      ")
    }
    match($0, /python3 [a-z_\/]+\.py/) {
      script = substr($0, RSTART + 8, RLENGTH - 8)
      if (!(script in seen)) scripts[++num_scripts] = script
      seen[script] = 1
    }
    END {
      if (num_scripts) print "\nFlags:"
      for (i = 1; i <= num_scripts; i++) print "  python " scripts[i] " --help"
    }
  ' "$1"
}

for ARGUMENT in "$@"; do
  if [[ "$ARGUMENT" == --help || "$ARGUMENT" == -h ]]; then
    show_help "${BASH_SOURCE[1]}"
    exit 0
  fi
done
