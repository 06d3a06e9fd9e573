#!/usr/bin/env bash
# Set up as quickstart.sh does, and run the tests, those apart that are marked long; all of them: bash scripts/test.sh -m ""
# REAL_DATA_DIR=FOLDER adds the tests on real data. Arguments go to pytest; its last -m counts.
# Each process runs whole files of tests, since those of a file share models, servers and clusters.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
VENV_DIR=.venv-test REQUIREMENTS=tests/requirements.txt source scripts/setup.sh

NUM_PROCESSES="${NUM_PROCESSES:-2}"

python3 -m pytest -n "$NUM_PROCESSES" --dist loadfile --no-loadscope-reorder -m "not long" "$@"
