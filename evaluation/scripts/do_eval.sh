#!/usr/bin/env bash
# Judging, step 3: ask a judge which of two answers is better, in both orders. The key is read from OPENAI_API_KEY.
# Reads EVAL_DIR/NAME1-VS-NAME2/<dataset>_wrap.json, writes <dataset>_wrap_reviews_<judge>.json beside it.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of evaluation/generation/eval.py may follow it, such as --dry_run.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/environment.sh
source scripts/steps.sh

DATASETS="${DATASETS:-sample}" # or: vicuna koala wizardlm sinstruct lima
EVAL_DIR="${EVAL_DIR:-outputs/evaluation}"
NAME1="${NAME1:-model1}"
NAME2="${NAME2:-model2}"
API_MODEL="${API_MODEL:-gpt-4}"
API_BASE="${API_BASE:-}" # of any OpenAI-compatible server; empty: OPENAI_BASE_URL, or else OpenAI's
BATCH_SIZE="${BATCH_SIZE:-10}"
MAX_TOKENS="${MAX_TOKENS:-1024}"
TEMPERATURE="${TEMPERATURE:-0}"
JUDGE_INPUT="${JUDGE_INPUT:-on}"
PRICE_IN="${PRICE_IN:-}"   # US dollars for a million tokens of the prompts
PRICE_OUT="${PRICE_OUT:-}" # and of the answers; empty: no cost is computed
MAX_COST="${MAX_COST:-}"   # US dollars for each data set

OPTIONS=()
[[ -z "$API_BASE" ]] || OPTIONS+=(--api_base "$API_BASE")
[[ -z "$PRICE_IN" ]] || OPTIONS+=(--price_in "$PRICE_IN")
[[ -z "$PRICE_OUT" ]] || OPTIONS+=(--price_out "$PRICE_OUT")
[[ -z "$MAX_COST" ]] || OPTIONS+=(--max_cost "$MAX_COST")

for DATASET in $DATASETS; do
  run_step python3 evaluation/generation/eval.py \
    --wraped_file "$EVAL_DIR/$NAME1-VS-$NAME2/${DATASET}_wrap.json" \
    --api_model "$API_MODEL" \
    --batch_size "$BATCH_SIZE" \
    --max_tokens "$MAX_TOKENS" \
    --temperature "$TEMPERATURE" \
    --judge_input "$JUDGE_INPUT" \
    ${OPTIONS[@]+"${OPTIONS[@]}"} \
    "$@"
done
