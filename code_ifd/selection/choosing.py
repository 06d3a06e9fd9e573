"""Select from the candidates: the best of all or of each group, a number of records or a budget of tokens."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.candidates import Candidates, Choice
from selection.flags import wanted_number
from selection.groups import Groups, make_groups
from selection.ifd import Selection, select
from selection.shares import GroupCount, GroupedSelection, select_by_group, within_tokens
from shared.cli import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Chosen:
    """What was selected, and what is to say about it."""

    selection: Selection
    num_wanted: int | None  # None for a budget of tokens
    num_tokens: int | None  # what the responses have together, for a budget of tokens
    groups: Groups | None
    counts: list[GroupCount]  # of each group
    mean_lengths: list[float]  # of what is selected of each group; NaN for nothing
    num_moved: int  # selected in place of those that other groups lack
    num_ungrouped: int  # with a score, but without the length that the choice needs
    num_unsure: int  # selected, but not surely below 1

    @property
    def num_selected(self) -> int:
        """Return the number of selected records."""
        return len(self.selection.indices)


def choose(candidates: Candidates, choice: Choice, data_path: str) -> Chosen:
    """Return what the choice selects. Raises UserError where that is nothing, or where there are too many groups."""
    threshold = math.inf if choice.is_baseline else float(choice.threshold)
    scores, lengths = candidates.scores, candidates.lengths
    groups = make_groups(candidates.values, lengths, choice.length_groups, candidates.unit)
    of_record = groups.of_record if groups else None
    num_wanted = None
    if choice.sample_tokens is not None:
        found = within_tokens(scores, of_record, threshold, lengths, choice.sample_tokens)
    else:
        num_wanted = wanted_number(choice.sample_num, choice.sample_rate, len(scores))
        if of_record is None:
            found = GroupedSelection(select(scores, threshold, num_wanted), [], 0)
        else:
            found = select_by_group(scores, of_record, threshold, num_wanted)
    indices = found.selection.indices
    if not len(indices):
        raise UserError(f"{data_path}: {_why_nothing(candidates, choice, found)}; nothing was written")
    # What is selected above 1 is not meant to be surely below it.
    upper = candidates.upper[indices] if candidates.upper is not None and threshold <= 1 else None
    return Chosen(
        selection=found.selection,
        num_wanted=num_wanted,
        num_tokens=None if choice.sample_tokens is None else int(lengths[indices].sum()),
        groups=groups,
        counts=found.groups if groups else [],
        mean_lengths=_mean_lengths(lengths[indices], groups.of_record[indices], len(groups.names)) if groups else [],
        num_moved=found.num_moved,
        num_ungrouped=found.num_ungrouped,
        num_unsure=0 if upper is None else int((~(upper < 1)).sum()),
    )


def _why_nothing(candidates: Candidates, choice: Choice, found: GroupedSelection) -> str:
    if found.selection.num_below_cut:
        return (
            f"no selection has as few as {choice.sample_tokens} response tokens (--sample_tokens): the record to begin "
            "with has more"
        )
    below = candidates.missing if choice.is_baseline else f"{choice.key_name} below {choice.threshold}"
    length = f" and a length in {candidates.unit}" if found.num_ungrouped else ""
    return f"no record has {'a ' if choice.is_baseline else ''}{below}{length}"


def _mean_lengths(lengths: "np.ndarray", groups: "np.ndarray", num_groups: int) -> list[float]:
    import numpy as np

    there = ~np.isnan(lengths)
    sums = np.bincount(groups[there], weights=lengths[there], minlength=num_groups)
    counts = np.bincount(groups[there], minlength=num_groups)
    return [float(total) / count if count else math.nan for total, count in zip(sums, counts.tolist(), strict=True)]
