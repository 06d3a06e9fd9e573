"""Try a computation that memory may not hold."""

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


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
