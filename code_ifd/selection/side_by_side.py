"""Two scores side by side: what the same number of records, the best by each, would be."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from records.dataset import Dataset
from records.record import Block
from selection.ifd import select
from selection.scored_dataset import TOKENS, UPPER, number_columns, read_columns

if TYPE_CHECKING:
    import numpy as np

# What marks a planted mistake: in the bundled sample, and in copies that plant_mistakes.py makes.
PLANTED_KEYS = ("misaligned", "planted")
NAME_COLUMNS, NUMBER_COLUMNS = 24, 11


class PlantedColumn:
    """Whether each record is a planted mistake."""

    def __init__(self) -> None:
        self.flags: list[bool] = []

    def add(self, block: Block) -> None:
        """Add the records of a block."""
        of_keys = [values for key in PLANTED_KEYS if (values := block.values(key)) is not None]
        if of_keys:
            self.flags += [any(value is True for value in values) for values in zip(*of_keys, strict=True)]
        else:
            self.flags += [False] * len(block)


@dataclass(frozen=True)
class Best:
    """The best records by one score. What nothing is known of is None."""

    num_records: int
    mean_tokens: float | None
    num_unsure: int | None  # not surely below 1
    num_planted: int


def side_by_side(dataset: Dataset, key_names: tuple[str, str], threshold: float, num_wanted: int) -> list[str]:
    """Return the lines of the table; one line that says why where no record has one of the scores.

    The dataset is read once. Raises UserError for a value that is no number.
    """
    import numpy as np

    columns = number_columns(dataset.path, key_names, (UPPER, TOKENS))
    planted = PlantedColumn()
    read_columns(dataset, [*columns, planted])
    for column in columns:
        if column.key_name in key_names and not column.has_numbers:
            return [f"no record has {column.key_name} to compare by: score again (step 1), merge (step 2)"]
    numbers = {column.key_name: np.asarray(column.numbers) for column in columns}
    flags = np.asarray(planted.flags, dtype=bool)
    found = [
        describe_best(select(numbers[key], threshold, num_wanted).indices, numbers, flags, threshold)
        for key in key_names
    ]
    return table_lines(key_names, found, int(flags.sum()))


def describe_best(
    indices: "np.ndarray", numbers: dict[str, "np.ndarray"], planted: "np.ndarray", threshold: float
) -> Best:
    """Return what the records at these indices are."""
    import numpy as np

    tokens, upper = (numbers[key][indices] for key in (TOKENS, UPPER))
    known = tokens[~np.isnan(tokens)]
    # What is selected above 1 is not meant to be surely below it.
    knows_unsure = threshold <= 1 and not np.isnan(numbers[UPPER]).all()
    return Best(
        num_records=len(indices),
        mean_tokens=float(known.mean()) if len(known) else None,
        num_unsure=int((~(upper < 1)).sum()) if knows_unsure else None,
        num_planted=int(planted[indices].sum()),
    )


def table_lines(key_names: tuple[str, str], found: list[Best], num_planted: int) -> list[str]:
    """Return the table: a column for each score, a row for each number that is known."""
    lines = [_row("the best by", key_names), _row("records", [str(best.num_records) for best in found])]
    means = [math.nan if best.mean_tokens is None else best.mean_tokens for best in found]
    if not all(map(math.isnan, means)):
        lines.append(_row("mean response tokens", ["-" if math.isnan(mean) else f"{mean:.1f}" for mean in means]))
    unsure = [best.num_unsure for best in found if best.num_unsure is not None]
    if len(unsure) == len(found):
        lines.append(_row("not sure", map(str, unsure), "ifd_upper >= 1"))
    if num_planted:
        lines.append(_row("planted mistakes", [str(best.num_planted) for best in found], f"of {num_planted}"))
    return lines


def _row(name: str, cells: Iterable[str], note: str = "") -> str:
    return f"{name:<{NAME_COLUMNS}}{''.join(f'{cell:>{NUMBER_COLUMNS}}' for cell in cells)}  {note}".rstrip()
