"""Which records a model is trained on, and which it is judged by: held-out records, arms, batches. No torch."""

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from selection.ifd import num_selected, select
from shared.cli import UserError

# All but `all` train on the same number of records.
ARMS = ("selected", "random", "lowest", "all")
# A control: what is selected is long, and more tokens teach more.
LONGEST = "longest"


@dataclass(frozen=True)
class Split:
    """Record numbers, rising: what models are judged by, and what the arms are drawn from.

    They share no record, no question.
    """

    held_out: list[int]
    pool: list[int]


def split_records(questions: Sequence[Hashable | None], held_out_rate: Decimal, seed: int) -> Split:
    """Draw the held-out records, a share of all that can be trained on; None stands for a record that cannot.

    Only records whose question no other record asks are drawn, so that nothing held out is half known from training.
    Raises UserError when that leaves too few for either part.
    """
    times = Counter(questions)
    usable = [index for index, question in enumerate(questions) if question is not None]
    unique = [index for index in usable if times[questions[index]] == 1]
    num_held_out = num_selected(held_out_rate, len(usable))
    if not 0 < num_held_out <= len(unique) or num_held_out == len(usable):
        raise UserError(
            f"--held_out_rate {held_out_rate}: of {len(usable)} records with a response that is {num_held_out}, "
            f"and {len(unique)} ask what no other record asks; "
            "wanted at least one of these, and some records left to train on"
        )
    held_out = sorted(random.Random(f"split {seed}").sample(unique, num_held_out))
    return Split(held_out, sorted(set(usable) - set(held_out)))


@dataclass(frozen=True)
class Candidates:
    """The records that arms are drawn from, and what is known of each record of the dataset, in its order."""

    pool: list[int]
    scores: Sequence[float]  # NaN for none
    lengths: Sequence[int]  # tokens of the response


def draw_arm(arm: str, candidates: Candidates, num_wanted: int, threshold: float, seed: int) -> list[int]:
    """Return the record numbers that an arm trains on.

    `selected` has the highest scores below the threshold, as step 3; `lowest` the lowest ones; `random` draws anew for
    each seed, from records over the threshold too; `all` is the pool; `longest` has the longest responses whatever
    their score. Raises UserError when fewer than wanted qualify.
    """
    pool = candidates.pool
    if arm == "all":
        return list(pool)
    if arm == "random":
        return random.Random(f"draw {seed}").sample(pool, num_wanted)
    if arm == LONGEST:
        return sorted(pool, key=lambda index: -candidates.lengths[index])[:num_wanted]
    of_pool = np.asarray([candidates.scores[index] for index in pool])
    num_below = int((of_pool < threshold).sum())
    if num_below < num_wanted:
        raise UserError(
            f"only {num_below} records to train on have a score below {threshold:g}, and an arm takes {num_wanted}; "
            "lower --sample_rate"
        )
    # NaN sorts last, and so does what is over the threshold.
    chosen = (
        select(of_pool, threshold, num_wanted).indices
        if arm == "selected"
        else np.argsort(of_pool, kind="stable")[:num_wanted]
    )
    return [pool[index] for index in chosen.tolist()]


def draw_batches(records: Sequence[int], num_steps: int, batch_size: int, seed: int) -> list[list[int]]:
    """Return the records of each optimiser step.

    They are one shuffled pass over `records` after the other, cut where the steps end.
    """
    source = random.Random(f"order {seed}")
    drawn: list[int] = []
    while len(drawn) < num_steps * batch_size:
        drawn += source.sample(records, len(records))
    return [drawn[start : start + batch_size] for start in range(0, num_steps * batch_size, batch_size)]
