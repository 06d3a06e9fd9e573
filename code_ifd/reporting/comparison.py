"""All that is to be said about two scored versions of one dataset, A and B."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from reporting.agreement import (
    Correlation,
    Disagreement,
    Flips,
    LengthCheck,
    Overlap,
    check_length,
    correlate,
    disagreements,
    flips,
    overlap,
)
from selection.ifd import num_selected, select
from selection.scored_dataset import UPPER, NumberColumns

PERPLEXITIES = ("ppl_A_direct", "ppl_A_condition")


@dataclass(frozen=True)
class Choice:
    """What to select, as step 3 is told it, and how many disagreements to name."""

    key_name: str
    threshold: float
    sample_rates: Sequence[Decimal]
    num_shown: int

    @property
    def number_keys(self) -> tuple[str, ...]:
        """The numbers that both must have."""
        return (*PERPLEXITIES, self.key_name)

    def compared_keys(self, numbers_a: NumberColumns, numbers_b: NumberColumns) -> list[str]:
        """Return the numbers that are compared: ifd_upper too where a record has it in A, and one in B."""
        both_have = all(UPPER in numbers and not np.isnan(numbers[UPPER]).all() for numbers in (numbers_a, numbers_b))
        return list(dict.fromkeys((*self.number_keys, *([UPPER] if both_have else []))))


@dataclass(frozen=True)
class RateOverlap:
    """What both select at one rate. Of `num_wanted` records fewer are selected where fewer are below the threshold."""

    sample_rate: float
    num_wanted: int
    overlap: Overlap


@dataclass(frozen=True)
class Comparison:
    """How far A and B agree."""

    num_records: int
    num_equal: int  # records all of whose numbers are the same in both, or missing in both
    correlations: dict[str, Correlation]
    flips: Flips
    overlaps: list[RateOverlap]
    length_a: LengthCheck
    length_b: LengthCheck
    disagreements: list[Disagreement]


def compare_scorers(
    numbers_a: NumberColumns, numbers_b: NumberColumns, lengths: Sequence[int], choice: Choice
) -> Comparison:
    """Return how far two scorers agree.

    The columns have one number a record, NaN where there is none, under each of the choice's number_keys, and may have
    ifd_upper beside them; `lengths` are the characters of the responses.
    """
    keys = choice.compared_keys(numbers_a, numbers_b)
    columns = {key: (np.asarray(numbers_a[key]), np.asarray(numbers_b[key])) for key in keys}
    scores_a, scores_b = columns[choice.key_name]
    nums_wanted = [num_selected(rate, len(scores_a)) for rate in choice.sample_rates]
    selected_a, selected_b = (
        [select(scores, choice.threshold, num).indices for num in nums_wanted] for scores in (scores_a, scores_b)
    )
    is_equal = np.all([(a == b) | (np.isnan(a) & np.isnan(b)) for a, b in columns.values()], axis=0)
    return Comparison(
        num_records=len(scores_a),
        num_equal=int(is_equal.sum()),
        correlations={key: correlate(*pair) for key, pair in columns.items()},
        flips=flips(scores_a, scores_b, choice.threshold),
        overlaps=[
            RateOverlap(float(rate), num_wanted, overlap(of_a, of_b))
            for rate, num_wanted, of_a, of_b in zip(
                choice.sample_rates, nums_wanted, selected_a, selected_b, strict=True
            )
        ],
        length_a=check_length(scores_a, lengths, selected_a),
        length_b=check_length(scores_b, lengths, selected_b),
        disagreements=disagreements(scores_a, scores_b, choice.num_shown),
    )
