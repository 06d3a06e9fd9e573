"""What step 3 selects from: what it ranks the records by, how long they are, and which of their values make groups."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from records.conversations import Fields
from records.dataset import Dataset
from selection.flags import BASELINES
from selection.groups import ValueColumn
from selection.scored_dataset import TOKENS, UPPER, CharacterColumn, NumberColumn, read_columns
from shared.cli import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Choice:
    """What to select. Of the three amounts, tokens go before a number, and a number before a rate."""

    key_name: str
    threshold: Decimal
    sample_rate: Decimal
    sample_num: int | None = None
    sample_tokens: int | None = None
    length_groups: int | None = None
    group_by: str | None = None
    seed: int | None = None
    fields: Fields | None = None

    def __post_init__(self) -> None:
        """Raise UserError for a seed that nothing uses."""
        if self.seed is not None and self.key_name != "random":
            raise UserError(f"--seed {self.seed}: only --key_name random draws; leave it out, or choose that")

    @property
    def is_baseline(self) -> bool:
        """Whether it needs no score and has no threshold."""
        return self.key_name in BASELINES

    @property
    def is_grouped(self) -> bool:
        """Whether each group has a share."""
        return self.length_groups is not None or self.group_by is not None

    @property
    def depends_on_lengths(self) -> bool:
        """Whether the length of the responses decides what is selected; a table of groups shows it in any case."""
        return self.length_groups is not None or self.sample_tokens is not None or self.key_name == "longest"


@dataclass(frozen=True)
class Candidates:
    """The columns of a dataset that a choice needs, one entry a record."""

    scores: "np.ndarray"  # to rank by, highest first; NaN for a record that cannot be selected
    missing: str  # what those records lack
    lengths: "np.ndarray"  # of the responses, in `unit`, NaN where there is none; empty where nothing needs them
    unit: str  # tokens or characters
    values: ValueColumn | None  # of the key to group by
    upper: "np.ndarray | None"  # ifd_upper, where scores are not ranked by it and records have it


def read_candidates(dataset: Dataset, choice: Choice) -> Candidates:
    """Read what a choice needs, in one pass; in two where the characters of responses stand in for tokens.

    Raises UserError for a record that is not understood, and where no record has what the choice needs.
    """
    import numpy as np

    score = NumberColumn(dataset.path, "ifd_ppl" if choice.is_baseline else choice.key_name)
    upper = NumberColumn(dataset.path, UPPER)
    tokens = NumberColumn(dataset.path, TOKENS)
    values = None if choice.group_by is None else ValueColumn(dataset.path, choice.group_by, dataset.is_table)
    numbers = [score]
    if choice.key_name in ("ifd_ppl", "ifd_loss"):
        numbers.append(upper)
    if choice.depends_on_lengths or choice.is_grouped:
        numbers.append(tokens)
    read_columns(dataset, numbers if values is None else [*numbers, values])
    if not choice.is_baseline:
        score.check_there()
    if choice.sample_tokens is not None and not tokens.has_numbers:
        raise UserError(
            f"{dataset.path}: no record has a number under {TOKENS!r}, which --sample_tokens adds up; score again "
            "(step 1) and merge (step 2), or give --sample_num"
        )
    is_scored = score.has_numbers
    lengths, unit = np.asarray(tokens.numbers), "tokens"
    is_strict = choice.depends_on_lengths or (choice.is_baseline and not is_scored)
    if not tokens.has_numbers and (is_strict or choice.is_grouped):
        characters = CharacterColumn(dataset.path, choice.fields or {}, is_strict)
        read_columns(dataset, [characters])
        lengths, unit = np.asarray(characters.numbers), "characters"
    return Candidates(
        _rank_by(choice, np.asarray(score.numbers), is_scored, lengths),
        "score" if is_scored or not choice.is_baseline else "response",
        lengths,
        unit,
        values,
        np.asarray(upper.numbers) if upper.has_numbers else None,
    )


def random_scores(num_records: int, seed: int) -> "np.ndarray":
    """Return a random number in [0, 1) for each record, the same on every machine and with every version of numpy.

    They are the 53 highest bits of each of the first numbers of PCG64, whose stream numpy does not change.
    """
    import numpy as np

    return (np.random.PCG64(seed).random_raw(num_records) >> np.uint64(11)) * 2.0**-53


def _rank_by(choice: Choice, scores: "np.ndarray", is_scored: bool, lengths: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if not choice.is_baseline:
        return scores
    # A baseline is drawn from the same records as the selection that is compared with it.
    lacks = np.isnan(scores if is_scored else lengths)
    ranks = lengths if choice.key_name == "longest" else random_scores(len(scores), choice.seed or 0)
    return np.where(lacks, np.nan, ranks)
