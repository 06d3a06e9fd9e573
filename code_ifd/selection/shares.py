"""Fair shares: how many records each group may keep, and which. Pure arithmetic, no files, no torch.

A group has a number from 0 on; -1 stands for a record in no group. The share of a group is in proportion to all of its
records, with a score or not. Whole numbers come of it by the method of largest remainders (Hamilton): every group gets
its quota rounded down, and what is left goes, one each, to the largest fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selection.ifd import Selection

if TYPE_CHECKING:
    import numpy as np

NO_GROUP = -1


@dataclass(frozen=True)
class GroupCount:
    """What became of a group."""

    num_records: int  # all of it, with a score or not
    num_qualified: int  # score < threshold
    num_wanted: int  # its share
    num_selected: int  # less than its share where too few qualify, more where others left theirs


@dataclass(frozen=True)
class GroupedSelection:
    """A selection by groups. `groups[g]` tells of group g."""

    selection: Selection  # a record in no group counts as skipped
    groups: list[GroupCount]
    num_ungrouped: int  # records with a score, but in no group

    @property
    def num_moved(self) -> int:
        """Return how many records were selected in place of those that other groups lack."""
        return sum(max(0, group.num_selected - group.num_wanted) for group in self.groups)


def largest_remainder(num_wanted: int, sizes: Sequence[int]) -> list[int]:
    """Return shares in proportion to `sizes` that add up to `num_wanted` exactly.

    Each is its quota `num_wanted * size / sum(sizes)`, rounded down or up; ties go to the earlier group. Raises
    ValueError where nothing has a size, or a number is negative.
    """
    total = sum(sizes)
    if num_wanted < 0 or min(sizes, default=0) < 0 or (num_wanted and not total):
        raise ValueError(f"{num_wanted} cannot be shared in proportion to {list(sizes)[:10]}")
    if not total:
        return [0] * len(sizes)
    quotas = [divmod(num_wanted * int(size), int(total)) for size in sizes]
    shares = [whole for whole, _ in quotas]
    # A stable sort keeps ties in group order.
    by_remainder = sorted(range(len(sizes)), key=lambda group: -quotas[group][1])
    for group in by_remainder[: num_wanted - sum(shares)]:
        shares[group] += 1
    return shares


def allot(num_wanted: int, sizes: Sequence[int], capacities: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the share of each group, and what it gets: never more than its capacity.

    What a group cannot use goes to those that still can, again in proportion to their sizes, until nothing is left or
    all are full.
    """
    shares = largest_remainder(num_wanted, sizes) if any(sizes) else [0] * len(sizes)
    taken = [min(share, capacity) for share, capacity in zip(shares, capacities, strict=True)]
    while left := num_wanted - sum(taken):
        # Each round places all that is left, or fills a group.
        free = [group for group, capacity in enumerate(capacities) if taken[group] < capacity]
        if not free:
            break
        for group, more in zip(free, largest_remainder(left, [sizes[group] for group in free]), strict=True):
            taken[group] = min(taken[group] + more, capacities[group])
    return shares, taken


def length_groups(lengths: "np.ndarray", num_groups: int) -> "np.ndarray":
    """Return the group of each record, shortest first; NaN, a record without a length, is in none (-1).

    The groups are of equal size, give or take one: cut by rank, equal lengths in record order.
    """
    import numpy as np

    lengths = np.asarray(lengths, dtype=np.float64)
    order = np.argsort(lengths, kind="stable")  # NaN last
    num_ranked = int((~np.isnan(lengths)).sum())
    groups = np.full(len(lengths), NO_GROUP, dtype=np.int64)
    groups[order[:num_ranked]] = np.arange(num_ranked) * num_groups // max(num_ranked, 1)
    return groups


