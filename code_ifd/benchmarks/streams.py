"""How fast steps 2 and 3 stream, and whether their memory stays flat as the dataset grows.

Makes a dataset of synthetic records and its score file in a temporary folder,
runs both steps on them, and beside them, on the same file, `cat` to /dev/null
and a loop that does nothing but parse each line. Prints a table; the last line
is one JSON object.

PYTHONPATH=code_ifd python -m benchmarks.streams --sizes 50000 5000000
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scoring.score_file import encode_lines, score_line
from shared.cli import UserError, new_parser, positive_int, run, say
from shared.files import encode_json

STEPS = ("step 2", "step 3")
SCRIPTS = Path(__file__).parents[1]
PARSE_LOOP = "import json, sys\nfor line in open(sys.argv[1], encoding='utf-8'):\n    json.loads(line)\n"
WORDS = [
    "the",
    "a",
    "red",
    "river",
    "house",
    "bright",
    "quick",
    "under",
    "over",
    "year",
    "people",
    "water",
    "light",
    "number",
    "of",
    "in",
    "to",
    "and",
    "is",
    "was",
]


@dataclass(frozen=True)
class Measurement:
    """One process over one file."""

    seconds: float
    peak_bytes: int
    num_bytes: int
    processor_seconds: float

    def row(self, name: str) -> str:
        """Return a row of the table."""
        # What is only compared with is too small: its peak would be that of this process, before it became cat.
        peak = f"{self.peak_bytes / 1e6:.0f}" if name in STEPS else ""
        return f"| {name} | {self.seconds:.2f} | {self.num_bytes / self.seconds / 1e6:.0f} | {peak} |"


def write_synthetic(num_records: int, data_path: Path, score_path: Path) -> None:
    """Write records of 20 to 120 words and their score lines, as the original tool wrote them (without a meta file)."""
    generator = random.Random(0)
    with open(data_path, "wb") as data, open(score_path, "wb") as scores:
        for index in range(num_records):
            text = " ".join(generator.choices(WORDS, k=generator.randint(20, 120)))
            data.write(
                encode_json({"id": index, "instruction": f"Question {index}", "input": "", "output": text}) + b"\n"
            )
            direct = generator.uniform(2, 4)
            scores.write(encode_lines([score_line(direct, max(direct - generator.gauss(0.5, 0.4), 0.0), 50, 50)]))


def measure_command(command: list[str], path: Path) -> Measurement:
    """Run a command that reads the file at `path` and return what it took. Raises UserError when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # wait4 alone tells the memory of this one child.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{command[1]} failed with exit code {process.returncode}; its message is above")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measurement(time.perf_counter() - started, peak, path.stat().st_size, usage.ru_utime + usage.ru_stime)


def measure_all(num_records: int, folder: Path) -> dict[str, Measurement]:
    """Return the measurements of both steps and of what they are compared with, on a dataset of this size."""
    data, scores, scored, selected = (
        folder / name for name in ("data.jsonl", "scores.jsonl", "scored.jsonl", "selected.jsonl")
    )
    write_synthetic(num_records, data, scores)
    step2: list[str | Path] = [
        "put_analysis_to_data.py",
        "--pt_data_path",
        scores,
        "--json_data_path",
        data,
        "--json_save_path",
        scored,
    ]
    step3: list[str | Path] = ["select_data.py", "--json_data_path", scored, "--json_save_path", selected]
    found = {"step 2": measure_command(_python(step2), data), "step 3": measure_command(_python(step3), scored)}
    for name, path in (("step 2", data), ("step 3", scored)):
        found[f"{name}'s input: cat"] = measure_command(["cat", str(path)], path)
        found[f"{name}'s input: json.loads"] = measure_command([sys.executable, "-c", PARSE_LOOP, str(path)], path)
    return found


def _python(command: list[str | Path]) -> list[str]:
    return [sys.executable, str(SCRIPTS / command[0]), *map(str, command[1:])]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--sizes",
        type=positive_int,
        nargs="+",
        default=[50_000, 500_000],
        help="numbers of records (default: 50000 500000)",
    )
    parser.add_argument("--folder", help="where the temporary files go, about 1.3 kB a record (default: the system's)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    everything = {}
    for size in args.sizes:
        with tempfile.TemporaryDirectory(prefix="bench_", dir=args.folder) as folder:
            found = measure_all(size, Path(folder))
        say(f"\n{size:,} records\n\n| | seconds | MB/s | peak MB |\n|---|---|---|---|")
        for name, measurement in found.items():
            say(measurement.row(name))
        everything[size] = {name: asdict(measurement) for name, measurement in found.items()}
    say("\n" + json.dumps(everything))


if __name__ == "__main__":
    run(main)
