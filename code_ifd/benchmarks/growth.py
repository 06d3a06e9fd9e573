"""Does step 1 keep its speed and its memory as the dataset grows, and how long does it take to start?

Runs code_ifd/data_analysis.py as a user does, on the records of a dataset
repeated up to each size, in turn, several times. Start-up is a run on one
record. Prints a table of medians; the last line is one JSON object.

PYTHONPATH=code_ifd python -m benchmarks.growth \\
    --data_path data/sample_alpaca.json \\
    --sizes 1000 4000 16000 --max_length 24
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from records.conversations import check_records
from records.dataset import read_dataset, write_dataset
from records.record import Record
from shared.cli import UserError, new_parser, positive_int, run, say


def run_step1(records: list[Record], folder: Path, flags: list[str]) -> tuple[float, int]:
    """Score records in a process of its own; return seconds and its peak memory in bytes.

    Raises UserError when it fails.
    """
    data_path, save_path = folder / "data.json", folder / "scores.jsonl"
    save_path.unlink(missing_ok=True)
    write_dataset(str(data_path), records)
    command = [sys.executable, str(Path(__file__).parents[1] / "data_analysis.py")]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--data_path", data_path, "--save_path", save_path, *flags], stdout=subprocess.DEVNULL
    )
    # wait4 alone tells the memory of this one child.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"step 1 failed with exit code {process.returncode}; its message is above")
    return time.perf_counter() - started, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--data_path", required=True, help="dataset (.json or .jsonl) to repeat")
    parser.add_argument(
        "--sizes",
        type=positive_int,
        nargs="+",
        default=[1000, 4000, 16000],
        help="numbers of records (default: 1000 4000 16000)",
    )
    parser.add_argument("--repeats", type=positive_int, default=1, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--model_name_or_path", default="smollm2-135m", help="a model, as in step 1 (default: %(default)s)"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="as in step 1 (default: %(default)s)"
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=1024,
        help="as in step 1; lower it to get done sooner (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    records = read_dataset(args.data_path)
    check_records(records, args.data_path, {})
    flags = [
        "--model_name_or_path",
        args.model_name_or_path,
        "--dtype",
        args.dtype,
        "--max_length",
        str(args.max_length),
    ]
    runs: dict[int, list[tuple[float, int]]] = {size: [] for size in (1, *args.sizes)}
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        for turn in range(args.repeats):
            for size in runs:
                print(f"round {turn + 1} of {args.repeats}: {size} records", file=sys.stderr)
                repeated = (records * (size // len(records) + 1))[:size]
                runs[size].append(run_step1(repeated, Path(folder), flags))
    start_up = statistics.median(seconds for seconds, _ in runs[1])
    say(
        f"start-up {start_up:.1f} s (a run on one record)\n\n"
        "| records | records/s without start-up | peak memory |\n|---|---|---|"
    )
    table = {}
    for size in args.sizes:
        seconds = statistics.median(second for second, _ in runs[size])
        peak = max(memory for _, memory in runs[size])
        table[size] = {"seconds": seconds, "records_per_second": size / (seconds - start_up), "peak_bytes": peak}
        say(f"| {size} | {table[size]['records_per_second']:.2f} | {peak / 1e9:.2f} GB |")
    say(
        "\n"
        + json.dumps(
            {"model": args.model_name_or_path, "dtype": args.dtype, "start_up_seconds": start_up, "sizes": table}
        )
    )


if __name__ == "__main__":
    run(main)
