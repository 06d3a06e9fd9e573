"""What a report reads of a scored dataset, as columns, and where each record stands.

A record is selected, below the cut, over the threshold, or skipped.
"""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from records.conversations import Fields, texts_of
from records.dataset import Dataset
from records.record import Block
from records.selected_records import SelectedRecords
from reporting.categories import Category, CategoryFinder
from reporting.intervals import OF_INTERVALS, Intervals, find_intervals
from selection.ifd import select
from selection.scored_dataset import NumberColumn, checked_numbers, number_columns, read_columns

PPLS = ("ppl_A_direct", "ppl_A_condition")
MAX_REASON = 40


@dataclass(frozen=True)
class ScoredData:
    """A scored dataset as columns, one entry a record."""

    scores: np.ndarray  # float64, NaN where there is none, as in the next two
    direct: np.ndarray
    conditioned: np.ndarray
    lengths: np.ndarray  # int64, characters of the response, of all responses of a conversation
    reasons: dict[int, str]  # of the records without a score
    key_name: str = "ifd_ppl"  # of the scores
    intervals: Intervals | None = None  # None for scores that have no standard error
    categories: list[Category] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.scores)

    def reason_counts(self) -> list[tuple[str, int]]:
        """Return how many records each reason has, most first."""
        return sorted(Counter(self.reasons.values()).items(), key=lambda entry: (-entry[1], entry[0]))


@dataclass(frozen=True)
class Standing:
    """Where each record of a scored dataset stands."""

    threshold: float
    ranking: np.ndarray  # int64, the records below the threshold, highest score first, ties by record order
    is_selected: np.ndarray  # bool, one entry a record
    cut: float | None  # the lowest score that is selected, where the selected are the highest below the threshold
    num_skipped: int
    num_at_or_over: int

    @property
    def num_selected(self) -> int:
        """The number of selected records."""
        return int(self.is_selected.sum())

    @property
    def num_below(self) -> int:
        """The number of records below the threshold that are not selected."""
        return int((~self.is_selected[self.ranking]).sum())


def read_scored(dataset: Dataset, key_name: str, fields: Fields, selected: SelectedRecords | None) -> ScoredData:
    """Return the columns of a scored dataset, which is read once; `selected` looks at every record.

    Raises UserError for a record that is not understood, and where no record has one of the numbers.
    """
    wanted = (key_name, *PPLS)
    columns = number_columns(dataset.path, wanted, OF_INTERVALS)
    texts = TextColumn(dataset.path, fields, columns[0], selected)
    read_columns(dataset, [*columns, texts])
    numbers = {name: np.asarray(column) for name, column in checked_numbers(columns, wanted).items()}
    direct, conditioned = (numbers[name] for name in PPLS)
    return ScoredData(
        numbers[key_name],
        direct,
        conditioned,
        np.asarray(texts.lengths, dtype=np.int64),
        texts.reasons,
        key_name,
        find_intervals(numbers),
        texts.categories.found(len(texts.lengths)),
    )


class TextColumn:
    """The length of each record's response, why a record has no score, and which keys have few values.

    `scores` must be read before it.
    """

    def __init__(self, path: str, fields: Fields, scores: NumberColumn, selected: SelectedRecords | None) -> None:
        self.lengths = array("q")
        self.reasons: dict[int, str] = {}
        self.categories = CategoryFinder()
        self._path, self._fields, self._scores, self._selected = path, fields, scores, selected

    def add(self, block: Block) -> None:
        """Add the records of a block. Raises UserError for one that is not understood."""
        for index, record in enumerate(block.records(), start=len(self.lengths)):
            where = f"{self._path}: record {index}"
            texts = texts_of(record, self._fields, where)
            self.lengths.append(sum(len(text.text) for text in texts if text.is_response))
            if math.isnan(self._scores.numbers[index]):
                self.reasons[index] = str(record.get("ifd_skipped") or "no score")[:MAX_REASON]
            self.categories.look_at(record, index)
            if self._selected:
                self._selected.look_at(record, index, where)


def stand_by_rank(scores: np.ndarray, threshold: float, num_wanted: int) -> Standing:
    """Return the standing when step 3 selects the `num_wanted` highest scores below the threshold."""
    return _standing(scores, threshold, select(scores, threshold, num_wanted).indices)


def stand_by_file(scores: np.ndarray, threshold: float, numbers: list[int]) -> Standing:
    """Return the standing when these records are selected."""
    return _standing(scores, threshold, np.asarray(numbers, dtype=np.int64))


def _standing(scores: np.ndarray, threshold: float, chosen: np.ndarray) -> Standing:
    everything = select(scores, threshold, len(scores))
    is_selected = np.zeros(len(scores), dtype=bool)
    is_selected[chosen] = True
    of_ranking = is_selected[everything.indices]
    others = scores[everything.indices[~of_ranking]]
    lowest = float(scores[chosen].min()) if len(chosen) else math.nan
    is_top = len(chosen) and int(of_ranking.sum()) == len(chosen) and not (len(others) and others.max() > lowest)
    return Standing(
        threshold,
        everything.indices,
        is_selected,
        lowest if is_top else None,
        everything.num_skipped,
        everything.num_at_or_over,
    )
