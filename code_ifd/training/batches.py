"""The records of each optimiser step, under a budget of response tokens or of records. No torch."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.cli import UserError


@dataclass(frozen=True)
class Budget:
    """How much a run trains on: the same for every arm. One of the two sizes of a step is given, the other is None."""

    num_steps: int
    tokens_per_step: int | None  # response tokens, on average
    batch_size: int | None  # records


def draw_batches(records: Sequence[int], lengths: Sequence[int], budget: Budget, seed: int) -> list[list[int]]:
    """Return the records of each step: one shuffled pass over `records` after the other, cut where the steps end.

    `lengths` has the response tokens of each record of the dataset. Raises UserError as `cut_by_tokens` does.
    """
    drawn = passes(records, seed)
    if budget.batch_size is not None:
        return [[next(drawn) for _ in range(budget.batch_size)] for _ in range(budget.num_steps)]
    assert budget.tokens_per_step is not None
    return cut_by_tokens(drawn, lengths, budget.num_steps, budget.tokens_per_step)


def check_budget(records: Sequence[int], lengths: Sequence[int], budget: Budget, seed: int) -> None:
    """Raise UserError where `draw_batches` would. It never does where no record is longer than a step."""
    if budget.tokens_per_step is not None and max(lengths[index] for index in records) > budget.tokens_per_step:
        draw_batches(records, lengths, budget, seed)


def passes(records: Sequence[int], seed: int) -> Iterator[int]:
    """Yield all records in a new order, again and again."""
    source = random.Random(f"order {seed}")
    while True:
        yield from source.sample(records, len(records))


def cut_by_tokens(
    drawn: Iterator[int], lengths: Sequence[int], num_steps: int, tokens_per_step: int
) -> list[list[int]]:
    """Return steps of whole records such that step k ends as close to k * tokens_per_step tokens as it can.

    So what one step has too much, the next ones have less, and all steps together are off by half a record at most. A
    step has at least one record. Raises UserError when records are so long that this breaks the budget.
    """
    steps: list[list[int]] = []
    total = 0
    following = next(drawn)
    for number in range(1, num_steps + 1):
        steps.append([])
        # The next record brings the sum closer to the step's end when its middle lies before that.
        while not steps[-1] or total + lengths[following] / 2 <= number * tokens_per_step:
            steps[-1].append(following)
            total += lengths[following]
            following = next(drawn)
    longest = max(lengths[index] for step in steps for index in step)
    if total - num_steps * tokens_per_step > longest / 2:
        raise UserError(
            f"--tokens_per_step {tokens_per_step}: records of up to {longest:,} response tokens make {num_steps} steps "
            f"of {total / num_steps:,.0f}, more than that; give more, or a lower --max_length"
        )
    return steps
