#!/usr/bin/env bash
# Judging, step 1: let one or two models answer the test sets.
# Writes EVAL_DIR/NAME1/<data set>_<MAX_LENGTH>.json, and NAME2's unless MODEL2 is empty. Run it again after a stop: it goes on.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of evaluation/generation/eva_generation.py may follow it; they go to both models.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/environment.sh
source scripts/steps.sh

DATASETS="${DATASETS:-sample}" # or: vicuna koala wizardlm sinstruct lima
EVAL_DIR="${EVAL_DIR:-outputs/evaluation}"
NAME1="${NAME1:-model1}"
NAME2="${NAME2:-model2}"
MODEL1="${MODEL1:-gpt2}"
MODEL2="${MODEL2-gpt2-medium}" # empty: only the first model
PROMPT1="${PROMPT1:-alpaca}"
PROMPT2="${PROMPT2:-alpaca}"
MAX_LENGTH="${MAX_LENGTH:-1024}"

if [[ -n "$MODEL2" && "$NAME1" == "$NAME2" ]]; then
  echo "error: NAME1 and NAME2 are both $NAME1: two models need two folders" >&2
  exit 2
fi

answer() { # NAME MODEL PROMPT [FLAGS]
  local NAME="$1" MODEL="$2" PROMPT="$3"
  shift 3
  for DATASET in $DATASETS; do
    run_step python3 evaluation/generation/eva_generation.py \
      --dataset_name "$DATASET" \
      --model_name_or_path "$MODEL" \
      --prompt "$PROMPT" \
      --max_length "$MAX_LENGTH" \
      --output_dir "$EVAL_DIR/$NAME" \
      "$@"
  done
}

# Mistakes about the last model and data set show before the first has answered anything.
answer "$NAME1" "$MODEL1" "$PROMPT1" "$@" --check_only
if [[ -n "$MODEL2" ]]; then
  answer "$NAME2" "$MODEL2" "$PROMPT2" "$@" --check_only
fi
answer "$NAME1" "$MODEL1" "$PROMPT1" "$@"
if [[ -n "$MODEL2" ]]; then
  answer "$NAME2" "$MODEL2" "$PROMPT2" "$@"
fi
