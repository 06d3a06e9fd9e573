#!/usr/bin/env bash
# Fetches the public data: Alpaca, two published scored datasets, the five test sets. Nothing else needs them.
# Reads GitHub or the mirror BASE_URL, writes data/ and evaluation/test_data/. What is there already is not fetched again.
# Edit the variables, or set them before the command.
# Flags of data/download.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

ONLY="${ONLY:-test_sets alpaca scored}" # groups or file names
BASE_URL="${BASE_URL:-}"                # has each file as BASE_URL/<file name>

read -ra NAMES <<<"$ONLY"

exec python3 data/download.py \
  --only "${NAMES[@]}" \
  ${BASE_URL:+--base_url "$BASE_URL"} \
  "$@"
