"""The judge's answers on the disk, by the keys of their requests. What is in here is never asked again.

Answers that arrive while the disk is busy with others share its next turn: hundreds a second cost a few dozen fsyncs.
Beside the answers it keeps what may have been paid for without one, so that --max_cost holds over all runs:

{"charged": key, "prompt_tokens": ..., "completion_tokens": ...}   a failed request that the server may charge, at worst
{"sent": key, ...}   under --max_cost, before a request is sent: where no other line about it follows, it was killed
{"unpaid": key}   it failed and cost nothing
{"batch": ...}   a step of a batch (batch_run.py)
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from judging.outcomes import JudgeAnswer, is_count
from records.journal import Entry, LineJournal, read_entries
from shared.cli import UserError

HEADER = {"format": 1, "journal": "answers of a judge"}
FLAG = "the wrap file"

Answers = dict[str, JudgeAnswer]


@dataclass(frozen=True)
class Charge:
    """Tokens that may have been paid for, at most."""

    num_in: int
    num_out: int


@dataclass
class JournalContent:
    """What a journal says. `sent` are the requests of which nobody knows what became, by key."""

    answers: Answers = field(default_factory=dict)
    charged: list[Charge] = field(default_factory=list)
    sent: dict[str, Charge] = field(default_factory=dict)
    batch: Entry | None = None

    def read(self, entry: Entry) -> bool:
        """Take in one line; False where it is none of a journal of answers."""
        if "key" in entry:
            answer = _answer(entry)
            if answer is None:
                return False
            self.answers[entry["key"]] = answer
            self.sent.pop(entry["key"], None)
            return True
        if isinstance(entry.get("batch"), dict) and len(entry) == 1:
            self.batch = entry["batch"]
            return True
        kind = next((kind for kind in ("charged", "sent", "unpaid") if isinstance(entry.get(kind), str)), None)
        if kind == "unpaid":
            self.sent.pop(entry[kind], None)
            return len(entry) == 1
        num_in, num_out = entry.get("prompt_tokens"), entry.get("completion_tokens")
        if kind is None or len(entry) != 3 or not isinstance(num_in, int) or not isinstance(num_out, int):
            return False
        if not is_count(num_in) or not is_count(num_out):
            return False
        self.sent.pop(entry[kind], None)
        if kind == "sent":
            self.sent[entry[kind]] = Charge(num_in, num_out)
        else:
            self.charged.append(Charge(num_in, num_out))
        return True


def answer_journal_path(review_path: str) -> str:
    """Return the journal that belongs to a review file."""
    return f"{review_path}.journal.jsonl"


def read_answer_journal(path: str) -> JournalContent:
    """Return what a journal says, without a change to it. Raises UserError."""
    return _content(read_entries(path, HEADER, FLAG), path)


def charge_entry(kind: str, key: str, charge: Charge) -> Entry:
    """Return the line that says that a request may be charged; `kind` is "sent" or "charged"."""
    return {kind: key, "prompt_tokens": charge.num_in, "completion_tokens": charge.num_out}


def answer_entry(key: str, answer: JudgeAnswer) -> Entry:
    """Return the line of an answer."""
    return {"key": key, **vars(answer)}


class AnswerJournal:
    """An open journal of answers, locked against other processes. Use it in a `with` statement.

    `content` is what is safe on the disk, `answers` the answers in it. Requests that an earlier process had sent when
    it was killed count as charged from then on. Raises UserError as LineJournal does.
    """

    def __init__(self, path: str) -> None:
        self._journal = LineJournal(path, HEADER, FLAG)
        self.path = path
        try:
            self.content = _content(self._journal.entries, path)
            if self.content.sent:
                self.write([charge_entry("charged", key, charge) for key, charge in self.content.sent.items()])
        except UserError:
            self._journal.__exit__(None, None, None)
            raise
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def answers(self) -> Answers:
        """The answers that are safe on the disk, by the keys of their requests."""
        return self.content.answers

    def __enter__(self) -> "AnswerJournal":
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.__exit__(None, None, None)

    def write(self, entries: list[Entry]) -> None:
        """Write lines at once and return when they are on the disk. Not while others wait. Raises UserError."""
        self._journal.append(entries)
        for entry in entries:
            self.content.read(entry)

    def add(self, key: str, answer: JudgeAnswer) -> "asyncio.Future[None]":
        """Return a future that is done when the answer is on the disk, with a UserError when it cannot be written."""
        return self.note(answer_entry(key, answer))

    def note(self, entry: Entry) -> "asyncio.Future[None]":
        """Return a future that is done when a line is on the disk, with a UserError when it cannot be written."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return done

    async def flush(self) -> None:
        """Return when the disk has what it was given; errors are those of `add`."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(None, self._journal.append, [entry for entry, _ in batch])
            except Exception as error:  # goes on to all that wait; a fault of ours must not leave them waiting
                self._settle(batch, error)
            else:
                for entry, _ in batch:
                    self.content.read(entry)
                self._settle(batch, None)
        self._writer = None

    @staticmethod
    def _settle(batch: "list[tuple[Entry, asyncio.Future[None]]]", error: Exception | None) -> None:
        for _, done in batch:
            if done.done():  # its request was given up
                continue
            if error:
                done.set_exception(error)
            else:
                done.set_result(None)


def _content(entries: list[Entry], path: str) -> JournalContent:
    content = JournalContent()
    for number, entry in enumerate(entries, start=2):
        if not content.read(entry):
            raise UserError(f"{path}: line {number} is not the answer of a judge; mend or remove that line")
    return content


def _answer(entry: Entry) -> JudgeAnswer | None:
    fields: dict[str, Any] = dict(entry)
    key = fields.pop("key")
    try:
        answer = JudgeAnswer(**fields)
    except TypeError:
        return None
    names = (answer.model, answer.finish_reason)
    counts = (answer.prompt_tokens, answer.completion_tokens)
    sound = (
        isinstance(key, str)
        and isinstance(answer.text, str)
        and all(name is None or isinstance(name, str) for name in names)
        and all(count is None or type(count) is int for count in counts)
    )
    return answer if sound else None
