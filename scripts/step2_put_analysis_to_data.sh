#!/usr/bin/env bash
# Step 2: put the scores of step 1 into the dataset.
# Reads PT_DATA_PATH and JSON_DATA_PATH, writes JSON_SAVE_PATH.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# More score files (shards) may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

PT_DATA_PATH="${PT_DATA_PATH:-outputs/sample_alpaca_gpt2_scores.jsonl}"
JSON_DATA_PATH="${JSON_DATA_PATH:-data/sample_alpaca.json}"
JSON_SAVE_PATH="${JSON_SAVE_PATH:-outputs/sample_alpaca_gpt2_data.json}"
TURNS="${TURNS:-mean}" # the score of a conversation: mean, last or max

PT_DATA_PATH="$(find_path "$PT_DATA_PATH" "step 1 writes it: set PT_DATA_PATH to its SAVE_PATH")"
JSON_DATA_PATH="$(find_path "$JSON_DATA_PATH")"

exec python3 code_ifd/put_analysis_to_data.py \
  --json_data_path "$JSON_DATA_PATH" \
  --json_save_path "${JSON_SAVE_PATH/#-/./-}" \
  --turns "$TURNS" \
  --pt_data_path "$PT_DATA_PATH" \
  "$@"
