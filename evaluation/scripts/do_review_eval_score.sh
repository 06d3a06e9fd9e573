#!/usr/bin/env bash
# Judging, step 4: count who wins, draw it, and make a page to read every pair on.
# Reads $EVAL_DIR/$NAME1-VS-$NAME2/<data set>_wrap_reviews_<judge>.json, writes verdict_<judge>.json, .png, .svg and .html beside them.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of evaluation/generation/review_eval_score.py may follow it, such as --rule strict.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/environment.sh
source scripts/steps.sh

DATASETS="${DATASETS:-sample}" # words: vicuna koala wizardlm sinstruct lima
EVAL_DIR="${EVAL_DIR:-outputs/evaluation}"
NAME1="${NAME1:-model1}"
NAME2="${NAME2:-model2}"
API_MODEL="${API_MODEL:-gpt-4}" # the judge; words: the first one's verdict, the others beside it

read -r -a TASKS <<<"$DATASETS"
read -r -a JUDGES <<<"$API_MODEL"
FLAGS=(
  --review_home_path "$EVAL_DIR/$NAME1-VS-$NAME2"
  --task_list ${TASKS[@]+"${TASKS[@]}"}
  --key1 "$NAME1"
  --key2 "$NAME2"
  --api_model ${JUDGES[@]+"${JUDGES[@]}"}
)

run_step python3 evaluation/generation/review_eval_score.py "${FLAGS[@]}" "$@"
run_step python3 evaluation/generation/review_viewer.py "${FLAGS[@]}" "$@"
