"""How fast is step 1 on a graphics card, and how near to the card's limit?

Makes everything on the spot: records with Alpaca's lengths, GPT-2's shape with
random weights, a tokenizer. Measures the card's rate of matrix products, the
published method one record at a time (some records; the time of all is
extrapolated), and this tool in each dtype, all but reading the dataset and
loading the model. Whoever takes longer than --max_seconds is stopped after the
chunk, and the rest is extrapolated. The last line is one JSON object.

PYTHONPATH=code_ifd python -m benchmarks.gpu --device cuda
"""

import argparse
import gc
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
import transformers
from tqdm import tqdm

from benchmarks.contenders import BenchTask, Losses, Reference
from benchmarks.made_up import save_gpt2, write_like_alpaca
from benchmarks.scoring import count_work
from models.causal_lm import DTYPES, choose_device, load_batch_models
from models.source import find_model
from records.record import Record
from scoring.chunks import Chunk, ChunkScorer
from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch
from shared.cli import new_parser, positive_int, run, say

MATRIX_SIZE = {"cuda": 8192}  # of the products that give a device's rate
SMALL_MATRIX_SIZE = 1024


@dataclass(frozen=True)
class Measured:
    """What a contender took. `num_records` were scored in `seconds`; peak memory is the device's, in bytes."""

    name: str
    num_records: int
    seconds: float
    peak_bytes: int
    losses: Losses = field(repr=False)


@dataclass(frozen=True)
class Row:
    """A contender's figures; those of all records are extrapolated where not all were scored."""

    name: str
    num_records: int
    seconds_for_all: float
    records_per_second: float
    tokens_per_second: float
    teraflops: float
    share_of_matrix_rate: float
    peak_bytes: int
    max_loss_difference: float


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return the floating-point operations per second of large matrix products: the best of some rounds."""
    size = MATRIX_SIZE.get(device.type, SMALL_MATRIX_SIZE)
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(6):
        wait_for(device)
        started = time.perf_counter()
        for _ in range(4):
            torch.mm(one, other)
        wait_for(device)
        best = max(best, 4 * 2 * size**3 / (time.perf_counter() - started))
    return best


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def forget_peak(device: torch.device) -> None:
    """Free what earlier contenders have left, and begin to look for the peak of memory anew."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """Return the most memory held on a GPU since `forget_peak`, or by this process since its start."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure_reference(task: BenchTask, device: torch.device, max_seconds: float) -> Measured:
    """Score one record at a time as the published method does."""
    forget_peak(device)
    reference = Reference(task, device)
    exchanges = task.exchanges()
    reference.losses(exchanges[0])  # the first products of a device take long
    losses, started = [], time.perf_counter()
    num_records = 0
    for number, exchange in enumerate(exchanges):
        found = reference.losses(exchange)
        losses += [] if found is None else [(number, *found)]
        num_records += 1
        if time.perf_counter() - started > max_seconds:
            break
    return Measured("reference", num_records, time.perf_counter() - started, peak_bytes(device), losses)


def measure_ours(task: BenchTask, dtype: str, device: torch.device, per_chunk: int, max_seconds: float) -> Measured:
    """Score in chunks as step 1 does, each encoded while the one before is scored."""
    forget_peak(device)
    models, tokenizer = load_batch_models(find_model(task.folder), dtype, device, task.max_length)
    losses: Losses = []
    with Scorer(models, default_tokens_per_batch(device), default_num_workers(models)) as scorer:
        chunks = ChunkScorer(scorer, tokenizer, "none", task.max_length, per_chunk)
        finish(chunks.submit(task.records[:per_chunk], dtype), 0)
        started = time.perf_counter()
        parts = [(start, task.records[start : start + per_chunk]) for start in range(0, len(task.records), per_chunk)]
        num_records, following = 0, chunks.submit(parts[0][1], dtype)
        for number, (start, part) in enumerate(parts):
            running = following
            is_last = number + 1 == len(parts) or time.perf_counter() - started > max_seconds
            if not is_last:
                following = chunks.submit(parts[number + 1][1], dtype)
            losses += finish(running, start)
            num_records += len(part)
            if is_last:
                break
        seconds = time.perf_counter() - started
    return Measured(dtype, num_records, seconds, peak_bytes(device), losses)


