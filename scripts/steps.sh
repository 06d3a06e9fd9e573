#!/usr/bin/env bash
# Steps that end with the script that runs them; scripts source this from the repository root.
# bash hears of a signal while it waits for a job, but not of SIGKILL, for which setpriv (of util-linux) is needed.
set -euo pipefail

STEP=""
TIED=()
if command -v setpriv >/dev/null; then
  TIED=(setpriv --pdeathsig TERM)
fi

run_step() { # COMMAND...; returns its exit code
  local CODE=0
  ${TIED[@]+"${TIED[@]}"} "$@" <&0 &
  STEP=$!
  wait "$STEP" || CODE=$?
  STEP=""
  return "$CODE"
}

stop() { # CODE
  trap '' TERM INT HUP
  if [[ -n "$STEP" ]]; then
    kill -TERM "$STEP" 2>/dev/null || true
    wait "$STEP" || true
  fi
  exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP
