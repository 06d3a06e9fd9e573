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
    """The records of a report. A record is in one group, or in none where the whole dataset is shown."""

    numbers: list[int]  # of the records in the dataset, rising
    groups: dict[int, str]  # by number
    ranks: dict[int, int]  # by number, 1 for the highest score below the threshold; none at or over it


def take_sample(data: ScoredData, standing: Standing) -> Sample:
    """Return the records to show, each with its group."""
    groups = {number: name for name, numbers in _members(data, standing).items() for number in numbers}
    numbers = list(range(len(data))) if len(data) <= NUM_SHOWN else sorted(groups)
    shown = set(numbers)
    ranks = {number: rank for rank, number in enumerate(standing.ranking.tolist(), start=1) if number in shown}
    return Sample(numbers, groups, ranks)


def _members(data: ScoredData, standing: Standing) -> dict[str, list[int]]:
    import numpy as np

    ranking = standing.ranking.tolist()
    over = np.flatnonzero(data.scores >= standing.threshold)
    over = over[np.argsort(-data.scores[over], kind="stable")]
    # Of a short ranking, the half of the selected that is next to the cut is near it, and so is that of the others.
    before = after = 0
    cut = -(-len(ranking) // 2)
    if standing.cut is not None and standing.num_below:
        cut = standing.num_selected
        before, after = (min(NUM_OF_GROUP // 2, num // 2) for num in (cut, len(ranking) - cut))
    return {
        "highest": ranking[: cut - before][:NUM_OF_GROUP],
        "cut": ranking[cut - before : cut + after],
        "lowest": ranking[cut + after :][-NUM_OF_GROUP:],
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
