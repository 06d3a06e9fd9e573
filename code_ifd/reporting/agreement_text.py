"""The agreement of two scorers as text, for a terminal of 80 columns."""

from collections.abc import Iterator, Sequence

from reporting.agreement import Disagreement
from reporting.comparison import Choice, Comparison
from selection.ifd import score_name
from shared.texts import TERMINAL_COLUMNS, fit_columns

NO_NUMBER = "-"


def comparison_text(found: Comparison, choice: Choice, instructions: Sequence[str]) -> str:
    """Return all tables; `instructions` has the text to show for each disagreement."""
    num_common = found.correlations[choice.key_name].num_common
    parts = [
        _correlations(found),
        _selected(found, choice),
        _lengths(found, choice),
        _disagreements(found.disagreements, instructions, num_common, score_name(choice.key_name)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts)


def _correlations(found: Comparison) -> Iterator[str]:
    yield f"{found.num_records} records with the same texts in both; all numbers are equal in {found.num_equal} of them"
    yield ""
    yield f"{'':<16}{'in both':>9}{'only A':>8}{'only B':>8}{'neither':>9}{'Spearman':>11}{'Kendall':>10}"
    for name, row in found.correlations.items():
        counts = f"{row.num_common:>9}{row.num_only_a:>8}{row.num_only_b:>8}{row.num_neither:>9}"
        yield f"{name:<16}{counts}{_number(row.spearman, 5):>11}{_number(row.kendall, 5):>10}"
    for name, row in found.correlations.items():
        if row.undefined:
            yield f"{name}: no correlation, since {row.undefined}"


def _selected(found: Comparison, choice: Choice) -> Iterator[str]:
    heads = f"{'wanted':>9}{'by A':>8}{'by B':>8}{'by both':>9}{'share':>9}{'Jaccard':>9}"
    yield f"{f'selected below {choice.threshold:g}':<22}{heads}"
    for row in found.overlaps:
        part = row.overlap
        counts = f"{row.num_wanted:>9}{part.num_a:>8}{part.num_b:>8}{part.num_both:>9}"
        yield f"{percent(row.sample_rate):<22}{counts}{percent(part.share):>9}{_number(part.jaccard, 2):>9}"
    sides = found.flips
    yield (
        f"{choice.key_name} below {choice.threshold:g}: {sides.num_below_both} in both, "
        f"{sides.num_below_only_a} in A only, {sides.num_below_only_b} in B only, {sides.num_below_neither} in neither"
    )


def _lengths(found: Comparison, choice: Choice) -> Iterator[str]:
    a, b = found.length_a, found.length_b
    yield f"{'length of response, in characters':<40}{'A':>9}{'B':>9}"
    spearman = f"Spearman with {choice.key_name}"
    yield f"{spearman:<40}{_number(a.correlation.spearman, 3):>9}{_number(b.correlation.spearman, 3):>9}"
    yield f"{'mean of all records':<40}{a.mean_all:>9.0f}{b.mean_all:>9.0f}"
    for row, mean_a, mean_b in zip(found.overlaps, a.mean_selected, b.mean_selected, strict=True):
        yield f"{f'mean of the selected {percent(row.sample_rate)}':<40}{_number(mean_a, 0):>9}{_number(mean_b, 0):>9}"


def _disagreements(
    rows: Sequence[Disagreement], instructions: Sequence[str], num_common: int, name: str
) -> Iterator[str]:
    if not rows:
        yield f"each of the {num_common} records with a score in both has the same rank in both"
        return
    yield f"most different ranks, from 1 (the highest) to {num_common}; records are counted from 0"
    width = max(11, len(f"{name} A") + 2)
    heading = f"{'record':>7}{f'{name} A':>{width}}{f'{name} B':>{width}}{'rank A':>10}{'rank B':>10}  "
    yield heading + "instruction"
    for row, instruction in zip(rows, instructions, strict=True):
        scores = f"{row.score_a:>{width}.4g}{row.score_b:>{width}.4g}"
        numbers = f"{row.record:>7}{scores}{row.rank_a:>10.8g}{row.rank_b:>10.8g}  "
        yield (numbers + fit_columns(instruction, TERMINAL_COLUMNS - len(heading))).rstrip()


def _number(value: float | None, num_decimals: int) -> str:
    return NO_NUMBER if value is None else f"{value:.{num_decimals}f}"


def percent(value: float | None) -> str:
    """Return a share as text: `5%`."""
    return NO_NUMBER if value is None else f"{100 * value:.3g}%"
