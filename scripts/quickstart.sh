#!/usr/bin/env bash
# The newcomer's command: set up, then score and select the bundled sample with the model that comes with pip.
# Makes .venv unless a virtual environment is active. Writes into OUTPUT_DIR. Again, it only repeats what changed.
# Edit the variables, or set them before the command. Flags of code_ifd/data_analysis.py may follow it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
REQUIREMENTS=requirements.txt source scripts/setup.sh

export DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
export MODEL="${MODEL:-smollm2-135m}"
export SAMPLE_RATE="${SAMPLE_RATE:-0.1}"
export OUTPUT_DIR="${OUTPUT_DIR:-outputs/quickstart}"

bash scripts/run_pipeline.sh "$@"
