"""What step 3 says of its selection: where the records went, the table of groups, and what may surprise."""

import math
from dataclasses import dataclass

from selection.candidates import Candidates, Choice
from selection.choosing import Chosen
from selection.shares import GroupCount
from shared.texts import TERMINAL_COLUMNS, fit_columns, num_columns, printable

MAX_GROUPS_SHOWN = 20
HEADS = ("records", "share", "qualified", "selected")


def summary(chosen: Chosen, candidates: Candidates, choice: Choice, save_path: str) -> str:
    """Return where every record went, and the table of groups if there are groups."""
    selection = chosen.selection
    parts = [f"{selection.num_skipped} skipped (no {candidates.missing})"]
    if choice.is_baseline:
        parts.append(f"{selection.num_below_cut} not chosen")
    else:
        parts.append(f"{selection.num_at_or_over} at or over the threshold {choice.threshold}")
        parts.append(f"{selection.num_below_cut} below the cut")
    lines = [f"{len(candidates.scores)} records: {', '.join(parts)}, {chosen.num_selected} selected -> {save_path}"]
    if chosen.num_tokens is not None:
        lines.append(f"{chosen.num_tokens} response tokens, of {choice.sample_tokens} that were allowed")
    return "\n".join(lines + _group_table(chosen, candidates.unit))


def notes(chosen: Chosen, candidates: Candidates, choice: Choice) -> list[str]:
    """Return what a user may not expect of the selection, a line each."""
    found = []
    have = f"a {candidates.missing}" if choice.is_baseline else f"a score below {choice.threshold}"
    have += f" and a length in {candidates.unit}" if chosen.num_ungrouped else ""
    if chosen.num_wanted is not None and chosen.num_selected < chosen.num_wanted:
        found.append(f"{chosen.num_wanted} were asked for, but only {chosen.num_selected} have {have}")
    if chosen.num_tokens is not None and not chosen.selection.num_below_cut:
        found.append(f"all records that have {have} are selected: {chosen.num_tokens} response tokens together")
    short = sum(count.num_selected < count.num_wanted for count in chosen.counts)
    if short:
        others = (
            f"{chosen.num_moved} of other groups were selected instead"
            if chosen.num_moved
            else "the others have no more"
        )
        found.append(f"fewer records than their share have {have} in {short} of {len(chosen.counts)} groups; {others}")
    if chosen.num_ungrouped:
        found.append(
            f"records with a {candidates.missing} but no length in {candidates.unit}, which are not selected: "
            f"{chosen.num_ungrouped}"
        )
    if chosen.num_unsure:
        found.append(_unsure(chosen.num_unsure, chosen.num_selected))
    return found


def _unsure(num_unsure: int, num_selected: int) -> str:
    if num_unsure == num_selected:
        # ifd_upper might then select nothing at all.
        return "the prompt surely helps none of the selected records (ifd_upper >= 1)"
    verb = "is" if num_unsure == 1 else "are"
    return f"{num_unsure} of {num_selected} {verb} not surely below 1; --key_name ifd_upper selects only those that are"


def _group_table(chosen: Chosen, unit: str) -> list[str]:
    """Return the lines of the table: a line a group, or the largest groups and a line for the rest."""
    if chosen.groups is None:
        return []
    lines = [
        _Line(name, count, mean)
        for name, count, mean in zip(chosen.groups.names, chosen.counts, chosen.mean_lengths, strict=True)
        if count.num_records
    ]
    by_size = sorted(range(len(lines)), key=lambda number: -lines[number].count.num_records)
    shown = [lines[number] for number in sorted(by_size[:MAX_GROUPS_SHOWN])]
    rest = [lines[number] for number in by_size[MAX_GROUPS_SHOWN:]]
    if rest:
        shown.append(_together(f"{len(rest)} smaller groups", rest))
    return ["", *_aligned([(chosen.groups.title, *HEADS, f"mean {unit}"), *(line.cells() for line in shown)])]


@dataclass(frozen=True)
class _Line:
    name: str
    count: GroupCount
    mean_length: float  # of what is selected

    def cells(self) -> tuple[str, ...]:
        """Return what the columns show."""
        count = self.count
        numbers = (count.num_records, count.num_wanted, count.num_qualified, count.num_selected)
        return (self.name, *map(str, numbers), "-" if math.isnan(self.mean_length) else f"{self.mean_length:.1f}")


def _together(name: str, lines: list[_Line]) -> _Line:
    counts = [line.count for line in lines]
    total = GroupCount(
        num_records=sum(count.num_records for count in counts),
        num_qualified=sum(count.num_qualified for count in counts),
        num_wanted=sum(count.num_wanted for count in counts),
        num_selected=sum(count.num_selected for count in counts),
    )
    known = [line for line in lines if not math.isnan(line.mean_length)]
    num_known = sum(line.count.num_selected for line in known)
    length = sum(line.mean_length * line.count.num_selected for line in known)
    return _Line(name, total, length / num_known if num_known else math.nan)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    room = TERMINAL_COLUMNS - sum(width + 2 for width in widths)
    # A name may hold a line end, or what a terminal would obey. No more than its beginning fits.
    names = [fit_columns(printable(row[0][:TERMINAL_COLUMNS]), room) for row in rows]
    width = max(map(num_columns, names))
    return [
        name
        + " " * (width - num_columns(name))
        + "".join(f"  {cell:>{w}}" for cell, w in zip(row[1:], widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]
