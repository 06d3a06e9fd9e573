#!/usr/bin/env bash
# A look at a scored dataset: a page with counts, figures and the records to read. run_pipeline.sh makes it too.
# Reads JSON_DATA_PATH and SELECTED, writes SAVE_PATH (.html, for any browser) and its figures as PNG beside it.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/report.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

JSON_DATA_PATH="${JSON_DATA_PATH:-outputs/sample_alpaca_gpt2_data.json}"
SELECTED="${SELECTED:-}" # what was selected; empty: what step 3 would select by flags
SAVE_PATH="${SAVE_PATH:-}" # empty: outputs/X_report.html for a dataset X_data.json
FILTER_THREASH="${FILTER_THREASH:-1}"
KEY_NAME="${KEY_NAME:-}" # ifd_ppl, ifd_loss or ifd_upper; empty: ifd_ppl
case "$KEY_NAME $*" in
  "random "* | "longest "*) KEY_NAME="" ;; # step 3 selects so too; the report is one of scores
  *" --key_name"*) KEY_NAME="" ;; # given after the command
esac

JSON_DATA_PATH="$(find_path "$JSON_DATA_PATH" "run steps 1 and 2 first, or set JSON_DATA_PATH to what step 2 wrote (quickstart.sh: outputs/quickstart/sample_alpaca_smollm2-135m_data.json)")"
SELECTED="$(find_path "$SELECTED")"
SAVE_PATH="${SAVE_PATH:-"$(result_of "$JSON_DATA_PATH" report .html)"}"

exec python3 code_ifd/report.py \
  --json_data_path "$JSON_DATA_PATH" \
  ${SELECTED:+--selected "$SELECTED"} \
  --save_path "${SAVE_PATH/#-/./-}" \
  --filter_threash "$FILTER_THREASH" \
  ${KEY_NAME:+--key_name "$KEY_NAME"} \
  "$@"
