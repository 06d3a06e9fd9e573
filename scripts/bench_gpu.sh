#!/usr/bin/env bash
# How fast step 1 is on a graphics card: one record at a time against this tool in float32 and bfloat16, in under 8 minutes.
# Makes its own records, model and tokenizer, and needs no network; prints a table, and one JSON object as the last line.
# Edit the variables, or set them before the command; flags of code_ifd/benchmarks/gpu.py may follow it.
# PYTHON=python3 takes any Python that has torch, transformers, tqdm, numpy, safetensors, scipy and filelock.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON="${PYTHON:-}" # a Python that has the packages (default: the virtual environment that is active, else .venv)
NUM_RECORDS="${NUM_RECORDS:-52002}" # records to make; Alpaca has 52002
DEVICE="${DEVICE:-cuda}" # cuda, mps, cpu or auto
DTYPES="${DTYPES:-float32 bfloat16}" # number formats to measure

if [[ -z "$PYTHON" ]]; then
  source scripts/environment.sh
  PYTHON=python3
fi
read -ra dtypes <<<"$DTYPES"
PYTHONPATH=code_ifd "$PYTHON" -m benchmarks.gpu \
  --num_records "$NUM_RECORDS" \
  --device "$DEVICE" \
  --dtypes "${dtypes[@]}" \
  "$@"
