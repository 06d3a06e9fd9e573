#!/usr/bin/env bash
# The newcomer's command: set up, then score and select the bundled sample with the model that comes with pip.
# Makes .venv unless a virtual environment is active. Writes into OUTPUT_DIR. Again, it only repeats what changed.
# Your own data: bash scripts/run_pipeline.sh my_data.json
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
REQUIREMENTS=requirements.txt source scripts/setup.sh

OUTPUT_DIR="${OUTPUT_DIR:-outputs/quickstart}" # where everything goes
KEY_NAME="${KEY_NAME:-ifd_ppl}"                # the score to rank by: ifd_ppl, ifd_loss or ifd_upper

# Variables that were exported for other scripts are not meant for the sample.
for NAME in DATA_PATH MODEL SPLIT CONFIG DATA_REVISION GROUP_BY SAMPLE_NUM SAMPLE_TOKENS; do
  if [[ -n "${!NAME:-}" ]]; then
    echo "note: quickstart.sh scores its own sample with its own model and does not read $NAME; run_pipeline.sh does" >&2
    unset "$NAME"
  fi
done
# At the end, the selection stands beside that by another score.
COMPARE=ifd_upper
if [[ "$KEY_NAME" == ifd_upper ]]; then
  COMPARE=ifd_ppl
fi
export OUTPUT_DIR KEY_NAME COMPARE

exec bash scripts/run_pipeline.sh data/sample_alpaca.json --model smollm2-135m "$@"
