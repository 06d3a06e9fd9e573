#!/usr/bin/env bash
# Whether step 1 keeps its speed and its memory as the dataset grows, and how long it takes to start.
# Reads DATA_PATH and repeats it, prints a table; the last line is one JSON object.
# Edit the variables, or set them before the command; flags of code_ifd/benchmarks/growth.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
MODEL="${MODEL:-smollm2-135m}"

PYTHONPATH=code_ifd python3 -m benchmarks.growth \
  --data_path "$DATA_PATH" \
  --model_name_or_path "$MODEL" \
  "$@"
