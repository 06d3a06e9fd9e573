"""Which records a model is trained on, and which it is judged by: held-out records and arms. No torch."""

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from selection.ifd import num_selected, select
from selection.scored_dataset import UPPER
from selection.shares import length_groups, select_by_group, within_tokens
from shared.cli import UserError

# What each arm trains on; {key} is the score that --key_name names, {groups} is --length_groups.
ARMS = {
    "selected": "highest {key} below the threshold, as step 3",
    "upper": "the same by ifd_upper",
    "selected_groups": "highest {key} of each of {groups} groups of equal size by length",
    "upper_groups": "the same by ifd_upper",
    "random": "any",
    "longest": "longest responses",
    "lowest": "lowest {key}",
    "all": "all records of the pool, however many",
}
OF_UPPER = ("upper", "upper_groups")


@dataclass(frozen=True)
class Split:
    """Record numbers, rising: what models are judged by, and what the arms are drawn from.

    They share no record, no question.
    """

    held_out: list[int]
    pool: list[int]


def split_records(
    questions: Sequence[Hashable | None], held_out_rate: Decimal, seed: int, planted: Sequence[bool] | None = None
) -> Split:
    """Draw the held-out records, a share of all that can be trained on; None stands for a record that cannot.

    Only records whose question no other record asks are drawn, so that nothing held out is half known from training,
    and none with a planted mistake: it would be the wrong thing to learn. Planting changes few of the others.
    Raises UserError when that leaves too few for either part.
    """
    times = Counter(questions)
    usable = [index for index, question in enumerate(questions) if question is not None]
    clean = [index for index in usable if times[questions[index]] == 1 and not (planted and planted[index])]
    num_held_out = num_selected(held_out_rate, len(usable))
    if not 0 < num_held_out <= len(clean) or num_held_out == len(usable):
        which = "" if planted is None else "are not planted and "
        raise UserError(
            f"--held_out_rate {held_out_rate}: of {len(usable)} records with a response that is {num_held_out}, "
            f"and {len(clean)} of them {which}ask what no other record asks; "
            "wanted at least one of these, and some records left to train on"
        )
    order = random.Random(f"split {seed}").sample(range(len(questions)), len(questions))
    drawable = set(clean)
    held_out = sorted([index for index in order if index in drawable][:num_held_out])
    return Split(held_out, sorted(set(usable) - set(held_out)))


@dataclass(frozen=True)
class Amount:
    """How much an arm takes of the pool: a number of records, or of response tokens (the most that fit)."""

    number: int
    is_tokens: bool = False


@dataclass(frozen=True)
class Pool:
    """The records that arms are drawn from, and what is known of each record of the dataset, in its order."""

    records: list[int]
    scores: Mapping[str, Sequence[float]]  # by key; NaN for none
    lengths: Sequence[int]  # response tokens
    key_name: str  # the score that `selected` and `lowest` go by
    threshold: float
    num_groups: int  # by length


def draw_arm(arm: str, pool: Pool, amount: Amount, seed: int) -> list[int]:
    """Return the record numbers that an arm trains on, as ARMS describes it; only `random` depends on the seed.

    `random`, `longest` and `all` know no threshold. Raises UserError when fewer than wanted qualify.
    """
    if arm == "all":
        return list(pool.records)
    lengths = np.asarray([pool.lengths[index] for index in pool.records], dtype=np.float64)
    ranking = _ranking(arm, pool, lengths, seed)
    groups = length_groups(lengths, pool.num_groups) if arm.endswith("_groups") else None
    qualified = ~np.isnan(ranking)
    num_there = int(lengths[qualified].sum() if amount.is_tokens else qualified.sum())
    if num_there < amount.number:
        unit = "response tokens" if amount.is_tokens else "records"
        raise UserError(
            f"only {num_there:,} {unit} to train on have a score below {pool.threshold:g} for the arm {arm}, "
            f"and an arm takes {amount.number:,}; lower --sample_rate"
        )
    if amount.is_tokens:
        chosen = within_tokens(ranking, groups, np.inf, lengths, amount.number).selection
    elif groups is not None:
        chosen = select_by_group(ranking, groups, np.inf, amount.number).selection
    else:
        chosen = select(ranking, np.inf, amount.number)
    if not len(chosen.indices):
        raise UserError(f"the arm {arm} has no record of so few response tokens; give a higher --sample_rate")
    return [pool.records[index] for index in chosen.indices.tolist()]


def _ranking(arm: str, pool: Pool, lengths: np.ndarray, seed: int) -> np.ndarray:
    """Return a number for each record of the pool, highest first; NaN for a record that does not qualify."""
    if arm == "random":
        source = random.Random(f"draw {seed}")
        return np.asarray([source.random() for _ in pool.records])
    if arm == "longest":
        return lengths
    scores = pool.scores[UPPER if arm in OF_UPPER else pool.key_name]
    of_pool = np.asarray([scores[index] for index in pool.records], dtype=np.float64)
    below = np.where(of_pool < pool.threshold, of_pool, np.nan)
    return -below if arm == "lowest" else below
