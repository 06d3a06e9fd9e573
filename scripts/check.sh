#!/usr/bin/env bash
# The linter, the formatter's check and the type checker; their settings are in pyproject.toml.
# Sets up as test.sh does (some minutes, once). After `source .venv/bin/activate`, `ruff format .` mends the format.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
REQUIREMENTS=tests/requirements.txt source scripts/setup.sh

ruff check .
ruff format --check --quiet .
mypy
