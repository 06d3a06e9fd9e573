#!/usr/bin/env bash
# The Python environment of all scripts; they source it from the repository root.
# It is the virtual environment that is active, else .venv in this folder, which quickstart.sh makes.
set -euo pipefail
source scripts/options.sh

if [[ -n "${VIRTUAL_ENV:-}" && ! -x "$VIRTUAL_ENV/bin/python3" ]]; then
  echo "error: VIRTUAL_ENV is $VIRTUAL_ENV, where no Python is; run deactivate, or unset VIRTUAL_ENV" >&2
  exit 2
fi
if [[ -z "${VIRTUAL_ENV:-}" && ( -z "${CONDA_PREFIX:-}" || "${CONDA_DEFAULT_ENV:-base}" == base ) ]]; then
  if [[ ! -x "${VENV_DIR:=.venv}/bin/python3" ]]; then
    echo "error: no virtual environment is active and $PWD/$VENV_DIR is not there; run bash scripts/quickstart.sh once" >&2
    exit 2
  fi
  export VIRTUAL_ENV="$PWD/$VENV_DIR"
fi
if [[ -n "${VIRTUAL_ENV:-}" ]]; then
  export PATH="$VIRTUAL_ENV/bin:$PATH"
fi
# bash remembers where it found python3 before.
hash -r
# It would keep the folder of a script from being searched for our modules.
unset PYTHONSAFEPATH

# Both spellings of the threshold, the published one and the right one.
if [[ -n "${FILTER_THRESHOLD:-}" ]]; then
  if [[ -n "${FILTER_THREASH:-}" && "$FILTER_THREASH" != "$FILTER_THRESHOLD" ]]; then
    echo "error: FILTER_THRESHOLD is $FILTER_THRESHOLD and FILTER_THREASH is $FILTER_THREASH, which mean the same; set one" >&2
    exit 2
  fi
  export FILTER_THREASH="$FILTER_THRESHOLD"
fi

# Once a run: scripts call each other.
if [[ -z "${SUPERFILTERING_CHECKED:-}" ]]; then
  export SUPERFILTERING_CHECKED=1
  python3 scripts/check_environment.py ${CHECK_PACKAGES-torch transformers numpy}
fi
