"""Which records a report shows: those at the ends, at the cut, over the threshold and without a score.

They are never more than fit.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from reporting.data import ScoredData, Standing

NUM_OF_GROUP = 100
GROUPS = ("highest", "cut", "lowest", "over", "skipped")
# A dataset of no more records than all groups together is shown whole.
NUM_SHOWN = NUM_OF_GROUP * len(GROUPS)


@dataclass(frozen=True)
class Sample:
    """The records of a report. A record may be in several groups, and in none where the whole dataset is shown."""

    numbers: list[int]  # of the records in the dataset, rising
    groups: dict[int, list[str]]  # by number
    ranks: dict[int, int]  # by number, 1 for the highest score below the threshold; none at or over it


def take_sample(data: ScoredData, standing: Standing) -> Sample:
    """Return the records to show, with their groups in the order of GROUPS."""
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for name, numbers in _members(data, standing).items():
        for number in numbers:
            groups[number].append(name)
    numbers = list(range(len(data))) if len(data) <= NUM_SHOWN else sorted(groups)
    shown = set(numbers)
    ranks = {number: rank for rank, number in enumerate(standing.ranking.tolist(), start=1) if number in shown}
    return Sample(numbers, {number: groups.get(number, []) for number in numbers}, ranks)


def _members(data: ScoredData, standing: Standing) -> dict[str, list[int]]:
    import numpy as np

    ranking = standing.ranking
    over = np.flatnonzero(data.scores >= standing.threshold)
    over = over[np.argsort(-data.scores[over], kind="stable")]
    # Half of them on either side.
    cut, half = standing.num_selected, NUM_OF_GROUP // 2
    has_cut = standing.cut is not None and standing.num_below
    return {
        "highest": ranking[:NUM_OF_GROUP].tolist(),
        "cut": ranking[max(cut - half, 0) : cut + half].tolist() if has_cut else [],
        "lowest": ranking[-NUM_OF_GROUP:].tolist(),
        "over": over[:NUM_OF_GROUP].tolist(),
        "skipped": _of_every_reason(data.reasons),
    }


def _of_every_reason(reasons: dict[int, str]) -> list[int]:
    """Return records without a score, the first ones of each reason, so that a rare reason is seen too."""
    by_reason: defaultdict[str, list[int]] = defaultdict(list)
    for number, reason in reasons.items():
        if len(by_reason[reason]) < NUM_OF_GROUP:
            by_reason[reason].append(number)
    in_turns = chain.from_iterable(zip_longest(*by_reason.values()))
    return list(islice((number for number in in_turns if number is not None), NUM_OF_GROUP))
