#!/usr/bin/env bash
# Step 3: keep the records with the highest score below the threshold.
# Reads JSON_DATA_PATH, writes JSON_SAVE_PATH.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/select_data.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

JSON_DATA_PATH="${JSON_DATA_PATH:-outputs/sample_alpaca_gpt2_data.json}"
JSON_SAVE_PATH="${JSON_SAVE_PATH:-}" # empty: outputs/X_selected.json for a dataset X_data.json
SAMPLE_RATE="${SAMPLE_RATE:-0.1}"  # the share of all records to keep
SAMPLE_NUM="${SAMPLE_NUM:-}"       # a number of records, instead of SAMPLE_RATE
SAMPLE_TOKENS="${SAMPLE_TOKENS:-}" # a number of response tokens, instead of SAMPLE_RATE
FILTER_THREASH="${FILTER_THREASH:-1}" # keep only scores below this (FILTER_THRESHOLD is the same)
KEY_NAME="${KEY_NAME:-ifd_ppl}"    # or ifd_loss, ifd_upper; or, to compare with, random, longest
LENGTH_GROUPS="${LENGTH_GROUPS:-}" # so many groups by length, each with its share
GROUP_BY="${GROUP_BY:-}"           # a key of the records, each value with its share

AMOUNT=(${SAMPLE_NUM:+--sample_num "$SAMPLE_NUM"} ${SAMPLE_TOKENS:+--sample_tokens "$SAMPLE_TOKENS"})
if ((${#AMOUNT[@]} == 0)); then
  AMOUNT=(--sample_rate "$SAMPLE_RATE")
fi
for FLAG in "$@"; do
  if [[ "$FLAG" == --sample_* ]]; then
    AMOUNT=() # given after the command
  fi
done

JSON_DATA_PATH="$(find_path "$JSON_DATA_PATH" "run steps 1 and 2 first, or set JSON_DATA_PATH to what step 2 wrote (quickstart.sh: outputs/quickstart/sample_alpaca_smollm2-135m_data.json)")"
JSON_SAVE_PATH="${JSON_SAVE_PATH:-"$(result_of "$JSON_DATA_PATH" selected)"}"

exec python3 code_ifd/select_data.py \
  --json_data_path "$JSON_DATA_PATH" \
  --json_save_path "${JSON_SAVE_PATH/#-/./-}" \
  ${AMOUNT[@]+"${AMOUNT[@]}"} \
  --filter_threash "$FILTER_THREASH" \
  --key_name "$KEY_NAME" \
  ${LENGTH_GROUPS:+--length_groups "$LENGTH_GROUPS"} \
  ${GROUP_BY:+--group_by "$GROUP_BY"} \
  "$@"
