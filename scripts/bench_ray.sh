#!/usr/bin/env bash
# One process, one Ray worker on one core, and two on two local Ray nodes of one core each: the same bytes, and how much faster?
# Reads DATA_PATH. Prints the checksum of each score file and what each run says of its speed. Linux only: cores are pinned with taskset.
# Edit the variables, or set them before the command; paths are relative to the repository root.
# Flags of code_ifd/data_analysis.py may follow it.
[ -n "${BASH_VERSION:-}" ] || { echo "error: this is a script for bash: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH= cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

DATA_PATH="${DATA_PATH:-data/sample_alpaca.json}"
MODEL="${MODEL:-smollm2-135m}"
DTYPE="${DTYPE:-float32}"
NUM_RECORDS="${NUM_RECORDS:-128}" # -1: all
RECORDS_PER_CHUNK="${RECORDS_PER_CHUNK:-16}"
RUNS="${RUNS:-process 1 2 2 1}" # one process on both cores, or a number of workers, in turn
PORT="${PORT:-23456}"

folder="$(mktemp -d /tmp/bench_ray.XXXXXX)"
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN="$(python3 -c 'import secrets; print(secrets.token_hex(32))')"
RAY_worker_niceness=0 # Ray's own 15 gives way to whatever else runs
export RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_worker_niceness
address="$(python3 -c 'import ray; print(ray.util.get_node_ip_address())'):$PORT"
start_node() {
  touch "$folder/node$1.log"
  taskset -c "$1" ray start "${@:2}" --num-cpus=1 --block --disable-usage-stats >"$folder/node$1.log" 2>&1 &
  until grep -q "Ray runtime started" "$folder/node$1.log"; do sleep 0.5; done
}
trap 'kill -TERM $(jobs -p); wait; rm -rf "$folder"' EXIT
start_node 0 --head --port="$PORT" --temp-dir="$folder/ray" --include-dashboard=false
start_node 1 --address="$address"

flags=(--data_path "$DATA_PATH" --model_name_or_path "$MODEL" --dtype "$DTYPE" --end_idx "$NUM_RECORDS" --records_per_chunk "$RECORDS_PER_CHUNK" "$@")
number=0
for run in $RUNS; do
  number=$((number + 1))
  save="$folder/$number.jsonl"
  echo "== $run, $(date +%T), $(uptime | sed 's/.*load/load/')"
  if [[ "$run" == process ]]; then
    taskset -c 0,1 python3 code_ifd/data_analysis.py "${flags[@]}" --save_path "$save"
  else
    python3 code_ifd/data_analysis_ray.py "${flags[@]}" --save_path "$save" --address "$address" --num_workers "$run" --cpus_per_worker 1 2>&1
  fi
  sha256sum "$save"
done
