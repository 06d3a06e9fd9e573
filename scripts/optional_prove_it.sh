#!/usr/bin/env bash
# Does it work at all? Trains a small model on the selected records, on random ones, on the lowest IFD, and on all.
# Reads DATA_PATH, which it scores first, or JSON_DATA_PATH, a scored dataset; writes SAVE_PATH. Run it again after a stop: it goes on.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/prove_it.py may follow it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
MODEL="${MODEL:-smollm2-135m}"
OUTPUT_DIR="${OUTPUT_DIR:-outputs/quickstart}"
JSON_DATA_PATH="${JSON_DATA_PATH:-}" # instead of DATA_PATH
SAVE_PATH="${SAVE_PATH:-outputs/prove_it.json}"
PROMPT_TEMPLATE="${PROMPT_TEMPLATE:-none}"
SAMPLE_RATE="${SAMPLE_RATE:-0.1}"
FILTER_THREASH="${FILTER_THREASH:-1}"
SEEDS="${SEEDS:-0 1 2}"

read -ra NUMBERS <<<"$SEEDS"

if [[ -z "$JSON_DATA_PATH" && " $* " != *" --help "* && " $* " != *" -h "* ]]; then
  # What is scored already is not scored again. The last lines of its table name its files.
  JSON_DATA_PATH="$(DATA_PATH="$DATA_PATH" MODEL="$MODEL" OUTPUT_DIR="$OUTPUT_DIR" SAMPLE_RATE="$SAMPLE_RATE" \
    PROMPT_TEMPLATE="$PROMPT_TEMPLATE" FILTER_THREASH="$FILTER_THREASH" bash scripts/run_pipeline.sh | sed -n 's/^scored dataset *//p')"
fi

python3 code_ifd/prove_it.py \
  --json_data_path "$JSON_DATA_PATH" \
  --save_path "$SAVE_PATH" \
  --model_name_or_path "$MODEL" \
  --prompt "$PROMPT_TEMPLATE" \
  --sample_rate "$SAMPLE_RATE" \
  --filter_threash "$FILTER_THREASH" \
  --seeds "${NUMBERS[@]}" \
  "$@"