def finish(chunk: Chunk, start: int) -> Losses:
    """Wait for a chunk, and return the losses of its records, the first of which is number `start`."""
    with tqdm(disable=True) as bar:
        lines = chunk.lines(bar)
    return [(start + number, line["loss"][1], line["loss"][3]) for number, line in enumerate(lines) if "loss" in line]


def summarize(measured: Measured, task: BenchTask, rate: float, reference: Losses) -> Row:
    """Return a contender's figures."""
    work = count_work(replace(task, records=task.records[: measured.num_records]))
    theirs = {number: losses for number, *losses in reference}
    differences = [
        abs(one - other)
        for number, *losses in measured.losses
        for one, other in zip(losses, theirs.get(number, losses), strict=True)
    ]
    return Row(
        measured.name,
        measured.num_records,
        measured.seconds * len(task.records) / measured.num_records,
        measured.num_records / measured.seconds,
        work["tokens"] / measured.seconds,
        work["operations"] / measured.seconds / 1e12,
        work["operations"] / measured.seconds / rate,
        measured.peak_bytes,
        max(differences, default=0.0),
    )


def format_table(rows: list[Row], num_records: int) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| | records scored | seconds for all | records/s | tokens/s | TFLOP/s | of the matrix rate | peak memory | "
        "largest difference of a loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        note = "" if row.num_records == num_records else " (extrapolated)"
        lines.append(
            f"| {row.name} | {row.num_records:,} | {row.seconds_for_all:.1f}{note} | {row.records_per_second:.1f} | "
            f"{row.tokens_per_second:.0f} | {row.teraflops:.2f} | {row.share_of_matrix_rate:.0%} | "
            f"{row.peak_bytes / 1e9:.2f} GB | {row.max_loss_difference:.1e} |"
        )
    return "\n".join(lines)


def device_name(device: torch.device) -> str:
    """Return what a device is called."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} {platform.machine()}"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--device", choices=("auto", "cuda", "mps", "cpu"), default="auto", help="where to run (default: %(default)s)"
    )
    parser.add_argument(
        "--num_records", type=positive_int, default=52002, help="records to make (default: %(default)s, as Alpaca has)"
    )
    parser.add_argument(
        "--num_reference",
        type=positive_int,
        default=1000,
        help="records to score one at a time, at most (default: %(default)s)",
    )
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=("float32", "bfloat16"),
        default=["float32", "bfloat16"],
        metavar="DTYPE",
        help="ours, of float32, bfloat16 (default: both)",
    )
    parser.add_argument(
        "--records_per_chunk", type=positive_int, default=1024, help="as in step 1 (default: %(default)s)"
    )
    parser.add_argument(
        "--max_seconds",
        type=positive_int,
        default=90,
        help="seconds after which a contender is stopped, and its time for all is extrapolated (default: %(default)s)",
    )
    parser.add_argument("--tiny", action="store_true", help="a model of two small layers, to try the script")
    return parser.parse_args(argv)


def measure(args: argparse.Namespace, records: list[Record], folder: str, device: torch.device) -> list[Row]:
    """Return the figures of the reference, then of ours in each dtype."""
    task = BenchTask(folder, folder, records, 1024, 0, 1.0)
    rates = {dtype: matrix_rate(DTYPES[dtype], device) for dtype in {"float32", *args.dtypes}}
    found = [measure_reference(replace(task, records=records[: args.num_reference]), device, args.max_seconds)]
    for dtype in args.dtypes:
        print(f"scoring in {dtype}", file=sys.stderr)
        found.append(measure_ours(task, dtype, device, args.records_per_chunk, args.max_seconds))
    return [
        summarize(one, task, rates["float32" if one.name == "reference" else one.name], found[0].losses)
        for one in found
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    device = choose_device(args.device)
    os.environ["HF_HUB_OFFLINE"] = "1"
    records = write_like_alpaca(args.num_records)
    with tempfile.TemporaryDirectory(prefix="bench_gpu_") as folder:
        save_gpt2(Path(folder), records, args.tiny)
        rows = measure(args, records, folder, device)
    shape = "a tiny GPT-2" if args.tiny else "GPT-2's shape"
    say(
        f"{shape} with random weights, {len(records):,} records, {device_name(device)}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}\n\n{format_table(rows, len(records))}\n"
    )
    say(
        json.dumps(
            {
                "device": device_name(device),
                "num_records": len(records),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "contenders": {row.name: asdict(row) for row in rows},
            }
        )
    )


if __name__ == "__main__":
    run(main)
