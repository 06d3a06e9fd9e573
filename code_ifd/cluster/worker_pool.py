"""Chunks, the workers that score them, and what they report. What a worker is, is the business of each `Pool`."""

from dataclasses import dataclass, field
from typing import Protocol

from records.record import Record

# A worker encodes its next chunk while it scores one.
CHUNKS_PER_WORKER = 2


@dataclass(frozen=True, order=True)
class Task:
    """A chunk to score: its number in the run and its records, of which the first is record `start` of the dataset."""

    number: int
    start: int
    records: list[Record] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"chunk {self.number} (records {self.start} to {self.start + len(self.records) - 1})"


@dataclass(frozen=True)
class Placed:
    """A worker has begun to run; `name` says where."""

    worker: int
    name: str


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model; `warnings` is what it would have said on stderr."""

    worker: int
    load_seconds: float
    warnings: str = ""


@dataclass(frozen=True)
class Done:
    """A worker has scored a chunk. `busy_seconds` is how long it has scored since it was ready, all chunks together."""

    worker: int
    number: int
    lines: bytes
    busy_seconds: float


@dataclass(frozen=True)
class Lost:
    """A worker has died, or cannot be reached any more."""

    worker: int
    reason: str


Event = Placed | Ready | Done | Lost


class Pool(Protocol):
    """Workers, by number."""

    def start(self, worker: int) -> None:
        """Begin to start a worker, which is Placed and then Ready, or Lost."""

    def hand_out(self, worker: int, task: Task) -> None:
        """Give a ready worker a chunk, to be begun after those that it has."""

    def wait(self, seconds: float) -> list[Event]:
        """Wait until something has happened, or for `seconds`, and return it.

        Raises UserError that a worker has raised.
        """