class GroupRanking:
    """The records of each group that qualify, highest score first, for selections of any size.

    A record without tokens (NaN), where tokens are given, is in no group.
    """

    def __init__(
        self,
        scores: "Sequence[float] | np.ndarray",
        groups: "np.ndarray",
        threshold: float,
        tokens: "np.ndarray | None" = None,
    ) -> None:
        import numpy as np

        values, groups = np.array(scores, dtype=np.float64), np.asarray(groups, dtype=np.int64)
        outside = groups < 0 if tokens is None else (groups < 0) | np.isnan(tokens)
        self.num_ungrouped = int((outside & ~np.isnan(values)).sum())
        values[outside] = np.nan
        self.num_skipped = int(np.isnan(values).sum())
        self.num_records = len(values)
        num_groups = int(groups.max(initial=NO_GROUP)) + 1
        self.sizes: list[int] = np.bincount(groups[~outside], minlength=num_groups).tolist()
        qualified = np.flatnonzero(values < threshold)
        # Record numbers, highest score first, ties by record order; the group of each, and its place in the group.
        self.order = qualified[np.argsort(-values[qualified], kind="stable")]
        self._group = groups[self.order]
        self._by_group = np.argsort(self._group, kind="stable")
        counts = np.bincount(self._group, minlength=num_groups)
        self.capacities: list[int] = counts.tolist()
        self._starts = np.cumsum(counts) - counts
        self._place = np.empty(len(self.order), dtype=np.int64)
        self._place[self._by_group] = np.arange(len(self.order)) - np.repeat(self._starts, counts)

    def select(self, num_wanted: int) -> GroupedSelection:
        """Return the best of each group, as many as its share."""
        import numpy as np

        shares, taken = allot(num_wanted, self.sizes, self.capacities)
        kept = self.order[self._place < np.asarray(taken, dtype=np.int64)[self._group]]
        return GroupedSelection(
            Selection(
                indices=kept,
                num_skipped=self.num_skipped,
                num_at_or_over=self.num_records - self.num_skipped - len(self.order),
                num_below_cut=len(self.order) - len(kept),
            ),
            [GroupCount(*counts) for counts in zip(self.sizes, self.capacities, shares, taken, strict=True)],
            self.num_ungrouped,
        )

    def num_within(self, tokens: "np.ndarray", num_tokens: int) -> int:
        """Return a number of records to select whose tokens fit into a budget, where one more would not.

        `tokens` has each record's, and no NaN among those that qualify.
        """
        import numpy as np

        # Sums of whole numbers, exact as floats up to 9e15.
        sums = np.concatenate([[0.0], np.cumsum(tokens[self.order][self._by_group])])

        def fits(num_wanted: int) -> bool:
            """Return whether so many records stay within the budget."""
            ends = self._starts + np.asarray(allot(num_wanted, self.sizes, self.capacities)[1], dtype=np.int64)
            return bool((sums[ends] - sums[self._starts]).sum() <= num_tokens)

        # With one group the sum only rises. With more, a group can lose a record to the others as the number rises
        # (the Alabama paradox), so that a few numbers above the one found may fit too.
        fitting, too_many = 0, len(self.order) + 1
        while too_many - fitting > 1:
            middle = (fitting + too_many) // 2
            fitting, too_many = (middle, too_many) if fits(middle) else (fitting, middle)
        return fitting


def select_by_group(
    scores: "Sequence[float] | np.ndarray", groups: "np.ndarray", threshold: float, num_wanted: int
) -> GroupedSelection:
    """Return the highest scores strictly below the threshold in each group, by its share of `num_wanted`.

    NaN stands for a record without a score. A group in which too few qualify leaves the rest of its share to the
    others. The indices are highest score first over all groups, ties by record order.
    """
    return GroupRanking(scores, groups, threshold).select(num_wanted)


def within_tokens(
    scores: "Sequence[float] | np.ndarray",
    groups: "np.ndarray | None",
    threshold: float,
    tokens: "np.ndarray",
    num_tokens: int,
) -> GroupedSelection:
    """Return the selection whose response tokens together are at most `num_tokens`, where one more record's are not.

    Without groups it is the longest start of the ranking that fits. With groups it is what `select_by_group` returns
    for some number of records: the shares are of records, not of tokens, since shares of tokens would take many short
    responses for each long one. A record without tokens (NaN) is in no group.
    """
    import numpy as np

    tokens = np.asarray(tokens, dtype=np.float64)
    groups = np.zeros(len(tokens), dtype=np.int64) if groups is None else groups
    ranking = GroupRanking(scores, groups, threshold, tokens)
    return ranking.select(ranking.num_within(tokens, num_tokens))
