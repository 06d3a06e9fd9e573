"""The driver of many workers: chunks go out as workers get free, come back in any order and are written in order.

Nothing here knows what a worker is: a `Pool` starts them, hands them chunks and tells what has happened. A worker that
is lost takes nothing with it: its chunks go to the others first, and another worker is started in its place. How many
chunks are under way or held back is bounded, whatever the speed of the workers.
"""

import heapq
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from tqdm import tqdm

from cluster.worker_pool import CHUNKS_PER_WORKER, Done, Event, Lost, Placed, Pool, Ready, Task
from records.record import Record
from scoring.score_journal import ScoreJournal
from shared.cli import UserError, new_bar
from shared.texts import escaped

# Chunks that are under way or held back: the others may run ahead of the slowest by so many.
HELD_PER_WORKER = 8
# So many workers in a row that die on the same chunk, or while they load the model, do not die by chance.
MOST_LOSSES = 5
POLL_SECONDS = 1.0
# How long a run without any worker waits silently, and how long at all.
SILENT_SECONDS = 10.0
PATIENCE_SECONDS = 300.0


@dataclass
class Worker:
    """What the driver knows of a worker. Times are those of time.perf_counter()."""

    number: int
    name: str = "not placed yet"
    ready_at: float | None = None
    lost_at: float | None = None
    load_seconds: float = 0.0
    busy_seconds: float = 0.0
    num_records: int = 0
    tasks: list[Task] = field(default_factory=list)


class ChunkDriver:
    """Scores what a journal does not have yet on the workers of a pool. `workers` are all that there were."""

    def __init__(self, journal: ScoreJournal, records: Iterable[Record], pool: Pool, num_workers: int) -> None:
        self.workers: list[Worker] = []
        self.num_redone = 0
        self._journal = journal
        self._pool = pool
        self._per_chunk = journal.meta["records_per_window"]
        self._rest = islice(records, journal.num_done, None)
        self._to_read = self._to_write = journal.num_done // self._per_chunk
        self._num_chunks = -(-journal.num_records // self._per_chunk)
        self._most_ahead = HELD_PER_WORKER * num_workers
        self._num_workers = num_workers
        self._redo: list[Task] = []  # a heap: the lowest number goes out first
        self._scored: dict[int, tuple[bytes, int]] = {}  # lines, and how many, of chunks that came early
        self._losses: Counter[int] = Counter()  # by chunk; -1 stands for loading
        self._waiting_since: float | None = None
        self._has_said = False

    def run(self) -> None:
        """Score and write all chunks that are left. Raises UserError when the workers cannot."""
        with new_bar(self._journal.num_records, self._journal.num_done) as bar:
            for _ in range(self._num_workers):
                self._start_worker()
            while self._to_write < self._num_chunks:
                self._hand_out()
                self._check_places()
                for event in self._pool.wait(POLL_SECONDS):
                    self._handle(event, bar)
                self._write()

    def _start_worker(self) -> None:
        self.workers.append(Worker(len(self.workers)))
        self._pool.start(self.workers[-1].number)

    def _hand_out(self) -> None:
        """Give every idle worker a chunk, then every other one its next."""
        ready = [worker for worker in self.workers if worker.ready_at is not None and worker.lost_at is None]
        for num_tasks in range(CHUNKS_PER_WORKER):
            for worker in ready:
                # At the end no worker gets a second chunk that another might begin sooner.
                if len(worker.tasks) != num_tasks or (num_tasks and self._num_left() < len(ready)):
                    continue
                task = self._next_task()
                if task is None:
                    return
                worker.tasks.append(task)
                self._pool.hand_out(worker.number, task)

    def _num_left(self) -> int:
        return len(self._redo) + self._num_chunks - self._to_read

    def _next_task(self) -> Task | None:
        if self._redo:
            return heapq.heappop(self._redo)
        if self._to_read == min(self._num_chunks, self._to_write + self._most_ahead):
            return None
        start = self._journal.meta["start_idx"] + self._to_read * self._per_chunk
        task = Task(self._to_read, start, list(islice(self._rest, self._per_chunk)))
        self._to_read += 1
        return task

    def _check_places(self) -> None:
        """Say so when no worker has a place to run, and give up in the end: the cluster may never have one."""
        if any(worker.name != Worker.name and worker.lost_at is None for worker in self.workers):
            self._waiting_since, self._has_said = None, False
            return
        now = time.perf_counter()
        if self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > SILENT_SECONDS and not self._has_said:
            log("no worker has a place in the cluster: others use it, or its nodes are lost; waiting for one")
            self._has_said = True
        elif now - self._waiting_since > PATIENCE_SECONDS:
            raise UserError(
                f"no worker has found a place in the cluster for {PATIENCE_SECONDS:.0f} s: its nodes are lost, "
                f"or others use them; {self._journal.progress()}"
            )

    def _handle(self, event: Event, bar: tqdm) -> None:
        worker = self.workers[event.worker]
        if worker.lost_at is not None:
            return
        match event:
            case Placed():
                worker.name = event.name
            case Ready():
                worker.ready_at, worker.load_seconds = time.perf_counter(), event.load_seconds
                self._losses[-1] = 0
                if event.warnings:
                    log(f"worker {worker.number} ({worker.name}): {event.warnings}")
            case Done():
                task = next(task for task in worker.tasks if task.number == event.number)
                worker.tasks.remove(task)
                worker.busy_seconds = event.busy_seconds
                worker.num_records += len(task.records)
                self._scored[task.number] = event.lines, len(task.records)
                bar.update(len(task.records))
            case Lost():
                self._lose(worker, event.reason)

    def _lose(self, worker: Worker, reason: str) -> None:
        worker.lost_at = time.perf_counter()
        tasks, worker.tasks = worker.tasks, []
        redone = f"scoring again {', '.join(map(str, tasks))}" if tasks else "it had no chunk"
        log(f"worker {worker.number} ({worker.name}) is lost: {reason}; {redone}; another worker is started")
        self.num_redone += len(tasks)
        for task in tasks:
            heapq.heappush(self._redo, task)
        if tasks or worker.ready_at is None:
            self._blame(tasks[0] if tasks else None, reason)
        self._start_worker()

    def _blame(self, task: Task | None, reason: str) -> None:
        """Count what a lost worker was at: its first chunk, or loading the model.

        Raises UserError when it is no chance.
        """
        number = -1 if task is None else task.number
        self._losses[number] += 1
        if self._losses[number] == MOST_LOSSES:
            what = "while they started and loaded the model" if task is None else f"on {task}"
            raise UserError(
                f"{MOST_LOSSES} workers have died {what}, the last by: {reason}; is there too little memory? "
                f"{self._journal.progress()}"
            )

    def _write(self) -> None:
        while self._to_write in self._scored:
            self._journal.append_encoded(*self._scored.pop(self._to_write))
            self._to_write += 1


def log(line: str) -> None:
    """Print a line to stderr, above the bar if there is one."""
    tqdm.write(escaped(line), file=sys.stderr)
