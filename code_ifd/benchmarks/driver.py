"""How many chunks a second can one driver read, hand out, put in order and write, with hundreds of workers?

The driver is the real one (chunk_driver), and so are its dataset, a JSON lines
file made on the spot, and its score file, each chunk fsynced. The workers are
fake: one sleeps as long as scoring would take, then answers with score lines.
With --pool here they are entries in a table of this process: what is measured
is the driver alone. With --pool ray they live in a few actors of a local Ray,
which sleep for many workers each (hundreds of processes need more memory than
one machine has): then records and lines go through Ray as in a real run.
Prints a row for each time that a chunk may take.

PYTHONPATH=code_ifd python -m benchmarks.driver \\
    --num_workers 256 --chunk_seconds 4 1 0.25
"""

import argparse
import asyncio
import heapq
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cluster.chunk_driver import ChunkDriver
from cluster.ray_cluster import ray_cluster
from cluster.worker_pool import Done, Event, Placed, Pool, Ready, Task
from records.dataset import Dataset, RecordRange
from records.record import Record
from scoring.score_file import META_FORMAT, encode_lines, score_line
from scoring.score_journal import ScoreJournal
from shared.cli import UserError, new_parser, positive_int, run, say

RESPONSE = "The quick brown fox jumps over the lazy dog and finds that nothing much has changed. "


class FakePool:
    """Workers of this process: each does its chunks one after the other, and is done by the clock."""

    def __init__(self, chunk_seconds: float, lines: bytes) -> None:
        self._chunk_seconds, self._lines = chunk_seconds, lines
        self._due: list[tuple[float, int, Event]] = []  # a heap: when, a tie breaker, what
        self._free_at: dict[int, float] = {}
        self._busy: dict[int, float] = {}

    def start(self, worker: int) -> None:
        """Start a worker, which is ready at once."""
        self._free_at[worker] = self._busy[worker] = 0.0
        self._push(0.0, Placed(worker, "here"))
        self._push(0.0, Ready(worker, 0.0))

    def hand_out(self, worker: int, task: Task) -> None:
        """Have a worker be done with a chunk in `chunk_seconds`, counted from the end of the one before."""
        self._free_at[worker] = max(self._free_at[worker], time.perf_counter()) + self._chunk_seconds
        self._busy[worker] += self._chunk_seconds
        self._push(self._free_at[worker], Done(worker, task.number, self._lines, self._busy[worker]))

    def wait(self, seconds: float) -> list[Event]:
        """Sleep until the next worker is done, and return all that are."""
        time.sleep(max(min(self._due[0][0] - time.perf_counter(), seconds), 0))
        events = []
        while self._due and self._due[0][0] <= time.perf_counter():
            events.append(heapq.heappop(self._due)[2])
        return events

    def _push(self, when: float, event: Event) -> None:
        heapq.heappush(self._due, (when, len(self._due) + time.perf_counter_ns(), event))


class Sleepers:
    """An actor that stands for many workers. Each does its chunks one after the other."""

    def __init__(self, chunk_seconds: float, lines: bytes) -> None:
        self._chunk_seconds, self._lines = chunk_seconds, lines
        self._locks: dict[int, asyncio.Lock] = {}
        self._busy: dict[int, float] = {}

    async def score(self, worker: int, records: list[Record]) -> tuple[bytes, float]:
        """Sleep, and return the lines of a chunk and the seconds slept so far."""
        async with self._locks.setdefault(worker, asyncio.Lock()):
            await asyncio.sleep(self._chunk_seconds)
        self._busy[worker] = self._busy.get(worker, 0.0) + self._chunk_seconds
        return self._lines, self._busy[worker]


@contextmanager
def sleepers_pool(num_actors: int, chunk_seconds: float, lines: bytes) -> Iterator[Pool]:
    """Yield a pool whose workers are shared out among a few actors of a local Ray."""
    with ray_cluster(None):
        import ray

        from cluster.ray_workers import RayPool

        class SleepersPool(RayPool):
            """The pool of a real run, but for its workers."""

            def __init__(self) -> None:
                # Its stub leaves out max_concurrency.
                actor_class = ray.remote(num_cpus=0, max_concurrency=10_000)(Sleepers)  # type: ignore[call-overload]
                self._shared = [actor_class.remote(chunk_seconds, lines) for _ in range(num_actors)]
                self._calls, self._actors, self._keys = {}, {}, {"instruction", "input", "output"}
                self._started: list[Event] = []

            def start(self, worker: int) -> None:
                """Let an actor stand for one more worker."""
                self._actors[worker] = self._shared[worker % num_actors]
                self._started += [Placed(worker, "ray"), Ready(worker, 0.0)]

            def send(self, worker: int, records: list[Record]) -> "ray.ObjectRef":
                """Call the actor in the name of one worker."""
                return self._actors[worker].score.remote(worker, records)

            def wait(self, seconds: float) -> list[Event]:
                """Return what has happened; first of all, that everyone is ready."""
                started, self._started = self._started, []
                return started or super().wait(seconds)

        yield SleepersPool()


