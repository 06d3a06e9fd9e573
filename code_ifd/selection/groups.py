"""The groups of a selection: by the values of a key, by length, or both crossed. No torch."""

import json
import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from records.record import Block, Record
from selection.flags import MAX_GROUPS
from selection.shares import NO_GROUP, length_groups
from shared.cli import UserError
from shared.texts import describe, shorten

if TYPE_CHECKING:
    import numpy as np

MAX_KEYS_NAMED = 8


@dataclass(frozen=True)
class Groups:
    """Which group each record is in, and what the groups are called."""

    title: str  # what they are groups of
    names: list[str]
    of_record: "np.ndarray"  # int64, -1 for a record in none


class ValueColumn:
    """The value of each record under a key, as a number from 0 on in the order in which the values are first seen.

    `meta.source` is the key `source` of the object `meta`, but where a record has a key with that very name, it wins.
    """

    def __init__(self, path: str, key: str, is_table: bool) -> None:
        self.key, self.numbers = key, array("h")
        self._path, self._is_table = path, is_table
        # A boolean equals a number in Python, and is another value in JSON.
        self._known: dict[tuple[bool, Any], int] = {}

    def add(self, block: Block) -> None:
        """Add the values of a block.

        Raises UserError for a record without the key, for a value that cannot name a group, and for too many values.
        """
        rows = self._columns(block) if self._is_table else block.records()
        for index, row in enumerate(rows):
            where = f"{self._path}: record {len(self.numbers)}"
            try:
                value = find_value(row, self.key)
            except KeyError:
                # A row of a table has only the columns that were looked for.
                whole = block.take([index]).records()[0]
                raise UserError(
                    f"{where}: {self.key!r} is missing ({_keys_there(whole, self.key)}); --group_by needs it in every "
                    "record"
                ) from None
            value = _group_value(value, f"{where}: {self.key!r}")
            number = self._known.setdefault((isinstance(value, bool), value), len(self._known))
            if number >= MAX_GROUPS:
                raise UserError(
                    f"{where}: more than {MAX_GROUPS:,} values of {self.key!r} up to here; --group_by makes a group of "
                    "each: name a key with fewer values, such as a source or a language"
                )
            self.numbers.append(number)

    def names(self) -> list[str]:
        """Return how the values are shown: texts as they are, all else as in JSON.

        So is a text that could be taken for something else, or not be seen: `null`, a space, a line end.
        """
        values = [value for _, value in self._known]
        others = {shorten(value) for value in values if not isinstance(value, str)}
        return [value if _is_plain(value) and value not in others else shorten(value) for value in values]

    def _columns(self, block: Block) -> list[Record]:
        # One or two columns instead of all of them: whole rows take long to make.
        names = dict.fromkeys((self.key, self.key.partition(".")[0]))
        columns = {name: values for name in names if (values := block.values(name)) is not None}
        if not columns:
            return [{}] * len(block)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def find_value(record: Record, key: str) -> Any:
    """Return what a record has under a key, or under a path of keys with dots between; null has null under any key.

    Raises KeyError where it is missing.
    """
    if key in record:
        return record[key]
    value: Any = record
    for part in key.split("."):
        # A table has null where an object is missing.
        if value is None:
            return None
        if not isinstance(value, dict):
            raise KeyError(key)
        value = value[part]
    return value


def make_groups(
    values: ValueColumn | None, lengths: "np.ndarray | None", num_groups: int | None, unit: str
) -> Groups | None:
    """Return the groups: by value, by length (of all records, in `unit`), by both, or None for neither.

    Raises UserError when both make too many.
    """
    import numpy as np

    by_value = (
        Groups(values.key, values.names(), np.asarray(values.numbers, dtype=np.int64)) if values is not None else None
    )
    if num_groups is None or lengths is None:
        return by_value
    of_record = length_groups(lengths, num_groups)
    by_length = Groups(unit, _ranges(lengths, of_record), of_record)
    return by_length if by_value is None else _crossed(by_length, by_value)


def _crossed(one: Groups, other: Groups) -> Groups:
    import numpy as np

    pairs = one.of_record * len(other.names) + other.of_record
    pairs[(one.of_record < 0) | (other.of_record < 0)] = NO_GROUP
    found = np.unique(pairs[pairs >= 0])
    if len(found) > MAX_GROUPS:
        raise UserError(
            f"--length_groups and --group_by {shorten(other.title)} together make {len(found):,} groups, more than "
            f"{MAX_GROUPS:,}; ask for fewer groups by length, or name a key with fewer values"
        )
    of_record = np.where(pairs < 0, NO_GROUP, np.searchsorted(found, pairs))
    names = [f"{one.names[pair // len(other.names)]}, {other.names[pair % len(other.names)]}" for pair in found]
    return Groups(f"{one.title}, {other.title}", names, of_record)


def _ranges(lengths: "np.ndarray", groups: "np.ndarray") -> list[str]:
    import numpy as np

    # Fewer records than groups that were asked for leave some empty.
    num_groups = int(groups.max(initial=NO_GROUP)) + 1
    shortest, longest = np.full(num_groups, np.inf), np.full(num_groups, -np.inf)
    there = groups >= 0
    np.minimum.at(shortest, groups[there], lengths[there])
    np.maximum.at(longest, groups[there], lengths[there])
    return [
        f"{number}: {low:.0f} to {high:.0f}" if low <= high else f"{number}: none"
        for number, (low, high) in enumerate(zip(shortest, longest, strict=True), start=1)
    ]


def _group_value(value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # what tables write for a number that is not there
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UserError(f"{where} is {_describe(value)}; --group_by needs a string, a number, true, false or null")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value == value.strip() and value.isprintable()


def _describe(value: Any) -> str:
    # Tables have values that JSON has not: dates, bytes.
    as_json = json.loads(json.dumps(value, default=str))
    return describe(as_json) if type(as_json) is type(value) else f"{shorten(as_json)} ({type(value).__name__})"


def _keys_there(record: Record, key: str) -> str:
    level: Any = record
    seen: list[str] = []
    for part in key.split(".")[:-1]:
        if not isinstance(level.get(part), dict):
            break
        level = level[part]
        seen.append(part)
    else:
        part = ""
    if part and part in level:
        return f"{'.'.join([*seen, part])!r} is {_describe(level[part])}"
    names = [repr(".".join([*seen, name])) for name in list(level)[:MAX_KEYS_NAMED]]
    return f"there are {', '.join(names) or 'none'}{', ...' if len(level) > MAX_KEYS_NAMED else ''}"
