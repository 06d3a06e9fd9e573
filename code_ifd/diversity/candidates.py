"""The records among which a selection for diversity chooses, and their texts."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from models.sequences import build_prompt
from records.conversations import Fields, exchanges
from records.dataset import Dataset
from records.record import Record
from selection.flags import number_of
from selection.ifd import Selection, select
from shared.cli import UserError, tell
from shared.texts import is_encodable

if TYPE_CHECKING:
    from array import array

    import numpy as np


EMB_TYPES = ("whole", "instruction", "response")
# The published number of candidates, and the score above which they lie where --ifd_num 0 asks for all.
PUBLISHED_NUM = 520
PUBLISHED_LOWER = Decimal("0.9")
NO_BOUND = Decimal("Infinity")


@dataclass(frozen=True)
class ScoreRange:
    """All records with a score above `lower` and below `upper` are candidates."""

    lower: Decimal
    upper: Decimal


@dataclass(frozen=True)
class BestScores:
    """The records with the highest scores below `threshold` are candidates: `num`, or a share of all records."""

    threshold: Decimal
    num: int | None
    rate: Decimal
    is_asked: bool = True  # False where nobody named a number: that there are fewer is no surprise then


def candidate_rule(
    lower: Decimal | None, upper: Decimal | None, num: int | None, rate: Decimal | None, threshold: Decimal | None
) -> ScoreRange | BestScores:
    """Return which records are candidates; None stands for a flag that was not given.

    As in the published step, `num` 0 takes all records between the bounds, `upper` 0 is no upper bound, and `lower`
    counts for nothing beside a number, which a note says. Raises UserError for two flags that do not go together.
    """
    if upper is not None and threshold is not None:
        raise UserError("--ifd_lupper and --filter_threash both say below which score; give one of them")
    if num is not None and rate is not None:
        raise UserError("--ifd_num and --ifd_rate both say how many candidates; give one of them")
    if lower is not None and rate is not None:
        raise UserError("--ifd_lower takes all records above it, and --ifd_rate the best of all; give one of them")
    bound = Decimal(1)
    if threshold is not None:
        bound = threshold
    elif upper is not None:
        bound = upper if upper else NO_BOUND
    if num == 0 or (num is None and lower is not None):
        found = ScoreRange(PUBLISHED_LOWER if lower is None else lower, bound)
        if found.lower >= found.upper:
            raise UserError(f"--ifd_lower {found.lower} is not below --ifd_lupper {bound}; no score lies between them")
        return found
    if lower is not None:
        tell("note: --ifd_lower counts only with --ifd_num 0 or without --ifd_num, as published")
    if rate is not None:
        return BestScores(bound, None, rate)
    return BestScores(bound, num or PUBLISHED_NUM, Decimal(0), is_asked=num is not None)


def candidates_of(scores: "array[float]", rule: ScoreRange | BestScores, data_path: str, key_name: str) -> Selection:
    """Return the candidates, highest score first. Raises UserError, which names the dataset, when there is none."""
    if isinstance(rule, ScoreRange):
        found = select(scores, float(rule.upper), len(scores))
        within = [index for index in found.indices.tolist() if scores[index] > float(rule.lower)]
        found = Selection(
            found.indices[: len(within)], found.num_skipped, found.num_at_or_over, len(found.indices) - len(within)
        )
        wanted = f"above {rule.lower}" + ("" if rule.upper == NO_BOUND else f" and below {rule.upper}")
    else:
        num_wanted = number_of(rule.num, rule.rate, len(scores), "ifd")
        found = select(scores, float(rule.threshold), num_wanted)
        wanted = "at all" if rule.threshold == NO_BOUND else f"below {rule.threshold}"
        if rule.is_asked and 0 < len(found.indices) < num_wanted:
            tell(f"note: {num_wanted} candidates were asked for, but only {len(found.indices)} have a score {wanted}")
    if not len(found.indices):
        raise UserError(f"{data_path}: no record has {key_name} {wanted}; nothing was written")
    return found


def read_texts(dataset: Dataset, indices: "np.ndarray", emb_type: str, template: str, fields: Fields) -> list[str]:
    """Return the text of each record at `indices`, in their order. Raises UserError as `embedded_text` does."""
    ranks = {index: rank for rank, index in enumerate(indices.tolist())}
    texts = [""] * len(ranks)
    for index, record in enumerate(dataset.records()):
        if index in ranks:
            where = f"{dataset.path}: record {index}"
            texts[ranks[index]] = embedded_text(record, emb_type, template, fields, where)
    return texts


def embedded_text(record: Record, emb_type: str, template: str, fields: Fields, where: str = "record") -> str:
    """Return the text: the prompt and the output (`whole`), the prompt (`instruction`), or the output (`response`).

    Of a conversation, `whole` is all turns up to the last response, `instruction` what comes before the first response,
    and `response` all responses, each on a line. Raises UserError, beginning with `where`, for a record without one.
    """
    found = exchanges(record, fields, where)
    if not found:
        raise UserError(
            f"{where}: a conversation in which the assistant says nothing, and yet it has a score; score it again"
        )
    if emb_type == "response":
        text = "\n".join(exchange["output"] for exchange in found)
    else:
        text = (
            build_prompt(found[0], template)
            if emb_type == "instruction"
            else build_prompt(found[-1], template) + found[-1]["output"]
        )
    if not is_encodable(text):
        raise UserError(f"{where}: its text holds half of a surrogate pair, which is no character; mend or remove it")
    return text


def count_line(name: str, count: int, note: str = "") -> str:
    """Return a line of the report for a number of records."""
    return f"{name:<34}{count:>9}  {note}".rstrip()
