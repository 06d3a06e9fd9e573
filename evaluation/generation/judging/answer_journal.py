"""The judge's answers on the disk, by the keys of their requests. What is in here is never asked again.

Answers that arrive while the disk is busy with others share its next turn: hundreds a second cost a few dozen fsyncs.
"""

import asyncio

from judging.outcomes import JudgeAnswer
from records.journal import Entry, LineJournal, read_entries
from shared.cli import UserError

HEADER = {"format": 1, "journal": "answers of a judge"}
FLAG = "the wrap file"

Answers = dict[str, JudgeAnswer]


def answer_journal_path(review_path: str) -> str:
    """Return the journal that belongs to a review file."""
    return f"{review_path}.journal.jsonl"


def read_answer_journal(path: str) -> Answers:
    """Return the answers that a journal has, without a change to it. Raises UserError."""
    return _answers(read_entries(path, HEADER, FLAG), path)


class AnswerJournal:
    """An open journal of answers, locked against other processes. Use it in a `with` statement.

    `answers` are those that are safe on the disk. Raises UserError as LineJournal does.
    """

    def __init__(self, path: str) -> None:
        self._journal = LineJournal(path, HEADER, FLAG)
        self.path = path
        try:
            self.answers = _answers(self._journal.entries, path)
        except UserError:
            self._journal.__exit__(None, None, None)
            raise
        self._waiting: list[tuple[str, JudgeAnswer, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def __enter__(self) -> "AnswerJournal":
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.__exit__(None, None, None)

    def add(self, key: str, answer: JudgeAnswer) -> "asyncio.Future[None]":
        """Return a future that is done when the answer is on the disk, with a UserError when it cannot be written."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer, done))
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
                await loop.run_in_executor(
                    None, self._journal.append, [{"key": key, **vars(answer)} for key, answer, _ in batch]
                )
            except Exception as error:  # goes on to all that wait; a fault of ours must not leave them waiting
                self._settle(batch, error)
            else:
                self.answers.update((key, answer) for key, answer, _ in batch)
                self._settle(batch, None)
        self._writer = None

    @staticmethod
    def _settle(batch: "list[tuple[str, JudgeAnswer, asyncio.Future[None]]]", error: Exception | None) -> None:
        for _, _, done in batch:
            if done.done():  # its request was given up
                continue
            if error:
                done.set_exception(error)
            else:
                done.set_result(None)


def _answers(entries: list[Entry], path: str) -> Answers:
    answers: Answers = {}
    for number, entry in enumerate(entries, start=2):
        fields = dict(entry)
        key = fields.pop("key", None)
        try:
            answer = JudgeAnswer(**fields)
        except TypeError:
            answer = None
        if answer is None or not isinstance(key, str) or not _is_sound(answer):
            raise UserError(f"{path}: line {number} is not the answer of a judge; mend or remove that line")
        answers[key] = answer
    return answers


def _is_sound(answer: JudgeAnswer) -> bool:
    counts = (answer.prompt_tokens, answer.completion_tokens)
    names = (answer.model, answer.finish_reason)
    return (
        isinstance(answer.text, str)
        and all(name is None or isinstance(name, str) for name in names)
        and all(count is None or type(count) is int for count in counts)
    )
