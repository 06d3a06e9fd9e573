#!/usr/bin/env bash
# The tests of scoring with the oldest transformers that is supported; scripts/test.sh has the one that set-up installs.
# Makes .venv-oldest, layered over the environment of the tests: only what differs is installed twice, torch is not.
# REAL_DATA_DIR=FOLDER adds the tests on real data. Arguments go to pytest; its last -m counts.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
VENV_DIR=.venv-test REQUIREMENTS=tests/requirements.txt source scripts/setup.sh

OLDEST="${OLDEST:-transformers==4.57.3 huggingface_hub==0.36.2 tokenizers==0.22.2}"
NUM_PROCESSES="${NUM_PROCESSES:-2}"

read -ra PACKAGES <<<"$OLDEST"
FIRST="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
if [[ "$(cat .venv-oldest/.installed 2>/dev/null)" != "$FIRST $OLDEST" ]]; then
  echo "installing $OLDEST into .venv-oldest (a minute, once)" >&2
  rm -rf .venv-oldest
  python3 -m venv --without-pip .venv-oldest
  python3 -m pip --python .venv-oldest/bin/python3 install --quiet --disable-pip-version-check --no-deps "${PACKAGES[@]}"
  SECOND="$(.venv-oldest/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  echo "$FIRST" >"$SECOND/first.pth" # what is not in this environment is looked for in the first
  echo "$FIRST $OLDEST" >.venv-oldest/.installed
fi
export VIRTUAL_ENV="$PWD/.venv-oldest"
export PATH="$VIRTUAL_ENV/bin:$PATH"
hash -r

python3 -c 'import torch, transformers; print(f"transformers {transformers.__version__}, torch {torch.__version__}")'
python3 -m pytest -n "$NUM_PROCESSES" --dist loadfile --no-loadscope-reorder -m "not long" \
  tests/models tests/scoring tests/test_data_analysis.py tests/test_golden.py "$@"
