"""How sure the scores of a report are: the interval of each record's IFD, and what is said of them together."""

from dataclasses import dataclass

import numpy as np

from selection.scored_dataset import TOKENS, UPPER

IFD = "ifd_ppl"
OF_INTERVALS = (IFD, UPPER, TOKENS)


@dataclass(frozen=True)
class Intervals:
    """The interval of each record's IFD, one entry a record, NaN where there is none. Both its ends are IFD times e to
    the power of two standard errors, below and above.
    """

    ifd: np.ndarray
    upper: np.ndarray  # ifd_upper
    tokens: np.ndarray  # scored tokens of the response

    @property
    def lower(self) -> np.ndarray:
        """The lower ends: as far below IFD, on a log scale, as the upper ends are above."""
        return self.ifd * (self.ifd / self.upper)

    @property
    def is_unsure(self) -> np.ndarray:
        """Whether IFD is below 1, but not surely: the upper end is not below 1, or is not known."""
        return (self.ifd < 1) & ~(self.upper < 1)

    @property
    def usual_spread(self) -> float:
        """The median over records of the standard deviation of a token's gain, in nats: the standard error times the
        root of the number of tokens. NaN where no record has an interval.
        """
        # Of a conversation, the upper end may be a mean over fewer turns than IFD, and be below it.
        spreads = np.log(np.maximum(self.upper / self.ifd, 1)) / 2 * np.sqrt(self.tokens)
        known = spreads[~np.isnan(spreads)]
        return float(np.median(known)) if len(known) else float("nan")

    def usual_ifd(self, upper: float, tokens: np.ndarray) -> np.ndarray:
        """Return the IFD at which a record of so many tokens and of the usual spread has this upper end."""
        return upper * np.exp(-2 * self.usual_spread / np.sqrt(tokens))


def find_intervals(numbers: dict[str, np.ndarray]) -> Intervals | None:
    """Return the intervals from columns under OF_INTERVALS; None where no record has an upper end."""
    ifd, upper, tokens = (numbers[name] for name in OF_INTERVALS)
    return None if np.isnan(upper).all() else Intervals(ifd, upper, tokens)


def num_unsure(intervals: Intervals | None, is_selected: np.ndarray, threshold: float) -> int | None:
    """Return how many of the selected are not surely below 1; None where nobody knows, or where none had to be."""
    if intervals is None or threshold > 1:
        return None
    return int((is_selected & ~np.isnan(intervals.ifd) & ~(intervals.upper < 1)).sum())


def sure_note(num: int | None, num_selected: int, key_name: str) -> list[str]:
    """Return what is said of the selected that are not surely below 1, as lines."""
    if num is None or not num_selected:
        return []
    if not num:
        every = f"{num_selected:,} of {num_selected:,} selected are surely below 1"
        return [f"{every}: the 95 percent interval of IFD ends below 1."]
    # Where none is sure, ifd_upper might select nothing.
    remedy = "" if key_name == UPPER or num == num_selected else " --key_name ifd_upper selects only those that are."
    of_all = f"{num:,} of {num_selected:,} selected are not surely below 1"
    return [f"{of_all}: the 95 percent interval of IFD reaches 1.{remedy}"]
