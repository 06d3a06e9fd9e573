#!/usr/bin/env bash
# How fast steps 2 and 3 stream, and whether their memory stays flat as the dataset grows.
# Makes synthetic records in a temporary folder, prints a table; the last line is one JSON object.
# Edit the variable, or set it before the command; flags of code_ifd/benchmarks/streams.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

SIZES="${SIZES:-50000 500000}"

read -ra NUMBERS <<<"$SIZES"

PYTHONPATH=code_ifd python3 -m benchmarks.streams \
  --sizes "${NUMBERS[@]}" \
  "$@"
