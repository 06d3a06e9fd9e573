#!/usr/bin/env bash
# How fast and how exact step 1 is on this machine: the published method, this tool in each dtype, and the hardware's limit.
# Reads DATA_PATH, prints a table; the last line is one JSON object.
# Edit the variables, or set them before the command; flags of code_ifd/benchmarks/scoring.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
MODEL="${MODEL:-smollm2-135m}"
NUM_RECORDS="${NUM_RECORDS:-64}"
REPEATS="${REPEATS:-3}"

PYTHONPATH=code_ifd python3 -m benchmarks.scoring \
  --data_path "$DATA_PATH" \
  --model_name_or_path "$MODEL" \
  --num_records "$NUM_RECORDS" \
  --repeats "$REPEATS" \
  "$@"
