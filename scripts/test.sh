#!/usr/bin/env bash
# Set up as quickstart.sh does, and run the tests, those apart that are marked long; all of them: bash scripts/test.sh -m ""
# REAL_DATA_DIR=FOLDER adds the tests on real data. Arguments go to pytest; its last -m counts.
# Each process runs whole files of tests, since those of a file share models, servers and clusters.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
REQUIREMENTS=tests/requirements.txt source scripts/setup.sh

NUM_PROCESSES="${NUM_PROCESSES:-2}"

python3 -m pytest -n "$NUM_PROCESSES" --dist loadfile --no-loadscope-reorder -m "not long" "$@"
