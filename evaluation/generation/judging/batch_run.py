"""Ask the judge through the Batch endpoints: half the price, an answer within a day, nothing paid twice.

Each step is in the journal before the next begins, so that a run may be killed at any instant. A batch carries a random
token, written down before it is made: should the run end between making it and noting its id, the next one finds it in
the server's list by that token.
"""

import asyncio
import json
import secrets as random_tokens
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from judging.answer_journal import AnswerJournal, Charge, answer_entry, charge_entry
from judging.batch_client import ENDPOINT, BatchClient, NotCreatedError
from judging.client import read_hidden
from judging.costs import Budget, most_tokens
from judging.dialect import Dialect
from judging.outcomes import Failure, JudgeAnswer
from judging.report import RunReport
from judging.requests import JudgeRequest, PairRequests
from judging.review_assembly import missing_requests
from judging.secrets_hiding import Secrets
from judging.server_errors import classify_status, remedy_for
from records.journal import Entry
from shared.cli import UserError
from shared.texts import one_line

# What OpenAI takes in one file: 50,000 requests, 200 MB.
MAX_REQUESTS = 50_000
MAX_FILE_BYTES = 100 << 20
# Batches in a row without one new answer.
MAX_FRUITLESS = 3
WORKING = {"validating", "in_progress", "finalizing", "cancelling"}


@dataclass(frozen=True)
class BatchState:
    """How far a batch is: begun, uploaded (`file_id`), created (`batch_id`), done. The tokens are what it may cost.

    A batch that is only begun is not in the journal: it has cost nothing, and nothing is left of it.
    """

    step: str
    token: str
    server: str
    num_requests: int
    prompt_tokens: int
    completion_tokens: int
    file_id: str = ""
    batch_id: str = ""

    @property
    def entry(self) -> Entry:
        """The journal's line."""
        return {"batch": asdict(self)}


def open_batch(journal: AnswerJournal) -> BatchState | None:
    """Return the batch that a journal has begun and not finished. Raises UserError where its line is damaged."""
    fields = journal.content.batch
    if fields is None:
        return None
    wanted = BatchState("", "", "", 0, 0, 0)
    if set(fields) != set(asdict(wanted)) or any(
        type(fields[name]) is not type(value) for name, value in vars(wanted).items()
    ):
        raise UserError(f"{journal.path}: a line about a batch is damaged; mend it")
    state = BatchState(**fields)
    return None if state.step == "done" else state


