"""The log axes of a report's figures: at least two labels on a narrow range, and none that overlap on a wide one.

matplotlib's LogLocator and LogFormatterSciNotation give less here: labels that overlap, or one label and even none.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DECADES = 7  # labels such as 10,000 that fit beside each other
MIN_STEPS, MAX_STEPS = 3, 7  # of 1, 2, 5, 10, 20
PLAIN_TO = 1e5  # from here on, all labels are powers of ten: 100,000 is too wide
SUPERSCRIPTS = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def set_log_axis(axes: "Axes", low: float, high: float, is_whole: bool = False) -> None:
    """Make x a log axis from `low` to `high`, both over 0. With `is_whole`, no label is a fraction."""
    from matplotlib.ticker import FixedLocator, NullFormatter

    ticks = log_ticks(low, high, is_whole)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    labels = log_labels(ticks)
    is_powers = all(label.startswith("10") for label in labels)  # whose raised digits are small
    axes.xaxis.set_ticklabels(labels, fontsize=11 if is_powers else 9)
    axes.xaxis.set_minor_formatter(NullFormatter())


def log_ticks(low: float, high: float, is_whole: bool = False) -> list[float]:
    """Return where the labels of a log axis are: steps of 1, 2, 5, decades, or for a narrow range even steps."""
    from matplotlib.ticker import MaxNLocator

    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    steps = [step for step in steps if low <= step <= high and (step >= 1 or not is_whole)]
    if len(steps) < MIN_STEPS:
        even = MaxNLocator(
            5 if high < PLAIN_TO else 4, steps=[1, 2, 5, 10], integer=is_whole, min_n_ticks=2
        ).tick_values(low, high)
        return [float(tick) for tick in even if low <= tick <= high]
    if len(steps) <= MAX_STEPS:
        return steps
    inside = [decade for decade in decades if low <= float(f"1e{decade}") <= high]
    every = -(-len(inside) // MAX_DECADES)
    return [float(f"1e{decade}") for decade in inside if decade % every == 0]


def log_labels(ticks: list[float]) -> list[str]:
    """Return the labels of ticks: plain numbers, or all of them powers of ten."""
    if max(ticks) < PLAIN_TO and min(ticks) >= 1 / PLAIN_TO:
        return [f"{tick:,.10g}" for tick in ticks]
    return [_power(tick) for tick in ticks]


def _power(tick: float) -> str:
    digits, exponent = f"{tick:.9e}".split("e")
    power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return power if float(digits) == 1 else f"{float(digits):g}\u00d7{power}"
