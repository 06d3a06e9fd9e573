"""Computations that memory may not hold: tried whole, then in halves."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(
    compute: Callable[[Sequence[Item], str], Result],
    items: Sequence[Item],
    too_small: Callable[[Item], Exception],
    on_halving: Callable[[Sequence[Item]], None] = lambda items: None,
    half: str = "",
) -> list[Result]:
    """Return the results of `compute` on all items, or on the smaller and smaller halves that memory holds, in order.

    `compute` is also told which half it has: "" for all, "a" and "b" for the halves, "ab" for the second half of the
    first. `on_halving` hears of items that memory did not hold, before they are halved. Raises `too_small(item)` when
    memory does not hold a single one.
    """
    result = unless_out_of_memory(lambda: compute(items, half))
    if result is not None:
        return [result]
    if len(items) == 1:
        raise too_small(items[0])
    on_halving(items)
    middle = len(items) // 2
    first = in_halves(compute, items[:middle], too_small, on_halving, half + "a")
    return first + in_halves(compute, items[middle:], too_small, on_halving, half + "b")


def unless_out_of_memory(compute: Callable[[], Result]) -> Result | None:
    """Return what `compute` returns, or None when memory ran out; by then the memory that it took is free again."""
    try:
        return compute()
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        # The CPU allocator has no exception of its own.
        if "allocate memory" not in str(error):
            raise
    # Outside of the handlers, so that the failed computation's tensors are free by now.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None
