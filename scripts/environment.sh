#!/usr/bin/env bash
# The Python environment of all scripts; they source it from the repository root.
# It is the virtual environment that is active, else .venv in this folder, which quickstart.sh makes.
set -euo pipefail

if [[ -z "${VIRTUAL_ENV:-}" && ( -z "${CONDA_PREFIX:-}" || "${CONDA_DEFAULT_ENV:-base}" == base ) ]]; then
  if [[ ! -x .venv/bin/python3 ]]; then
    echo "error: no virtual environment is active and $PWD/.venv is not there; run bash scripts/quickstart.sh once" >&2
    exit 2
  fi
  export VIRTUAL_ENV="$PWD/.venv"
  export PATH="$VIRTUAL_ENV/bin:$PATH"
  # bash remembers where it found python3 before.
  hash -r
fi
