#!/usr/bin/env bash
# The linter, the formatter's check and the type checker; their settings are in pyproject.toml.
# Sets up as test.sh does (some minutes, once). After `source .venv-test/bin/activate`, `ruff format .` mends the format.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
VENV_DIR=.venv-test REQUIREMENTS=tests/requirements.txt source scripts/setup.sh

ruff check .
ruff format --check --quiet .
mypy
