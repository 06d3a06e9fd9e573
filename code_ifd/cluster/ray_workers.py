"""Workers of step 1 as Ray actors: a process with a model each, anywhere in a cluster.

Why actors of Ray Core and not Ray Data, which was tried first (ray 2.60, two nodes, one reader of chunks,
ActorPoolStrategy, preserve_order): a task of Ray Data belongs to the actor that it was given to. When that actor's node
is lost and no other has room, the task waits until an actor has ended. In order, nothing can be written meanwhile: 30
chunks of 40 were held back until all others were scored, and with a bound on what is held (resource_limits) the run
hung for good. Besides, small chunks are joined into one block unless target_max_block_size forbids it, and no hook
tells which of them are being redone.
"""

import contextlib
import io
import os
import platform
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.worker_pool import CHUNKS_PER_WORKER, Done, Event, Lost, Placed, Ready, Task
from models.source import ModelSource, find_model, installed_versions
from records.conversations import needed_part
from records.record import Record
from scoring.chunks import ChunkScorer, load_scorer
from scoring.flags import ScoringSettings
from scoring.score_file import encode_lines
from shared.cli import UserError

if TYPE_CHECKING:
    import ray


class ScoringWorker:
    """One model, in a process of its own. Its methods are called from several threads at once."""

    def __init__(
        self, settings: ScoringSettings, source: ModelSource, versions: dict[str, str], num_threads: int
    ) -> None:
        # Before anything that reads them is imported: a worker keeps to its CPUs.
        os.environ |= {"OMP_NUM_THREADS": str(num_threads), "RAYON_NUM_THREADS": str(num_threads)}
        self._settings, self._source, self._versions, self._num_threads = settings, source, versions, num_threads
        self._encoding, self._counting = threading.Lock(), threading.Lock()
        self._chunks: ChunkScorer | None = None
        self._num_running, self._busy_since, self._busy_seconds = 0, 0.0, 0.0

    def place(self) -> str:
        """Return where this worker runs."""
        import ray

        return f"pid {os.getpid()} on {ray.util.get_node_ip_address()}"

    def load(self) -> tuple[float, str]:
        """Load the model; return the seconds that it took, and what was to be said on stderr.

        Raises UserError when this node has another model, or other software, than the driver.
        """
        started = time.perf_counter()
        heard = io.StringIO()
        with contextlib.redirect_stderr(heard):
            self._check_same()
            import torch

            torch.set_num_threads(self._num_threads)
            self._chunks = load_scorer(self._settings, self._source)
        return time.perf_counter() - started, heard.getvalue().strip()

    def score(self, records: list[Record]) -> tuple[bytes, float]:
        """Return the lines of a chunk, encoded, and the seconds in which this worker has scored so far."""
        from tqdm import tqdm

        with self._counting:
            self._num_running += 1
            if self._num_running == 1:
                self._busy_since = time.perf_counter()
        # The tokenizer is not made for two threads at once. The other one waits for its scores meanwhile.
        with self._encoding:
            assert self._chunks is not None, "load comes before score"
            chunk = self._chunks.submit(records, self._settings.dtype)
        with tqdm(disable=True) as bar:
            lines = encode_lines(chunk.lines(bar))
        with self._counting:
            self._num_running -= 1
            now = time.perf_counter()
            self._busy_seconds, self._busy_since = self._busy_seconds + now - self._busy_since, now
            return lines, self._busy_seconds

    def _check_same(self) -> None:
        node = f"node {platform.node()}"
        versions = installed_versions()
        if versions != self._versions:
            raise UserError(
                f"{node}: has {versions}, and the driver has {self._versions}; install the same on all nodes"
            )
        source = find_model(self._source.name, self._source.revision or "main")
        if source.fingerprint != self._source.fingerprint:
            raise UserError(
                f"--model_name_or_path {self._source.name}: {node} has another one than the driver "
                f"({source.fingerprint}, and {self._source.fingerprint}); "
                "give a folder that all nodes share, or the same copy on each"
            )
        self._source = source  # from here on as this node has it: the Hub, or its own cache


class RayPool:
    """Workers in a Ray cluster that `ray.init` has joined. A `Pool` of `worker_pool`."""

    def __init__(
        self,
        settings: ScoringSettings,
        source: ModelSource,
        versions: dict[str, str],
        cpus_per_worker: int,
        gpus_per_worker: float,
    ) -> None:
        import ray

        # A lost actor is replaced by us, not restarted by Ray: its chunks must not wait for it.
        # Its stub leaves out max_concurrency.
        self._actor_class = ray.remote(  # type: ignore[call-overload]
            num_cpus=cpus_per_worker,
            num_gpus=gpus_per_worker,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            max_concurrency=CHUNKS_PER_WORKER + 1,
        )(ScoringWorker)
        if source.is_local and os.path.isdir(source.name):
            path = os.path.abspath(source.name)  # workers have a current folder of their own
            source = replace(source, name=path, location=path)
        self._of_worker = (settings, source, versions, cpus_per_worker)
        self._fields = settings.fields
        self._actors: dict[int, ray.actor.ActorHandle] = {}
        self._calls: dict[ray.ObjectRef, tuple[str, int, int]] = {}  # what was called, of which worker, for which chunk

    def start(self, worker: int) -> None:
        """Begin to start a worker, as soon as there is room for it."""
        actor = self._actor_class.remote(*self._of_worker)
        self._actors[worker] = actor
        self._calls[actor.place.remote()] = "place", worker, -1
        self._calls[actor.load.remote()] = "load", worker, -1

    def hand_out(self, worker: int, task: Task) -> None:
        """Send a chunk to a worker."""
        records = [needed_part(record, self._fields) for record in task.records]
        self._calls[self.send(worker, records)] = "score", worker, task.number

    def send(self, worker: int, records: list[Record]) -> "ray.ObjectRef":
        """Call a worker's `score`."""
        return self._actors[worker].score.remote(records)

    def wait(self, seconds: float) -> list[Event]:
        """Wait for the first call to end, and return what has happened by then.

        Raises UserError that a worker has raised.
        """
        import ray

        ready, _ = ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = ray.wait(list(self._calls), num_returns=len(self._calls), timeout=0)
        events = []
        for call in ready:
            if call in self._calls:  # not of a worker that another call has just shown to be lost
                events.append(self._event(call))
        return events

    def _event(self, call: "ray.ObjectRef") -> Event:
        import ray

        kind, worker, number = self._calls.pop(call)
        try:
            result = ray.get(call)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            # Whatever has become of it, it must not go on: its chunks are given to others.
            self._calls = {other: entry for other, entry in self._calls.items() if entry[1] != worker}
            ray.kill(self._actors.pop(worker))
            return Lost(worker, describe_loss(error))
        if kind == "place":
            return Placed(worker, result)
        return Ready(worker, *result) if kind == "load" else Done(worker, number, *result)


def describe_loss(error: "ray.exceptions.RayError") -> str:
    """Return what is worth reading of why an actor was lost: Ray adds paragraphs on where to find logs."""
    import ray

    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return "it cannot be reached any more"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
