#!/usr/bin/env bash
# Judging, step 2: put the answers of two models side by side.
# Reads EVAL_DIR/NAME1 and EVAL_DIR/NAME2, writes EVAL_DIR/NAME1-VS-NAME2/<data set>_wrap.json.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of evaluation/generation/eval_generation_wrap.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/environment.sh
source scripts/steps.sh

DATASETS="${DATASETS:-sample}" # or: vicuna koala wizardlm sinstruct lima
EVAL_DIR="${EVAL_DIR:-outputs/evaluation}"
NAME1="${NAME1:-model1}"
NAME2="${NAME2:-model2}"
MAX_LENGTH="${MAX_LENGTH:-1024}"

for DATASET in $DATASETS; do
  run_step python3 evaluation/generation/eval_generation_wrap.py \
    --dataset_name "$DATASET" \
    --fname1 "$EVAL_DIR/$NAME1" \
    --fname2 "$EVAL_DIR/$NAME2" \
    --save_name "$EVAL_DIR/$NAME1-VS-$NAME2" \
    --max_length "$MAX_LENGTH" \
    "$@"
done
