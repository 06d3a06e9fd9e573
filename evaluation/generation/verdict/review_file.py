"""Review files: a wrap file with what a judge said about each pair, in both orders, and where they lie.

`scores` and `scores_reverse` are in the order in which the answers were shown: [Answer1, Answer2], then [Answer2,
Answer1].
"""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from answering.wrap_file import Pair, WrapRow, read_wrap_file
from shared.cli import UserError
from shared.texts import describe
from verdict.review_text import is_cut, joined_text
from verdict.scores import Scores, parse_scores

PUBLISHED_SLUGS = {"gpt-4": "gpt4", "gpt-3.5-turbo": "gpt3.5"}


@dataclass(frozen=True)
class Review:
    """What the judge said about one pair. Scores are in the order shown, None where its words give none.

    `text` and `scores` are those of order 1 (Answer1 shown first), `text_reverse` and `scores_reverse` of order 2.
    `num_cut` of the two ended at the judge's limit of tokens.
    """

    pair: Pair
    text: str
    scores: Scores | None
    text_reverse: str
    scores_reverse: Scores | None
    num_cut: int = 0


@dataclass(frozen=True)
class ReviewFile:
    """The reviews of one test set."""

    path: str
    meta: dict[str, Any]
    reviews: list[Review]

    @property
    def dataset_name(self) -> str:
        """Name of the test set."""
        return self.meta["dataset_name"]


def read_review_file(path: str) -> ReviewFile:
    """Return a review file of ours or of the original tool. Raises UserError for anything else, naming pair and field.

    Stored scores that are not two numbers from 0 to 10 (the original tool wrote "[-1, -1]" for a failure) are looked
    for once more in the review. null is the last word of our own judging.
    """
    wrap = read_wrap_file(path)
    return ReviewFile(
        path,
        wrap.meta,
        [_review(*both, f"{path}: pair {index}") for index, both in enumerate(zip(wrap.rows, wrap.pairs, strict=True))],
    )


def judge_slug(api_model: str) -> str:
    """Return a judge's part of a file name: its published one, or its name; no two judges have the same one.

    A name that is not a plain lower-case file name part, or that could be taken for another judge's, gets eight digits
    of its hash.
    """
    if api_model in PUBLISHED_SLUGS:
        return PUBLISHED_SLUGS[api_model]
    slug = re.sub(r"[^a-z0-9._-]+", "-", api_model.lower(), flags=re.ASCII)[:80].strip("-.")
    looks_hashed = re.search(r"-[0-9a-f]{8}$", slug)
    if not slug or slug != api_model or slug in PUBLISHED_SLUGS.values() or looks_hashed:
        digest = hashlib.sha256(api_model.encode("utf-8", "surrogatepass")).hexdigest()
        slug = f"{slug or 'judge'}-{digest[:8]}"
    return slug


def review_path(wrap_path: str, api_model: str) -> str:
    """Return where the reviews of a wrap file by a judge lie.

    They lie beside it: `X_wrap.json` -> `X_wrap_reviews_gpt4.json`.
    """
    return f"{wrap_path.removesuffix('.json')}_reviews_{judge_slug(api_model)}.json"


def _review(row: WrapRow, pair: Pair, where: str) -> Review:
    said: list[Any] = []
    num_cut = 0
    for order in ("", "_reverse"):
        text = joined_text(row.get(f"review{order}"))
        if text is None:
            raise _field_error(row, f"review{order}", "a string", where)
        reason = row.get(f"finish_reason{order}")  # as the server gave it; most files have none
        reason = reason if isinstance(reason, str) else None
        num_cut += is_cut(reason)
        is_unparsed = row.get(f"scores{order}", "") is None
        stored = None if is_unparsed else _stored_scores(row, f"scores{order}", where)
        said += [text, stored if stored or is_unparsed else parse_scores(text, reason)]
    text, scores, text_reverse, scores_reverse = said
    return Review(pair, text, scores, text_reverse, scores_reverse, num_cut)


def _stored_scores(row: WrapRow, field: str, where: str) -> Scores | None:
    """Return the scores of a row, a list or the published string "[8.0, 9.0]"; None where they are no scores."""
    value = row.get(field)
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if not isinstance(value, list) or any(
        isinstance(number, bool) or not isinstance(number, int | float) for number in value
    ):
        raise _field_error(row, field, 'two numbers, such as "[8.0, 9.0]", or null', where)
    if len(value) != 2 or not all(0 <= number <= 10 for number in value):
        return None
    return float(value[0]), float(value[1])


def _field_error(row: WrapRow, field: str, wanted: str, where: str) -> UserError:
    seen = f"is {describe(row[field])}" if field in row else "is missing"
    return UserError(f"{where}: field {field!r} {seen}; it must be {wanted}; make the file again with eval.py")
