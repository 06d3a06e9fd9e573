#!/usr/bin/env bash
# The three steps in a row, then a short table and a report: what you run overnight.
# Reads DATA_PATH, writes the scores, the scored dataset, the selected records and the report into OUTPUT_DIR.
# Edit the variables, or set them before the command, as those of the three steps (PROMPT_TEMPLATE, FILTER_THREASH, ...).
# Paths are relative to the repository root. Flags of code_ifd/data_analysis.py may follow it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
SPLIT="${SPLIT:-}" # these three for a Hub dataset, as DATA_PATH=tatsu-lab/alpaca; empty: train, its default configuration, main
CONFIG="${CONFIG:-}"
DATA_REVISION="${DATA_REVISION:-}"
MODEL="${MODEL:-gpt2}"
SAMPLE_RATE="${SAMPLE_RATE:-0.1}"
OUTPUT_DIR="${OUTPUT_DIR:-outputs}"

# Step 3 reads more variables: KEY_NAME, LENGTH_GROUPS, GROUP_BY, SAMPLE_TOKENS.
KEY=() # the table knows scores, and neither random nor longest
case "${KEY_NAME:-}" in
  ifd_*) KEY=(--key_name "$KEY_NAME") ;;
esac

COMPARE="${COMPARE:-}" # another score: the table has the best by it beside the best by KEY_NAME
if [[ "$COMPARE" == "${KEY[1]:-ifd_ppl}" ]]; then
  COMPARE=""
fi

FIELDS=() # what the table and the report must know too
PREVIOUS=""
for FLAG in "$@"; do
  case "$FLAG" in
    --fields=*) FIELDS=("$FLAG") ;;
    --data_path* | --save_path* | --model_name_or_path* | --start_idx* | --end_idx*)
      echo "error: $FLAG: the three steps share this; set DATA_PATH, OUTPUT_DIR or MODEL, or run the steps one by one" >&2
      exit 2 ;;
    --split* | --config* | --data_revision*)
      echo "error: $FLAG: the steps share this; set SPLIT, CONFIG or DATA_REVISION before the command" >&2
      exit 2 ;;
    --sample_* | --filter_thre*)
      echo "error: $FLAG: step 3 must know it too; set SAMPLE_RATE, SAMPLE_NUM, SAMPLE_TOKENS or FILTER_THREASH before the command" >&2
      exit 2 ;;
    --key_name* | --length_groups* | --group_by* | --seed*)
      echo "error: $FLAG: a flag of step 3; set KEY_NAME, LENGTH_GROUPS or GROUP_BY before the command, or run step 3 alone" >&2
      exit 2 ;;
    -h | --help)
      sed -n '2,5s/^# //p' scripts/run_pipeline.sh
      exit 0 ;;
  esac
  if [[ "$PREVIOUS" == --fields ]]; then
    FIELDS=(--fields "$FLAG")
  fi
  if [[ "$PREVIOUS $FLAG" == "--dtype mixed" || "$FLAG" == --dtype=mixed ]] &&
    [[ -n "${LENGTH_GROUPS:-}${GROUP_BY:-}${SAMPLE_TOKENS:-}" ]]; then
    echo "error: --dtype mixed is exact for the best of all records only; unset LENGTH_GROUPS, GROUP_BY and SAMPLE_TOKENS, or take another --dtype" >&2
    exit 2
  fi
  PREVIOUS="$FLAG"
done
# outputs/my_data_gpt2_scores.jsonl, _data.json, _selected.json: named after the dataset and the model. Several files are
# named after their folder, and have the format of the first. DATA_PATH is from here on what all steps read: of a Hub
# dataset one commit and split.
FOUND="$(python3 code_ifd/find_dataset.py --data_path "$DATA_PATH" \
  ${SPLIT:+--split "$SPLIT"} ${CONFIG:+--config "$CONFIG"} ${DATA_REVISION:+--data_revision "$DATA_REVISION"})"
{ read -r DATA_PATH; read -r FORMAT; read -r NAME; } <<<"$FOUND"
unset SPLIT CONFIG DATA_REVISION
BASE="$OUTPUT_DIR/${NAME}_$(basename "$MODEL")"

AMOUNT=(--sample_rate "$SAMPLE_RATE")
if [[ -n "${SAMPLE_NUM:-}" ]]; then
  AMOUNT=(--sample_num "$SAMPLE_NUM")
fi

if [[ -n "${KEY_NAME:-}${LENGTH_GROUPS:-}${GROUP_BY:-}${SAMPLE_TOKENS:-}" ]]; then
  # Step 3 refuses a wrong value now, not after the scoring; --help ends it before it looks for a file.
  bash scripts/step3_select_data.sh --help >/dev/null
fi

# Step 1 is told what step 3 will select: a wrong rate, number or threshold is refused now, and --dtype mixed needs it.
DATA_PATH="$DATA_PATH" SAVE_PATH="${BASE}_scores.jsonl" MODEL="$MODEL" \
  bash scripts/step1_select_data_analysis_gpt2.sh "${AMOUNT[@]}" --filter_threash "${FILTER_THREASH:-1}" \
  ${KEY[@]+"${KEY[@]}"} "$@"
PT_DATA_PATH="${BASE}_scores.jsonl" JSON_DATA_PATH="$DATA_PATH" JSON_SAVE_PATH="${BASE}_data.$FORMAT" \
  bash scripts/step2_put_analysis_to_data.sh
JSON_DATA_PATH="${BASE}_data.$FORMAT" JSON_SAVE_PATH="${BASE}_selected.$FORMAT" SAMPLE_RATE="$SAMPLE_RATE" \
  bash scripts/step3_select_data.sh ${FIELDS[@]+"${FIELDS[@]}"}
python3 code_ifd/show_selection.py --json_data_path "${BASE}_data.$FORMAT" --selected "${BASE}_selected.$FORMAT" \
  --filter_threash "${FILTER_THREASH:-1}" ${KEY[@]+"${KEY[@]}"} ${COMPARE:+--compare "$COMPARE"} ${FIELDS[@]+"${FIELDS[@]}"}
# The selection is there already: whatever is wrong with the report, this run has done its work.
if ! SELECTED="${BASE}_selected.$FORMAT" JSON_DATA_PATH="${BASE}_data.$FORMAT" SAVE_PATH="${BASE}_report.html" \
  bash scripts/optional_report.sh ${FIELDS[@]+"${FIELDS[@]}"}; then
  echo "note: the report could not be made (see above); the selected records are complete. scripts/optional_report.sh makes it alone" >&2
fi
