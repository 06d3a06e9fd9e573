"""Requests that wait to be sent: those that may go now, and failed ones whose time comes later."""

import collections
import heapq
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from judging.requests import JudgeRequest


@dataclass
class Job:
    """A request on its way: how often it failed, and how many answers had come when it was last sent."""

    request: JudgeRequest
    num_failed: int = 0
    answers_before: int = 0


class RequestQueue:
    """Jobs in the order in which they are to be sent.

    Those whose time has come go before those that were never sent.
    """

    def __init__(self, requests: Iterable[JudgeRequest]) -> None:
        self._ready = collections.deque(map(Job, requests))
        self._later: list[tuple[float, int, Job]] = []  # a heap: when, a number that breaks ties, what
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._ready or self._later)

    def add_first(self, job: Job) -> None:
        """Add a job that may go before all others."""
        self._ready.appendleft(job)

    def add_later(self, job: Job, when: float) -> None:
        """Add a job that may go at a time, as a number of seconds on the clock that `first` is asked by."""
        heapq.heappush(self._later, (when, next(self._numbers), job))

    def first(self, now: float) -> tuple[Job | None, float]:
        """Return the job that may go now, or none and the seconds until there is one, infinity for not before one is
        added.
        """
        while self._later and self._later[0][0] <= now:
            self._ready.appendleft(heapq.heappop(self._later)[2])
        if self._ready:
            return self._ready[0], 0.0
        return None, self._later[0][0] - now if self._later else math.inf

    def pop(self) -> None:
        """Take out the job that `first` has returned."""
        self._ready.popleft()