def write_records(path: Path, num_records: int, num_bytes: int) -> None:
    """Write records of about `num_bytes` each."""
    text = RESPONSE * max((num_bytes - 90) // len(RESPONSE), 1)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(num_records):
            file.write(
                json.dumps({"instruction": f"Write number {number} in words.", "input": "", "output": text}) + "\n"
            )


def fake_lines(num_lines: int) -> bytes:
    """Return score lines of the usual length."""
    return encode_lines([score_line(1.2345678901234567 + number / 1e6, 1.1, 100, 100) for number in range(num_lines)])


@dataclass(frozen=True)
class Load:
    """What the driver has to do: for how many workers, in chunks of how many records of which size, for how long."""

    num_workers: int
    records_per_chunk: int
    record_bytes: int
    seconds: float


def run_driver(load: Load, folder: Path, chunk_seconds: float, num_actors: int | None) -> dict[str, float]:
    """Run the driver for about `load.seconds`; return chunks a second, asked for and done, and what the driver needed.

    The workers are in this process, or share `num_actors` actors of Ray.
    """
    wanted = load.num_workers / chunk_seconds
    num_chunks = int(max(wanted * load.seconds, 3 * load.num_workers))
    num_records = num_chunks * load.records_per_chunk
    data_path, save_path = folder / "data.jsonl", folder / "scores.jsonl"
    write_records(data_path, num_records, load.record_bytes)
    meta = {
        "format": META_FORMAT,
        "start_idx": 0,
        "end_idx": num_records,
        "records_per_window": load.records_per_chunk,
    }
    records = RecordRange(Dataset(str(data_path)), 0, num_records)
    lines = fake_lines(load.records_per_chunk)
    if num_actors is None:
        pool: AbstractContextManager[Pool] = nullcontext(FakePool(chunk_seconds, lines))
    else:
        pool = sleepers_pool(num_actors, chunk_seconds, lines)
    with ScoreJournal(str(save_path), meta) as journal, pool as workers:
        driver = ChunkDriver(journal, records, workers, load.num_workers)
        started, cpu = time.perf_counter(), time.process_time()
        driver.run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if os.path.getsize(save_path) != num_chunks * len(lines):
        raise UserError(f"{save_path}: {os.path.getsize(save_path)} bytes are not {num_chunks} chunks of {len(lines)}")
    save_path.unlink()
    Path(f"{save_path}.meta.json").unlink()
    return {
        "chunk_seconds": chunk_seconds,
        "wanted": wanted,
        "chunks_per_second": num_chunks / seconds,
        "efficiency": num_chunks * chunk_seconds / load.num_workers / seconds,
        "cpu_ms_per_chunk": cpu / num_chunks * 1e3,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--num_workers", type=positive_int, default=256, help="fake workers (default: %(default)s)")
    parser.add_argument(
        "--chunk_seconds",
        type=float,
        nargs="+",
        default=[4.0, 1.0, 0.25],
        help="seconds that a chunk takes a worker (default: 4 1 0.25)",
    )
    parser.add_argument(
        "--records_per_chunk", type=positive_int, default=128, help="as in step 1 (default: %(default)s)"
    )
    parser.add_argument(
        "--record_bytes",
        type=positive_int,
        default=860,
        help="bytes of a record (default: %(default)s, as in Alpaca-like data)",
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="seconds that each row should take (default: %(default)s)"
    )
    parser.add_argument(
        "--pool", choices=("here", "ray"), default="here", help="where the workers are (default: %(default)s)"
    )
    parser.add_argument(
        "--num_actors",
        type=positive_int,
        default=4,
        help="processes that the workers share with --pool ray (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    load = Load(args.num_workers, args.records_per_chunk, args.record_bytes, args.seconds)
    say(
        f"{args.num_workers} workers, {args.records_per_chunk} records a chunk, {args.record_bytes} bytes a record, "
        f"--pool {args.pool}\n"
    )
    say(
        "| seconds a chunk | chunks/s asked for | chunks/s | records/s | workers busy "
        "| driver, ms of CPU a chunk | peak memory |"
    )
    say("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench_", dir=".") as folder:
        for chunk_seconds in args.chunk_seconds:
            row = run_driver(load, Path(folder), chunk_seconds, None if args.pool == "here" else args.num_actors)
            say(
                f"| {chunk_seconds:g} | {row['wanted']:.0f} | {row['chunks_per_second']:.0f} | "
                f"{row['chunks_per_second'] * args.records_per_chunk:.0f} | {row['efficiency']:.0%} | "
                f"{row['cpu_ms_per_chunk']:.2f} | {row['peak_bytes'] / 1e6:.0f} MB |"
            )


if __name__ == "__main__":
    run(main)
