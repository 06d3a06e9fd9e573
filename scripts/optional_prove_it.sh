#!/usr/bin/env bash
# Does it work at all? Trains a small model on the selected records, on random ones, on the longest, the lowest IFD, and on all.
# Reads DATA_PATH, which it scores first (PLANT=0.1 or --plant 0.1: a copy with that share of mistakes), or JSON_DATA_PATH, a scored
# dataset; writes SAVE_PATH. Run it again after a stop: it goes on. Edit the variables, or set them before the command; paths are
# relative to the repository root. Flags of code_ifd/prove_it.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
source scripts/steps.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
MODEL="${MODEL:-smollm2-135m}"
OUTPUT_DIR="${OUTPUT_DIR:-outputs/quickstart}"
JSON_DATA_PATH="${JSON_DATA_PATH:-}" # instead of DATA_PATH
SAVE_PATH="${SAVE_PATH:-}"           # default: outputs/prove_it.json, with mistakes outputs/prove_it_planted_RATE.json
PROMPT_TEMPLATE="${PROMPT_TEMPLATE:-none}"
SAMPLE_RATE="${SAMPLE_RATE:-0.1}"
FILTER_THREASH="${FILTER_THREASH:-1}"
KEY_NAME="${KEY_NAME:-ifd_ppl}" # score of the arms selected, selected_groups and lowest
LENGTH_GROUPS="${LENGTH_GROUPS:-10}"
SEEDS="${SEEDS:-0 1 2}"
PLANT="${PLANT:-}"            # share of the responses that change places before scoring
PLANT_SEED="${PLANT_SEED:-0}" # decides which

DATA_PATH="$(find_path "$DATA_PATH")"
JSON_DATA_PATH="$(find_path "$JSON_DATA_PATH")"
MODEL="$(find_name "$MODEL")"
OUTPUT_DIR="${OUTPUT_DIR/#-/./-}"

read -ra NUMBERS <<<"$SEEDS"
FLAGS=()  # of prove_it.py
FIELDS=() # what planting and scoring must know too
PREVIOUS=""
for FLAG in "$@"; do
  case "$PREVIOUS $FLAG" in
    "--plant "*) PLANT="$FLAG" ;;
    *" --plant") ;;
    *" --plant="*) PLANT="${FLAG#--plant=}" ;;
    *) FLAGS+=("$FLAG") ;;
  esac
  case "$PREVIOUS $FLAG" in
    "--fields "*) FIELDS=(--fields "$FLAG") ;;
    *" --fields="*) FIELDS=("$FLAG") ;;
  esac
  PREVIOUS="$FLAG"
done
if [[ "$PREVIOUS" == --plant ]]; then
  echo "error: --plant: a share must follow, as in --plant 0.1" >&2
  exit 2
fi
if [[ -n "$PLANT" && -n "$JSON_DATA_PATH" ]]; then
  echo "error: --plant $PLANT: mistakes are planted before scoring, and JSON_DATA_PATH is scored; set DATA_PATH" >&2
  exit 2
fi

PROOF=(
  --save_path "${SAVE_PATH:-outputs/prove_it${PLANT:+_planted_$PLANT}.json}"
  --model_name_or_path "$MODEL"
  --prompt "$PROMPT_TEMPLATE"
  --sample_rate "$SAMPLE_RATE"
  --filter_threash "$FILTER_THREASH"
  --key_name "$KEY_NAME"
  --length_groups "$LENGTH_GROUPS"
  --seeds "${NUMBERS[@]}"
  ${FLAGS[@]+"${FLAGS[@]}"}
)
if [[ -z "$JSON_DATA_PATH" && " $* " != *" -h "* ]]; then
  # A wrong flag is refused now, not after the scoring; -h ends it before it looks for a file.
  python3 code_ifd/prove_it.py "${PROOF[@]}" -h >/dev/null
  if [[ -n "$PLANT" ]]; then
    # The name has what decides the copy: another share is another dataset, with scores of its own.
    NAME="$(basename "$DATA_PATH")"
    for ENDING in .gz .zst .json .jsonl .ndjson .parquet .arrow; do NAME="${NAME%"$ENDING"}"; done
    NAME="${NAME//[*?\[\]]/_}" # of a pattern
    PLANTED="$OUTPUT_DIR/${NAME}_planted_${PLANT}_seed$PLANT_SEED.json"
    python3 code_ifd/plant_mistakes.py --json_data_path "$DATA_PATH" --json_save_path "$PLANTED" \
      --rate "$PLANT" --seed "$PLANT_SEED" ${FIELDS[@]+"${FIELDS[@]}"} >&2
    DATA_PATH="$PLANTED"
  fi
  # What is scored already is not scored again. The last lines of its table name its files.
  TABLE="$(mktemp)"
  trap 'rm -f "$TABLE"' EXIT
  DATA_PATH="$DATA_PATH" MODEL="$MODEL" OUTPUT_DIR="$OUTPUT_DIR" SAMPLE_RATE="$SAMPLE_RATE" \
    PROMPT_TEMPLATE="$PROMPT_TEMPLATE" FILTER_THREASH="$FILTER_THREASH" \
    run_step bash scripts/run_pipeline.sh ${FIELDS[@]+"${FIELDS[@]}"} >"$TABLE"
  JSON_DATA_PATH="$(sed -n 's/^scored dataset *//p' "$TABLE")"
  rm -f "$TABLE"
fi

exec python3 code_ifd/prove_it.py --json_data_path "$JSON_DATA_PATH" "${PROOF[@]}"
