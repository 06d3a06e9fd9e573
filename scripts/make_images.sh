#!/usr/bin/env bash
# The pictures of the README: the report of the bundled sample, as Chromium shows it, and its histogram of IFD.
# Reads JSON_DATA_PATH (scored), writes report.png, report_records.png and report_ifd.png into IMAGES.
# Edit the variables, or set them before the command. Needs Chromium. Flags of code_ifd/report.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

JSON_DATA_PATH="${JSON_DATA_PATH:-data/data_with_ifd/sample_alpaca_smollm2_data.json}"
MODEL="${MODEL:-smollm2-135m}" # that scored it, for the title
IMAGES="${IMAGES:-docs/images}"
CHROMIUM="${CHROMIUM:-chromium}"

if ! command -v "$CHROMIUM" >/dev/null; then
  echo "error: $CHROMIUM is not installed; install it, or set CHROMIUM to the program of another Chromium or Chrome" >&2
  exit 2
fi
FOLDER="$(mktemp -d)"
trap 'rm -rf "$FOLDER"' EXIT
python3 code_ifd/report.py \
  --json_data_path "$JSON_DATA_PATH" \
  --save_path "$FOLDER/report.html" \
  --model "$MODEL" \
  "$@"
mkdir -p "$IMAGES"

shoot() { # NAME HEIGHT PLACE: the page from a place on, in a frame, since Chromium's pictures begin at the top of a page
  printf '<!doctype html><style>body{margin:0}iframe{border:0;width:1200px;height:%spx;display:block}</style><iframe src="report.html%s"></iframe>' \
    "$2" "$3" >"$FOLDER/frame.html"
  "$CHROMIUM" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$FOLDER/profile" \
    --window-size="1200,$2" --virtual-time-budget=3000 --screenshot="$FOLDER/$1" "file://$FOLDER/frame.html" 2>/dev/null >&2 || true
  if [[ ! -s "$FOLDER/$1" ]]; then
    echo "error: $CHROMIUM made no picture of the report" >&2
    exit 1
  fi
  mv "$FOLDER/$1" "$IMAGES/$1"
  echo "picture           $IMAGES/$1"
}
shoot report.png 1180 ""
shoot report_records.png 760 "#records"
mv "$FOLDER/report_ifd.png" "$IMAGES/report_ifd.png"
echo "picture           $IMAGES/report_ifd.png"
