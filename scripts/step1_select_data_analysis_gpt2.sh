#!/usr/bin/env bash
# Step 1: score every record with a small language model.
# Reads DATA_PATH, writes SAVE_PATH and SAVE_PATH.meta.json. Run it again after a stop: it goes on.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/data_analysis.py may follow it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
SPLIT="${SPLIT:-}" # these three for a Hub dataset, as DATA_PATH=tatsu-lab/alpaca; empty: train, its default configuration, main
CONFIG="${CONFIG:-}"
DATA_REVISION="${DATA_REVISION:-}"
SAVE_PATH="${SAVE_PATH:-outputs/sample_alpaca_gpt2_scores.jsonl}"
MODEL="${MODEL:-gpt2}"
PROMPT_TEMPLATE="${PROMPT_TEMPLATE:-none}"
MAX_LENGTH="${MAX_LENGTH:-1024}"

python3 code_ifd/data_analysis.py \
  --data_path "$DATA_PATH" \
  ${SPLIT:+--split "$SPLIT"} \
  ${CONFIG:+--config "$CONFIG"} \
  ${DATA_REVISION:+--data_revision "$DATA_REVISION"} \
  --save_path "$SAVE_PATH" \
  --model_name_or_path "$MODEL" \
  --prompt "$PROMPT_TEMPLATE" \
  --max_length "$MAX_LENGTH" \
  "$@"
