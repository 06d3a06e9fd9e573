"""Keys of a dataset's records that have few values (task, source): how many of each value are selected."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from records.keys import NAMES
from records.record import NUMBERS, Record

MAX_VALUES = 20
MAX_VALUE_CHARS = 60
MIN_RECORDS_A_VALUE = 5  # on average; fewer tell nothing, and an id in a short dataset is no category
MAX_KEYS_READ, MAX_KEYS_SHOWN = 60, 6
NO_VALUE = "(none)"
OF_STEP_2 = {*NUMBERS, "ifd_skipped", "ifd_turns"}
# What is asked and answered is no kind of record.
NO_KINDS = OF_STEP_2 | {
    name for role in ("instruction", "input", "output", "chosen", "rejected", "reasoning") for name in NAMES[role]
}


@dataclass(frozen=True)
class Category:
    """A key with few values."""

    key: str  # meta.source is the key source of the object meta
    values: list[str]
    of_record: np.ndarray  # int8, the place of its value in `values`


class CategoryFinder:
    """Finds the keys with few values while a dataset is read record by record."""

    def __init__(self) -> None:
        self._codes: dict[str, array[int]] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._dropped: set[str] = set()

    def look_at(self, record: Record, index: int) -> None:
        """Note the values of record number `index`; records must come in order."""
        for key, value in _flat(record):
            if key in NO_KINDS or key in self._dropped:
                continue
            if key not in self._codes:
                if len(self._codes) + len(self._dropped) >= MAX_KEYS_READ:
                    continue
                self._codes[key], self._known[key] = array("b"), {}
            text, known = _value_text(value), self._known[key]
            if text is None or (text not in known and len(known) == MAX_VALUES):
                self._dropped.add(key)
                del self._codes[key], self._known[key]
                continue
            codes = self._codes[key]
            codes.extend([-1] * (index - len(codes)))  # records without the key
            codes.append(known.setdefault(text, len(known)))

    def found(self, num_records: int) -> list[Category]:
        """Return the keys whose values tell records apart, in the order in which they were first seen."""
        categories = []
        for key, codes in self._codes.items():
            values, of_record = list(self._known[key]), np.full(num_records, -1, dtype=np.int8)
            of_record[: len(codes)] = np.frombuffer(codes, dtype=np.int8)
            if (of_record < 0).any():
                if NO_VALUE not in values:
                    values.append(NO_VALUE)
                of_record[of_record < 0] = values.index(NO_VALUE)
            if len(values) > 1 and num_records >= MIN_RECORDS_A_VALUE * len(values):
                categories.append(Category(key, values, of_record))
        return categories[:MAX_KEYS_SHOWN]


def category_tables(
    categories: list[Category], scores: np.ndarray, is_selected: np.ndarray
) -> list[dict[str, str | list[dict[str, Any]]]]:
    """Return a table for each key: a row for each value, those with the largest share selected first."""
    tables: list[dict[str, str | list[dict[str, Any]]]] = []
    for category in categories:
        rows = []
        for place, value in enumerate(category.values):
            is_value = category.of_record == place
            known = scores[is_value & ~np.isnan(scores)]
            rows.append(
                {
                    "value": value,
                    "num": int(is_value.sum()),
                    "selected": int((is_value & is_selected).sum()),
                    "median": f"{np.median(known):.3f}" if len(known) else None,
                }
            )
        tables.append({"key": category.key, "rows": sorted(rows, key=_by_share)})
    return tables


def _by_share(row: dict[str, Any]) -> tuple[float, int]:
    return -row["selected"] / row["num"] if row["num"] else 0.0, -row["num"]


def _flat(record: Record) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a record with their values, and those of the objects in it."""
    for key, value in record.items():
        if isinstance(value, dict):
            for inner_key, inner in value.items():
                yield f"{key}.{inner_key}", inner
        else:
            yield key, value


def _value_text(value: Any) -> str | None:
    """Return what a value is called; None for one that can name no category."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**MAX_VALUE_CHARS:
        return str(value)
    is_name = isinstance(value, str) and len(value) <= MAX_VALUE_CHARS and "\n" not in value
    return value if is_name else None
