"""Work that memory does not hold is done in halves, in order, and one item that does not fit is named."""

from collections.abc import Sequence

import pytest

from models.out_of_memory import in_halves
from shared.cli import UserError


def compute(items: Sequence[int], half: str) -> list[str]:
    """Memory holds up to two items, and not the number 7."""
    if len(items) > 2 or 7 in items:
        raise MemoryError
    return [f"{item}{half}" for item in items]


def too_small(item: int) -> UserError:
    return UserError(f"{item} does not fit")


def test_halves_give_the_results_in_order_and_know_which_they_are() -> None:
    halved: list[Sequence[int]] = []
    results = in_halves(compute, [0, 1, 2, 3, 4, 5], too_small, halved.append)
    # 6 -> 3 + 3, and each 3 -> 1 + 2.
    assert results == [["0aa"], ["1ab", "2ab"], ["3ba"], ["4bb", "5bb"]]
    assert halved == [[0, 1, 2, 3, 4, 5], [0, 1, 2], [3, 4, 5]]


def test_what_fits_is_computed_at_once() -> None:
    assert in_halves(compute, [1, 2], too_small) == [["1", "2"]]


def test_an_item_that_does_not_fit_alone_is_named() -> None:
    with pytest.raises(UserError, match="7 does not fit"):
        in_halves(compute, [6, 7], too_small)
