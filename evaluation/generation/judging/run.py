"""Ask the judge all that the journal does not have, `batch_size` requests at a time.

An answer counts when it is on the disk; only a quarter of batch_size may wait for the disk beside those in flight. A
failed request gives up its place while it waits for its retry. Retries are ours and the openai package's are off: it
knows one request, not the pause that a server asks of all, a server that is gone, or a limit of cost.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import replace

from judging.answer_journal import AnswerJournal, Charge, charge_entry
from judging.client import JudgeClient
from judging.costs import Budget, most_tokens
from judging.early_end import Before, CutWatch
from judging.outcomes import Failure, JudgeAnswer
from judging.report import RunReport, Unanswered
from judging.requests import JudgeRequest
from judging.retry_policy import RetryLimits, Traffic
from judging.review_assembly import follow_up
from judging.server_errors import IF_NO_SYSTEM_ROLE, SYSTEM_ROLE, remedy_for
from records.journal import Entry
from shared.cli import UserError, tell

# Prompts refused in a row, none answered between: then it is not the prompts.
MAX_REFUSED_IN_A_ROW = 5
# The next request need not wait for the disk while at most this part of batch_size does. Requests that all wait for the
# same turn of the disk are sent, and answered, all at once from then on: a third of the rate is lost. A kill can cost
# what is in flight and what waits for the disk.
UNWRITTEN_DIVISOR = 4
# What requests in flight get to end by themselves when the run cannot go on.
GRACE_SECONDS = 1.0


# A shorter pause needs no word.
LEAST_PAUSE_SAID = 5.0


class JudgeRun:
    """One run over the requests that are missing. It fills `report`, which is valid at any time, after a failure too.

    Make it inside the event loop that runs it.
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
        before: Before | None = None,
        announce: Callable[[str], object] = tell,
    ) -> None:
        self.client, self.journal, self.budget, self.limits = client, journal, budget, limits
        self.on_answer, self.announce = on_answer, announce
        self.report = report
        self._before = before or Before()
        self._traffic = Traffic(limits)
        self._places = asyncio.Semaphore(batch_size)
        self._may_send = asyncio.Lock()  # held by the request that is the next to be sent
        self._ended = asyncio.Event()  # set whenever a request in flight has ended
        self._num_in_flight = 0
        self._max_unwritten = batch_size // UNWRITTEN_DIVISOR
        self._unwritten: set[asyncio.Future[None]] = set()
        self._is_stopping = False
        self._refused_in_a_row = 0
        # Rejected while none was answered yet: it may be their prompts, or all that we ask.
        self._undecided: list[Unanswered] = []
        self._said_until = -math.inf  # a pause that was announced, in the loop's time
        self._cut = CutWatch(self._before, limits.max_cut)

    async def run(self, requests: list[JudgeRequest]) -> None:
        """Ask all of them. Raises UserError when going on makes no sense; the report then says how far it came."""
        self._cut.check()
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    await self._places.acquire()  # the task gives it back; one that was retried waits for none but this
                    group.create_task(self._work(request))
            self._check_undecided()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.journal.flush()
            await asyncio.sleep(0)  # a turn for what waits for the journal
            self.report.seconds = loop.time() - started

    async def _work(self, request: JudgeRequest) -> None:
        try:
            await self._ask(request)
        except Exception as error:
            await self._stop(error)

    async def _stop(self, error: Exception) -> None:
        """Raise the first error, which ends the others, after a second in which those in flight, paid for, may end."""
        if self._is_stopping:
            return
        self._is_stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while self._num_in_flight:
                    await self._next_end()
        raise error

    async def _ask(self, request: JudgeRequest) -> None:
        """Ask until there is an answer with scores, a refusal, or no retry left. Begins with a place, ends without."""
        num_failed = 0
        while True:
            try:
                await self._wait_to_send(request)
                answers_before = self._traffic.num_answers
                outcome = await self._send(request)
                if isinstance(outcome, JudgeAnswer):
                    following, written = self._note_answer(request, outcome)
                    if len(self._unwritten) > self._max_unwritten:
                        await asyncio.shield(written)
            finally:
                self._places.release()
            if isinstance(outcome, JudgeAnswer):
                await asyncio.shield(written)
                self._cut.note(outcome)
                if following is None:
                    return
                request, num_failed = following, 0
            else:
                # Where a rate limit lets others pass, this one will have its turn.
                counts = outcome.status != 429 or self._traffic.num_answers == answers_before
                num_failed += counts
                if not self._may_retry(request, outcome, num_failed, counts):
                    return
                await asyncio.sleep(self.limits.pause(max(num_failed, 1)))
            await self._places.acquire()

    async def _wait_to_send(self, request: JudgeRequest) -> None:
        """Return when server and budget let a request pass, with its worst price set aside. Others wait behind it."""
        async with self._may_send:
            while True:
                seconds = self._traffic.wait_seconds(asyncio.get_running_loop().time(), self._num_in_flight)
                if self._is_stopping or self._waits_for_a_decision():
                    seconds = math.inf
                elif seconds <= 0:
                    if self.budget.reserve(request):
                        break
                    if not self._num_in_flight:
                        raise self.budget.refusal()
                    seconds = math.inf
                self._announce_pause(seconds)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if seconds == math.inf else seconds):
                        await self._next_end()
            self._traffic.on_start()
            self._num_in_flight += 1

    async def _next_end(self) -> None:
        self._ended.clear()
        await self._ended.wait()

    async def _send(self, request: JudgeRequest) -> JudgeAnswer | Failure:
        try:
            charge = Charge(most_tokens(request), request.judge.max_tokens)
            if self.budget.is_limited:  # on the disk before it can be paid for: a kill forgets no money
                await asyncio.shield(self.journal.note(charge_entry("sent", request.key, charge)))
            outcome = await self.client.ask(request)
        finally:
            self._num_in_flight -= 1
            self._ended.set()
        while self.client.dialect.changes:
            self.announce(f"note: {self.client.dialect.changes.pop(0)}")
        if isinstance(outcome, Failure):
            self.budget.settle(request, None, outcome.charged)
            if outcome.charged:
                self._note_later(charge_entry("charged", request.key, charge))
            elif self.budget.is_limited:
                self._note_later({"unpaid": request.key})
        else:
            self.budget.settle(request, outcome, charged=True)
        return outcome

    def _note_later(self, entry: Entry) -> None:
        """Give the journal a line that nothing waits for; what comes after it on the disk is written after it."""
        # A full disk is told to the next answer that waits.
        self.journal.note(entry).add_done_callback(lambda written: written.cancelled() or written.exception())

    def _note_answer(
        self, request: JudgeRequest, answer: JudgeAnswer
    ) -> tuple[JudgeRequest | None, "asyncio.Future[None]"]:
        """Return the request that must follow, if one must, and a future that ends when the answer is on the disk."""
        self._traffic.on_answer()
        self._refused_in_a_row = 0
        for other, failure in self._undecided:  # others are answered: it was their prompts
            self.report.refused.append((other, as_refusal(failure)))
        self._undecided.clear()
        following = None if request.is_follow_up else follow_up(request, answer)
        if following is not None and following.key in self.journal.answers:
            following = None
        if following is not None:
            self.report.num_asked_again += 1
        else:
            self.on_answer()

        def on_written(written: "asyncio.Future[None]") -> None:
            """Report an answer that the disk has."""
            self._unwritten.discard(written)
            if not written.cancelled() and written.exception() is None:
                self.report.answers.append(answer)

        written = self.journal.add(request.key, answer)
        self._unwritten.add(written)
        written.add_done_callback(on_written)
        return following, written

    def _may_retry(self, request: JudgeRequest, failure: Failure, num_failed: int, counts: bool) -> bool:
        """Note a failure. Raises UserError when it ends the run."""
        if failure.kind == "fatal":
            raise _fatal(request, failure)
        num_answered = self._before.num_answered + self._traffic.num_answers
        if failure.kind == "rejected" and not num_answered:
            self._undecided.append((request, failure))
            self._traffic.on_sign_of_life()
            return False
        if failure.kind in ("refused", "rejected"):
            self.report.refused.append((request, as_refusal(failure)))
            self._traffic.on_sign_of_life()
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= max(MAX_REFUSED_IN_A_ROW, num_answered):
                raise UserError(
                    f"the judge's server refuses one prompt after the other, last {request.where}: {failure}"
                    f"{remedy_for(failure)}"
                )
            return False
        if self._traffic.on_failure(failure, asyncio.get_running_loop().time(), counts):
            remedy = f"; {IF_NO_SYSTEM_ROLE}" if SYSTEM_ROLE.search(failure.words) else ""
            raise UserError(
                f"the judge's server has failed {self._traffic.failures_in_a_row} times in a row, last with {failure}"
                f"{remedy}"
            )
        if num_failed > self.limits.max_retries:
            self.report.failed.append((request, failure))
            return False
        self.report.retries[failure.cause] += 1
        return True

    def _waits_for_a_decision(self) -> bool:
        """Tell whether enough is rejected to see first what becomes of those in flight. Raises UserError at the end."""
        if len(self._undecided) < MAX_REFUSED_IN_A_ROW:
            return False
        if not self._num_in_flight:
            self._check_undecided()
        return True

    def _check_undecided(self) -> None:
        if self._undecided:
            raise _fatal(*self._undecided[0])

    def _announce_pause(self, seconds: float) -> None:
        """Say once that the server is waited for, where that is longer than anybody would wait without a word."""
        until = asyncio.get_running_loop().time() + seconds
        if not LEAST_PAUSE_SAID <= seconds < math.inf or until <= self._said_until + 1:
            return
        self._said_until = until
        why = "asks for a pause" if not self._traffic.is_open else "fails again and again; it is tried again"
        in_seconds = f"of {seconds:,.0f} s" if not self._traffic.is_open else f"in {seconds:,.0f} s"
        self.announce(f"note: the judge's server {why} {in_seconds}; Ctrl-C keeps what is answered")


def as_refusal(failure: Failure) -> Failure:
    """Return a rejection as one of a prompt alone, which it is where others are answered."""
    if failure.kind == "refused":
        return failure
    return replace(failure, kind="refused", cause=f"prompt refused ({failure.status})")


def _fatal(request: JudgeRequest, failure: Failure) -> UserError:
    return UserError(f"the judge's server does not answer {request.where}: {failure}{remedy_for(failure)}")
