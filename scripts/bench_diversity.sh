#!/usr/bin/env bash
# Facility location beside submodlib-py 0.0.3: seconds, memory, objective, same picks. Prints a table and a line of JSON.
# Embeds the records of JSON_DATA_PATH with all-minilm-l6-v2; needs `pip install submodlib-py==0.0.3`.
# Edit the variables, or set them before the command; flags of code_ifd/benchmarks/diversity.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

JSON_DATA_PATH="${JSON_DATA_PATH:-data/sample_alpaca.json}"
SIZES="${SIZES:-2000/200 5000/500}" # points/picks

read -ra PAIRS <<<"$SIZES"

PYTHONPATH=code_ifd python3 -m benchmarks.diversity \
  --json_data_path "$JSON_DATA_PATH" \
  --sizes "${PAIRS[@]}" \
  "$@"
