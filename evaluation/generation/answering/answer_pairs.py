"""Which answers of two models belong together: those to the same question, whatever the order of the files."""

from collections import Counter
from collections.abc import Callable, Hashable

from answering.generation_file import ModelAnswer
from shared.cli import UserError
from shared.texts import shorten


def pair_answers(
    first: list[ModelAnswer], second: list[ModelAnswer], paths: tuple[str, str]
) -> list[tuple[ModelAnswer, ModelAnswer]]:
    """Return each answer of the first file with the second's to the same question, in the first's order.

    Questions are the same when id, prompt and input are; where a row has no id, its prompt and input say which it is,
    and the second of two alike is the second in either file. Raises UserError for files of different questions.
    """
    have_ids = all(answer.has_id for answer in (*first, *second))
    keys_of: Callable[[list[ModelAnswer]], list[Hashable]] = _ids if have_ids else _numbered_texts
    keys = keys_of(first)
    others = dict(zip(keys_of(second), second, strict=True))
    for key, answer in zip(keys, first, strict=True):
        if key not in others:
            raise UserError(_difference(answer, "is missing in the second", first, second, paths))
        if not _same_text(answer, others[key]):
            raise UserError(_difference(answer, "has another prompt or input in the second", first, second, paths))
    known = set(keys)
    for key, answer in others.items():
        if key not in known:
            raise UserError(_difference(answer, "is missing in the first", first, second, paths))
    return [(answer, others[key]) for key, answer in zip(keys, first, strict=True)]


def _ids(answers: list[ModelAnswer]) -> list[Hashable]:
    return [answer.question.id for answer in answers]


def _numbered_texts(answers: list[ModelAnswer]) -> list[Hashable]:
    seen: Counter[tuple[str, str]] = Counter()
    keys: list[Hashable] = []
    for answer in answers:
        text = (answer.question.prompt, answer.question.input)
        seen[text] += 1
        keys.append((*text, seen[text]))
    return keys


def _same_text(one: ModelAnswer, other: ModelAnswer) -> bool:
    return (one.question.prompt, one.question.input) == (other.question.prompt, other.question.input)


def _difference(
    answer: ModelAnswer, what: str, first: list[ModelAnswer], second: list[ModelAnswer], paths: tuple[str, str]
) -> str:
    return (
        f"{paths[0]} ({len(first)} questions) and {paths[1]} ({len(second)} questions) do not answer the same "
        "questions: "
        f"id {shorten(answer.question.id)} ({shorten(answer.question.prompt)}) {what}; "
        "generate both from the same test set, with the same --num_questions"
    )
