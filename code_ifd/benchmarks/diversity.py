"""Facility location beside submodlib-py 0.0.3: seconds, memory, objective, and how many picks are the same.

Embeds the records of a dataset. For more points than records, copies follow
with noise of --noise times their own length, scaled to length 1. Each
measurement is a process of its own, which gets the points as a file; the
contenders take turns, and medians are shown. Seconds are those from points to
picks, without imports. submodlib holds all n x n similarities as float64 and
then as float32, so it joins only up to --max_submodlib points; it needs
`pip install submodlib-py==0.0.3` (x86-64, Python 3.11). Other picks with the
same objective are ties: of two that are worth the same, we take the earlier,
submodlib the later; the same texts, and a record with its only copy, are such.
Prints a table; the last line is one JSON object.

PYTHONPATH=code_ifd python -m benchmarks.diversity \\
    --json_data_path my_data.json \\
    --sizes 2000/200 50000/5000
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diversity.candidates import embedded_text
from diversity.embedding_cache import EmbeddingSettings, embeddings_of
from diversity.flags import add_embedding_flags
from models.pip_models import MINILM
from records.dataset import Dataset
from shared.cli import UserError, missing_package, new_parser, positive_int, run, say

CONTENDERS = ("ours", "submodlib")


def size(text: str) -> tuple[int, int]:
    """Parse `2000/200`: points, and how many are chosen; argparse reports the rest."""
    points, _, picks = text.partition("/")
    found = positive_int(points), positive_int(picks)
    if found[1] > found[0]:
        raise argparse.ArgumentTypeError(f"{text!r} chooses more points than there are")
    return found


def make_points(real: np.ndarray, num_points: int, noise: float) -> np.ndarray:
    """Return the embeddings, and after them copies with noise, (num_points, dimension) of float32."""
    copies = np.resize(real, (num_points, real.shape[1])).astype(np.float64)
    generator = np.random.default_rng(0)
    copies[len(real) :] += noise / np.sqrt(real.shape[1]) * generator.normal(size=copies[len(real) :].shape)
    return (copies / np.linalg.norm(copies, axis=1, keepdims=True)).astype(np.float32)


def choose(contender: str, points: np.ndarray, num: int) -> list[int]:
    """Return a contender's picks, in order."""
    if contender == "ours":
        from diversity.facility_location import choose_points

        return choose_points(points, num).indices.tolist()
    from submodlib import FacilityLocationFunction

    function = FacilityLocationFunction(n=len(points), mode="dense", data=points, metric="euclidean")
    return [
        pick
        for pick, _ in function.maximize(
            budget=num, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
        )
    ]


def work(contender: str, points_path: str, num: int, result_path: str) -> None:
    """Measure one contender in this process, and write what was measured."""
    points = np.load(points_path)
    choose(contender, points[:8], 2)  # imports
    started, cpu = time.perf_counter(), time.process_time()
    picks = choose(contender, points, num)
    result = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "picks": picks,
    }
    Path(result_path).write_text(json.dumps(result))


def measure_contender(contender: str, points_path: Path, num: int) -> dict[str, Any]:
    """Return what a process of its own measured. Raises UserError when it fails."""
    result = points_path.with_name("result.json")
    command = [
        sys.executable,
        "-m",
        "benchmarks.diversity",
        "--work",
        contender,
        str(points_path),
        str(num),
        str(result),
    ]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise UserError(f"{contender} failed for {num} picks; its message is above")
    return json.loads(result.read_text())


def compare_contenders(
    points: np.ndarray, num: int, contenders: list[str], num_rounds: int, folder: Path
) -> dict[str, dict[str, Any]]:
    """Return the medians of each contender, the objective of its picks, and how many of them are ours."""
    from diversity.coverage import coverage

    np.save(folder / "points.npy", points)
    rounds = [
        {name: measure_contender(name, folder / "points.npy", num) for name in contenders} for _ in range(num_rounds)
    ]
    found = {}
    for name in contenders:
        picks, ours = rounds[0][name]["picks"], rounds[0]["ours"]["picks"]
        found[name] = {
            key: statistics.median(each[name][key] for each in rounds)
            for key in ("seconds", "cpu_seconds", "peak_bytes")
        } | {
            "objective": coverage(points, np.array(picks)).share * len(points),
            "same_order": sum(map(int.__eq__, picks, ours)) / num,
            "same_set": len({*picks} & {*ours}) / num,
        }
    return found


def row(title: str, name: str, found: dict[str, Any]) -> str:
    """Return a row of the table."""
    return (
        f"| {title} | {name} | {found['seconds']:.1f} | {found['cpu_seconds']:.1f} | "
        f"{found['peak_bytes'] / 1e9:.2f} GB | {found['objective']:.6f} | {found['same_order']:.1%} | "
        f"{found['same_set']:.1%} |"
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help="records to embed")
    parser.add_argument(
        "--sizes",
        type=size,
        nargs="+",
        default=[(2000, 200), (5000, 500)],
        metavar="POINTS/PICKS",
        help="default: 2000/200 5000/500",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.7,
        help="noise of the copies, as a share of their length (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=positive_int, default=3, help="measurements of each contender (default: %(default)s)"
    )
    parser.add_argument(
        "--max_submodlib", type=int, default=20_000, help="submodlib joins up to so many points (default: %(default)s)"
    )
    add_embedding_flags(parser.add_argument_group("the embeddings"))
    parser.set_defaults(emb_model=MINILM.name)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one contender where --work says so; else measure all, and print the table."""
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
        return
    args = parse_args(argv)
    has_submodlib = importlib.util.find_spec("submodlib") is not None
    if any(num_points <= args.max_submodlib for num_points, _ in args.sizes) and not has_submodlib:
        raise missing_package("submodlib-py==0.0.3", "this comparison")
    path = args.json_data_path
    settings = EmbeddingSettings(
        args.emb_model, args.revision, args.max_length, args.batch_size, args.device, args.trust_remote_code
    )
    texts = [embedded_text(record, args.emb_type, args.prompt, args.fields) for record in Dataset(path).records()]
    real = embeddings_of(texts, settings, path, path).vectors
    say(
        "| points / picks | | seconds | processor seconds | peak memory | objective "
        "| same picks in order | same picks |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    everything = {}
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        for num_points, num in args.sizes:
            contenders = list(CONTENDERS) if num_points <= args.max_submodlib else ["ours"]
            found = compare_contenders(
                make_points(real, num_points, args.noise), num, contenders, args.rounds, Path(folder)
            )
            for name, of_contender in found.items():
                say(row(f"{num_points:,} / {num:,}", name, of_contender))
            everything[f"{num_points}/{num}"] = found
    say("\n" + json.dumps(everything))


if __name__ == "__main__":
    run(main)
