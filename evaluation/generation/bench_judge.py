"""How near eval.py comes to the rate that its server's latency allows.

Starts a server on this machine in a process of its own (tests/evaluation/fault_server.py), which answers after 50 ms
and fails at 5 percent of the requests, and judges made-up pairs against it, each time from nothing, fsynced journal
included. The ideal rate is that of `batch_size` requests in flight that are never late, less those that fail, each of
which takes its turn too: batch_size / latency * (1 - fault_rate) answers a second. Prints each run and the median. It
wants a quiet machine with two cores: `uptime` says whether others work on it.

python evaluation/generation/bench_judge.py --num_pairs 1000 --batch_size 50
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from answering.wrap_file import write_wrap_file
from shared.cli import UserError, new_parser, positive_int, rate, run, say

TESTS = Path(__file__).parents[2] / "tests" / "evaluation"


def write_pairs(path: Path, num_pairs: int) -> None:
    """Write a wrap file of made-up pairs with answers of about 120 words, as long as real ones."""
    rows = [
        {
            "prompt": f"Question {index}?",
            "Answer1": f"{index}. " + "One word. " * 60,
            "Answer2": f"{index}. " + "A word. " * 60,
        }
        for index in range(num_pairs)
    ]
    write_wrap_file(str(path), {"dataset_name": "bench"}, rows)


def time_run(
    num_pairs: int, batch_size: int, latency_seconds: float, fault_rate: float, folder_above: str | None, seed: int
) -> float:
    """Judge once and return the answers a second that eval.py reports. Raises UserError when it fails."""
    from fault_server import FaultServer

    with tempfile.TemporaryDirectory(dir=folder_above) as folder:
        wrap_path = Path(folder) / "bench_wrap.json"
        write_pairs(wrap_path, num_pairs)
        command = [sys.executable, str(Path(__file__).with_name("eval.py")), "--wraped_file", str(wrap_path)]
        command += ["--batch_size", str(batch_size)]
        plan = {"latency_seconds": latency_seconds, "fault_rate": fault_rate, "seed": seed}
        with FaultServer(**plan) as server:
            env = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
            done = subprocess.run([*command, "--api_base", server.url], capture_output=True, text=True, env=env)
        if done.returncode:
            raise UserError(f"eval.py failed: {done.stderr.strip()}")
    line = next(line for line in done.stdout.splitlines() if " answers in " in line)
    say(line)
    return float(line.partition("(")[2].partition("/s)")[0])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--num_pairs", type=positive_int, default=1000, help="pairs, each asked twice (default: %(default)s)"
    )
    parser.add_argument("--batch_size", type=positive_int, default=50, help="requests in flight (default: %(default)s)")
    parser.add_argument(
        "--latency_ms",
        type=positive_int,
        default=50,
        help="milliseconds until the server answers (default: %(default)s)",
    )
    parser.add_argument(
        "--fault_rate", type=rate, default="0.05", help="share of requests that fail, above 0 (default: %(default)s)"
    )
    parser.add_argument(
        "--num_runs", type=positive_int, default=5, help="runs, of which the median counts (default: %(default)s)"
    )
    parser.add_argument(
        "--folder",
        help="where the journals lie while it runs: the disk matters (default: the system's temporary folder)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run eval.py several times and print its rates."""
    args = parse_args(argv)
    if not TESTS.is_dir():
        raise UserError(f"{TESTS}: not there; the server of this measurement is part of the tests")
    sys.path.insert(1, str(TESTS))
    latency_seconds, fault_rate = args.latency_ms / 1000, float(args.fault_rate)
    rates = [
        time_run(args.num_pairs, args.batch_size, latency_seconds, fault_rate, args.folder, seed)
        for seed in range(args.num_runs)
    ]
    ideal = args.batch_size / latency_seconds * (1 - fault_rate)
    median = statistics.median(rates)
    say(
        f"median {median:.0f}/s of {len(rates)} runs ({min(rates):.0f} to {max(rates):.0f}), ideal {ideal:.0f}/s: "
        f"{median / ideal:.0%}"
    )


if __name__ == "__main__":
    run(main)
