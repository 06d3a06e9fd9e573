#!/usr/bin/env bash
# The newcomer's command for judging: a verdict to look at, in some seconds. Answers and reviews of 24 pairs come with the project.
# They were written for it, and say nothing of any model. A table on the terminal; numbers, figure and page in EVAL_DIR.
# With --live, models on this machine answer and judge instead: the small model that comes with pip answers the bundled test set, asked with
# two prompt templates, and reads both answers. That takes minutes. Such a small judge mostly gives no scores: the run shows every step, and no verdict.
# Makes .venv unless a virtual environment is active. Again, it only repeats what changed.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# All but EVAL_DIR are of --live, after which flags of evaluation/generation/eva_generation.py may follow.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/options.sh
source scripts/steps.sh

EVAL_DIR="${EVAL_DIR:-}" # empty: outputs/quickstart_eval, with --live outputs/quickstart_eval_<NUM_QUESTIONS>
NUM_QUESTIONS="${NUM_QUESTIONS:-6}" # of the 32
JUDGE="${JUDGE:-smollm2-135m}"
START_SECONDS="${START_SECONDS:-180}" # what the judge's server may take to start
export MAX_TOKENS="${MAX_TOKENS:-24}" # of a review: the scores come first
export BATCH_SIZE="${BATCH_SIZE:-1}"  # the server answers one request after the other
export DATASETS="${DATASETS:-sample}"
export NAME1="${NAME1:-chat}"
export NAME2="${NAME2:-alpaca}"
export MODEL1="${MODEL1:-smollm2-135m}"
export MODEL2="${MODEL2:-smollm2-135m}"
export PROMPT1="${PROMPT1:-chat}"
export PROMPT2="${PROMPT2:-alpaca}"
export MAX_LENGTH="${MAX_LENGTH:-256}"

if [[ "${1:-}" != --live ]]; then
  if (($#)); then
    echo "error: $1: the bundled verdict takes no flags; --live comes first, and its flags after it; see --help" >&2
    exit 2
  fi
  REQUIREMENTS=requirements.txt source scripts/setup.sh
  export DATASETS=sample NAME1=model-a NAME2=model-b API_MODEL=example-judge
  export EVAL_DIR="${EVAL_DIR:-outputs/quickstart_eval}"
  mkdir -p "$EVAL_DIR/$NAME1-VS-$NAME2"
  cp evaluation/test_data/example_verdict/sample_wrap_reviews_example-judge.json "$EVAL_DIR/$NAME1-VS-$NAME2/"
  run_step bash evaluation/scripts/do_review_eval_score.sh
  echo
  echo "note: these answers and reviews come with the project, to show what a"
  echo "verdict looks like; they say nothing of any model. Open the .html file in a"
  echo "browser; docs/verdict.md explains every number. The whole path, with models"
  echo "on this machine: bash evaluation/scripts/quickstart_eval.sh --live"
  exit 0
fi
shift
REQUIREMENTS=evaluation/requirements.txt source scripts/setup.sh
export EVAL_DIR="${EVAL_DIR:-outputs/quickstart_eval_$NUM_QUESTIONS}" # answers to more questions are another run

# Reviews and verdict of a local judge are named after it.
API_MODEL="$(basename "$JUDGE")"
export API_MODEL
JUDGING=(bash evaluation/scripts/do_eval.sh --timeout_seconds 300)

echo "1/4 answers: $NAME1 ($MODEL1, --prompt $PROMPT1) and $NAME2 ($MODEL2, --prompt $PROMPT2)"
run_step bash evaluation/scripts/do_eval_generation.sh --num_questions "$NUM_QUESTIONS" "$@"
echo "2/4 pairs"
run_step bash evaluation/scripts/do_eval_generation_wrap.sh
echo "3/4 reviews by $JUDGE"
# Nothing listens at this address: it is only asked how many reviews are missing.
export API_BASE=http://127.0.0.1:9/v1
PLAN="$("${JUDGING[@]}" --dry_run)"
if grep -Eq ' [1-9][0-9,]* to send ' <<< "$PLAN"; then
  run_step python3 evaluation/generation/local_judge.py \
    --model_name_or_path "$JUDGE" \
    --start_seconds "$START_SECONDS" \
    --log_path "$EVAL_DIR/judge_server.log" \
    -- "${JUDGING[@]}"
else
  run_step "${JUDGING[@]}"
fi
echo "4/4 verdict"
run_step bash evaluation/scripts/do_review_eval_score.sh
if [[ "$JUDGE" == smollm2-135m ]]; then
  echo
  echo "note: a judge of 135M parameters is a poor judge: mostly it gives no scores,"
  echo "and those that it gives say next to nothing. This run shows every step from"
  echo "answers to verdict. For a verdict that counts, run do_eval.sh with a strong"
  echo "judge (API_MODEL, API_BASE, OPENAI_API_KEY)."
fi