class BatchRun:
    """One run through batches, one after the other. It fills `report`, which is valid at any time."""

    def __init__(
        self,
        client: BatchClient,
        journal: AnswerJournal,
        budget: Budget,
        report: RunReport,
        server: str,
        poll_seconds: float,
        secrets: Secrets,
        announce: Callable[[str], object],
    ) -> None:
        self.client, self.journal, self.budget, self.report = client, journal, budget, report
        self.server, self.poll_seconds, self.announce = server, poll_seconds, announce
        self._secrets = secrets
        self._dialect = Dialect()
        self._refused: set[str] = set()
        self._last: dict[str, Failure] = {}  # why a request has no answer yet

    async def run(self, pairs: list[PairRequests]) -> None:
        """Ask all that is missing, second questions included. Raises UserError when going on makes no sense."""
        fruitless = 0
        while fruitless < MAX_FRUITLESS:
            missing = [
                request for request in missing_requests(pairs, self.journal.answers) if request.key not in self._refused
            ]
            state = open_batch(self.journal)
            if state is None and not missing:
                return
            num_before, wording = len(self.journal.answers), self._dialect.wording
            await self._finish(state or self._begin(missing), missing)
            is_new = len(self.journal.answers) > num_before or self._dialect.wording != wording
            fruitless = 0 if is_new else fruitless + 1
        unknown = Failure("retry", "no result in the batch")
        self.report.failed += [(request, self._last.get(request.key, unknown)) for request in missing]

    def _begin(self, missing: list[JudgeRequest]) -> BatchState:
        chosen = self._affordable(missing)
        charge = _charge_of(chosen)
        return BatchState("begun", random_tokens.token_hex(16), self.server, len(chosen), charge.num_in, charge.num_out)

    def _affordable(self, missing: list[JudgeRequest]) -> list[JudgeRequest]:
        """Return the first requests that fit into a file and whose worst price fits into the budget."""
        chosen: list[JudgeRequest] = []
        num_bytes = 0
        for request in missing[:MAX_REQUESTS]:
            num_bytes += len(self._line(request))
            if num_bytes > MAX_FILE_BYTES or not self.budget.reserve(request):
                break
            chosen.append(request)
        self.budget.release()
        if not chosen:
            raise self.budget.refusal()
        return chosen

    async def _finish(self, state: BatchState, missing: list[JudgeRequest]) -> None:
        """Take a batch through the steps that it has not had, to its results."""
        if state.server != self.server:
            raise UserError(
                f"{self.journal.path}: its open batch is at {state.server}, not at {self.server}: give that --api_base"
            )
        if state.step != "created":
            # It may have been made, and its id not noted.
            is_new = state.step == "begun"
            batch = None if is_new else await self.client.find(state.token)
            if batch is None:
                content = b"".join(map(self._line, missing[: state.num_requests]))
                file_id = await self.client.upload(f"judge-{state.token}.jsonl", content)
                state = self._note(state, step="uploaded", file_id=file_id)
                try:
                    batch = await self.client.create(state.file_id, state.token)
                except NotCreatedError:
                    if is_new:  # no batch is open: the requests may be asked in another way
                        self._note(state, step="done")
                    raise
            state = self._note(state, step="created", batch_id=str(batch.get("id")))
        try:
            batch = await self._wait(state)
        except UserError as error:
            raise UserError(
                f'{error}; to give the batch up, with what it may have cost, remove the lines with "batch" from '
                f"{self.journal.path}"
            ) from None
        self._collect(
            [line for name in ("output_file_id", "error_file_id") for line in await self._lines(batch, name)], missing
        )
        self._note(state, step="done")
        if batch.get("status") == "failed":
            raise UserError(f"the judge's server has failed the batch {state.batch_id}: {_words(batch)}")

    def _note(self, state: BatchState, **changes: str) -> BatchState:
        state = replace(state, **changes)  # type: ignore[arg-type]
        self.journal.write([state.entry])
        return state

    async def _wait(self, state: BatchState) -> dict[str, Any]:
        said = ""
        while True:
            batch = await self.client.retrieve(state.batch_id)
            status, counts = str(batch.get("status")), batch.get("request_counts")
            done = counts.get("completed") if isinstance(counts, dict) else None
            line = (
                f"batch {state.batch_id}: {status}, {done if isinstance(done, int) else 0} of {state.num_requests} done"
            )
            if line != said:
                self.announce(line)
                said = line
            if status not in WORKING:
                return batch
            await asyncio.sleep(self.poll_seconds)

    async def _lines(self, batch: dict[str, Any], name: str) -> list[bytes]:
        file_id = batch.get(name)
        return await self.client.lines(file_id) if isinstance(file_id, str) and file_id else []

    def _collect(self, lines: list[bytes], missing: list[JudgeRequest]) -> None:
        """Write the answers of a batch into the journal at once, and sort out what has none."""
        asked = {request.key: request for request in missing}
        entries: list[Entry] = []
        failed: list[tuple[JudgeRequest, Failure]] = []
        seen: set[str] = set()
        for line in lines:
            key, outcome = self._read(line)
            if key in seen or key in self.journal.answers:
                continue
            seen.add(key)
            if isinstance(outcome, JudgeAnswer):
                entries.append(answer_entry(key, outcome))
                self.report.answers.append(outcome)
                if key in asked:
                    self.budget.settle(asked[key], outcome, charged=True)
            elif key in asked:
                failed.append((asked[key], outcome))
                self.budget.settle(asked[key], None, outcome.charged)
                if outcome.charged:
                    entries.append(charge_entry("charged", key, _charge_of([asked[key]])))
        self.journal.write(entries)
        asked_with = self._dialect.wording
        for request, failure in failed:
            self._sort_out(request, failure, asked_with)

    def _sort_out(self, request: JudgeRequest, failure: Failure, asked_with: tuple[str, bool, int]) -> None:
        self._last[request.key] = failure
        if failure.kind == "rejected" and self._dialect.wording[:2] != asked_with[:2]:
            return  # like one before it in this batch: the next batch asks in the new wording
        if variant := self._dialect.variant(request, failure):
            variant.keep()
            while self._dialect.changes:
                self.announce(f"note: {self._dialect.changes.pop(0)}")
        elif failure.kind == "fatal" or (failure.kind == "rejected" and not self.journal.answers):
            raise UserError(f"the judge's server does not answer {request.where}: {failure}{remedy_for(failure)}")
        elif failure.kind in ("refused", "rejected"):
            cause = failure.cause if failure.kind == "refused" else f"prompt refused ({failure.status})"
            self.report.refused.append((request, replace(failure, kind="refused", cause=cause)))
            self._refused.add(request.key)
        else:
            self.report.retries[failure.cause] += 1

    def _read(self, line: bytes) -> tuple[str, JudgeAnswer | Failure]:
        """Return the key of a result, empty where it is none of ours, and what came of it."""
        try:
            result = json.loads(line)
        except (ValueError, RecursionError):
            return "", Failure("retry", "broken result")
        key = result.get("custom_id") if isinstance(result, dict) else None
        if not isinstance(key, str):
            return "", Failure("retry", "broken result")
        response = result.get("response")
        if not isinstance(response, dict):
            return key, Failure("retry", "no result in the batch", one_line(json.dumps(result.get("error"))))
        body = json.dumps(response.get("body")).encode()
        status = response.get("status_code")
        if status == 200:
            return key, read_hidden(body, self._secrets)
        text = self._secrets.hide(body.decode())
        return key, classify_status(status if isinstance(status, int) else 500, {}, text.encode())

    def _line(self, request: JudgeRequest) -> bytes:
        body = self._dialect.content(request).decode("ascii")
        return f'{{"custom_id":"{request.key}","method":"POST","url":"{ENDPOINT}","body":{body}}}\n'.encode("ascii")


def _charge_of(requests: list[JudgeRequest]) -> Charge:
    return Charge(sum(map(most_tokens, requests)), sum(request.judge.max_tokens for request in requests))


def _words(batch: dict[str, Any]) -> str:
    errors = batch.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else None
    messages = [error.get("message") for error in data or [] if isinstance(error, dict)]
    return one_line("; ".join(map(str, messages)) or "it does not say why")
