"""Ask the judge everything that the journal does not have: `batch_size` requests in flight, each as soon as there is
room.

An answer counts when it is on the disk; only a quarter of batch_size may wait for the disk beside those in flight. A
failed request gives up its place while it waits for its retry.
"""

import asyncio
import functools
import math
from collections.abc import Callable

from judging.answer_journal import AnswerJournal
from judging.client import JudgeClient
from judging.costs import Budget
from judging.outcomes import REMEDIES, Failure, JudgeAnswer
from judging.report import RunReport
from judging.request_queue import Job, RequestQueue
from judging.requests import JudgeRequest
from judging.retry_policy import RetryLimits, Traffic
from judging.review_assembly import follow_up
from shared.cli import UserError

# Prompts refused in a row, none answered between: then it is not the prompts.
MAX_REFUSED_IN_A_ROW = 5
# The next request need not wait for the disk while at most this part of batch_size does. Requests that all wait for the
# same turn of the disk are sent, and answered, all at once from then on: a third of the rate is lost. A kill can cost
# what is in flight and what waits for the disk.
UNWRITTEN_DIVISOR = 4
# What requests in flight get to end by themselves when the run cannot go on.
GRACE_SECONDS = 1.0


class JudgeRun:
    """One run over the requests that are missing.

    It fills `report`, which is valid at any time, after a failure too.
    """

    def __init__(
        self,
        client: JudgeClient,
        journal: AnswerJournal,
        budget: Budget,
        limits: RetryLimits,
        batch_size: int,
        on_answer: Callable[[], object],
        report: RunReport,
    ) -> None:
        self.client, self.journal, self.budget, self.limits, self.batch_size = (
            client,
            journal,
            budget,
            limits,
            batch_size,
        )
        self.on_answer = on_answer
        self.report = report
        self._traffic = Traffic(limits)
        self._queue = RequestQueue([])
        self._in_flight: set[asyncio.Task[None]] = set()
        self._unwritten: set[asyncio.Future[None]] = set()
        self._wake = asyncio.Event()
        self._error: Exception | None = None
        self._refused_in_a_row = 0

    async def run(self, requests: list[JudgeRequest]) -> None:
        """Ask all of them. Raises UserError when going on makes no sense; the report then says how far it came."""
        self._queue = RequestQueue(requests)
        started = asyncio.get_running_loop().time()
        try:
            while self._error is None and (self._queue or self._in_flight or self._unwritten):
                self._wake.clear()
                seconds = self._start_what_may()
                if self._error is None:
                    await self._sleep(seconds)
            if self._error is not None and self._in_flight:
                await asyncio.wait(self._in_flight, timeout=GRACE_SECONDS)
        finally:
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)
            await self.journal.flush()
            await asyncio.sleep(0)  # a turn for what waits for the journal
            self.report.seconds = asyncio.get_running_loop().time() - started
        if self._error is not None:
            raise self._error

    def _start_what_may(self) -> float:
        """Send what may be sent now and return the seconds after which more may be, infinity for when something
        ends.
        """
        while len(self._in_flight) < self.batch_size:
            job, seconds = self._take(len(self._in_flight))
            if job is None:
                return seconds
            task = asyncio.create_task(self._work(job))
            self._in_flight.add(task)
            task.add_done_callback(self._ended)
        return math.inf

    def _take(self, num_in_flight: int) -> tuple[Job | None, float]:
        """Return the next request to send, or none and the seconds after which there may be one."""
        if self._error is not None:
            return None, math.inf
        now = asyncio.get_running_loop().time()
        job, seconds = self._queue.first(now)
        if job is None:
            return None, seconds
        seconds = self._traffic.wait_seconds(now, num_in_flight)
        if seconds > 0:
            return None, seconds
        if not self.budget.reserve(job.request):
            if num_in_flight == 0:
                self._error = UserError(
                    f"--max_cost {self.budget.max_cost}: up to {self.budget.spent:.4f} USD are spent, and the next "
                    "request could pass the limit: raise it to go on"
                )
            return None, math.inf
        self._queue.pop()
        self._traffic.on_start()
        job.answers_before = self._traffic.num_answers
        return job, 0.0

    async def _work(self, job: Job | None) -> None:
        """Attempt one request after the other, without a turn of the event loop between them, while there is one to
        send.
        """
        while job is not None:
            try:
                await self._attempt(job)
            except Exception as error:  # raised by `run`, which ends the others first
                self._error = self._error or error
            job, _ = self._take(len(self._in_flight) - 1)
            if len(self._in_flight) < self.batch_size:
                self._wake.set()  # places that were closed may be open again

    async def _sleep(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set) if seconds < math.inf else None
        try:
            await self._wake.wait()
        finally:
            if timer:
                timer.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._wake.set()

    async def _attempt(self, job: Job) -> None:
        outcome = await self.client.ask(job.request)
        if isinstance(outcome, Failure):
            self.budget.settle(job.request, None, outcome.charged)
            self._note_failure(job, outcome)
            return
        self.budget.settle(job.request, outcome, charged=True)
        self._traffic.on_answer()
        self._refused_in_a_row = 0
        following = None if job.request.is_follow_up else follow_up(job.request, outcome)
        if following and following.key not in self.journal.answers:
            self.report.num_asked_again += 1
            self._queue.add_first(Job(following))
        else:
            self.on_answer()
        written = self.journal.add(job.request.key, outcome)
        self._unwritten.add(written)
        written.add_done_callback(functools.partial(self._written, outcome))
        if len(self._unwritten) > self.batch_size // UNWRITTEN_DIVISOR:
            await written

    def _written(self, answer: JudgeAnswer, written: "asyncio.Future[None]") -> None:
        self._unwritten.discard(written)
        if not written.cancelled():
            if written.exception() is None:
                self.report.answers.append(answer)
            else:
                self._error = self._error or written.exception()
        if not self._in_flight or self._error:
            self._wake.set()

    def _note_failure(self, job: Job, failure: Failure) -> None:
        if failure.kind == "fatal":
            remedy = REMEDIES.get(failure.status or 0)
            raise UserError(
                f"the judge's server does not answer {job.request.where}: {failure}" + (f"; {remedy}" if remedy else "")
            )
        if failure.kind == "refused":
            self.report.refused.append((job.request, failure))
            self._traffic.on_sign_of_life()
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= MAX_REFUSED_IN_A_ROW:
                raise UserError(
                    f"the judge's server refuses one prompt after the other, last {job.request.where}: {failure}"
                )
            return
        # Where a rate limit lets others pass, this one will have its turn.
        counts = failure.status != 429 or self._traffic.num_answers == job.answers_before
        now = asyncio.get_running_loop().time()
        if self._traffic.on_failure(failure, now, counts):
            raise UserError(
                f"the judge's server has failed {self._traffic.failures_in_a_row} times in a row, last with {failure}"
            )
        job.num_failed += counts
        if job.num_failed > self.limits.max_retries:
            self.report.failed.append((job.request, failure))
            return
        self.report.retries[failure.cause] += 1
        self._queue.add_later(job, now + self.limits.pause(max(job.num_failed, 1)))
