#!/usr/bin/env bash
# How long the report of a dataset takes to make and to open, and how large it is.
# Makes synthetic records in a temporary folder, prints a table; the last line is one JSON object.
# Edit the variable, or set it before the command; flags of code_ifd/benchmarks/report.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

NUM_RECORDS="${NUM_RECORDS:-52002}"

PYTHONPATH=code_ifd python3 -m benchmarks.report \
  --num_records "$NUM_RECORDS" \
  "$@"
