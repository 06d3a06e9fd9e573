"""Which keys of a dataset have few values, and how many records of each value are selected."""

import math
from typing import Any

import numpy as np
import pytest

from reporting.categories import (
    MAX_KEYS_SHOWN,
    MAX_VALUES,
    MIN_RECORDS_A_VALUE,
    Category,
    CategoryFinder,
    category_tables,
)


def find(records: list[dict[str, Any]]) -> list[Category]:
    finder = CategoryFinder()
    for index, record in enumerate(records):
        finder.look_at(record, index)
    return finder.found(len(records))


def values_of(category: Category) -> list[str]:
    """Return the value of each record."""
    return [category.values[place] for place in category.of_record]


def with_values(values: list[Any]) -> list[dict[str, Any]]:
    """Return records that have these values in turn, often enough to be a category."""
    return [{"key": value} for value in values * MIN_RECORDS_A_VALUE]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["a", "b"], ["a", "b"]),
        ([True, False], ["true", "false"]),
        ([1, 2, 3], ["1", "2", "3"]),
        (["a", None, ""], ["a", "(none)", "(none)"]),
        (["\u6c49", "<b>"], ["\u6c49", "<b>"]),
    ],
    ids=["texts", "booleans", "numbers", "nothing", "letters"],
)
def test_key_of_few_values_is_found(values: list[Any], names: list[str]) -> None:
    (found,) = find(with_values(values))
    assert (found.key, values_of(found)) == ("key", names * MIN_RECORDS_A_VALUE)


@pytest.mark.parametrize("key", ["instruction", "input", "completion", "context", "ifd_skipped"])
def test_what_is_asked_and_answered_is_no_kind(key: str) -> None:
    assert find([{key: value} for value in ("a", "b") * MIN_RECORDS_A_VALUE]) == []


@pytest.mark.parametrize(
    "values",
    [
        ["a"],
        [None],
        ["a", ["b"]],
        ["a", 0.5],
        ["a", "x" * 61],
        ["a", "two\nlines"],
        [str(number) for number in range(MAX_VALUES + 1)],
        ["a", 10**80],
    ],
    ids=["one value", "nothing", "a list", "a fraction", "a long text", "lines", "many values", "a huge number"],
)
def test_other_keys_are_none(values: list[Any]) -> None:
    assert find(with_values(values)) == []


def test_key_with_a_value_for_almost_each_record_is_none() -> None:
    ids = [{"id": number} for number in range(MAX_VALUES)]
    assert find(ids) == []
    enough, too_few = ([{"key": place % 2} for place in range(2 * MIN_RECORDS_A_VALUE - less)] for less in (0, 1))
    assert (len(find(enough)), len(find(too_few))) == (1, 0)


def test_record_without_the_key_has_no_value_wherever_it_stands() -> None:
    records: list[dict[str, Any]] = [{}] * 4 + [{"key": "a"}] * 4 + [{}] * 4 + [{"key": "b"}] * 4 + [{}] * 4
    (found,) = find(records)
    assert values_of(found) == ["(none)"] * 4 + ["a"] * 4 + ["(none)"] * 4 + ["b"] * 4 + ["(none)"] * 4


def test_keys_of_an_object_have_its_name_before_theirs() -> None:
    records = [{"meta": {"source": place % 2, "url": f"u{place}" * 30}} for place in range(30)]
    assert [category.key for category in find(records)] == ["meta.source"]


def test_columns_of_step_2_are_none_and_the_keys_are_bounded() -> None:
    assert find([{"ifd_skipped": place % 2 and "long_prompt", "ifd_tokens": place % 3} for place in range(40)]) == []
    many = [{f"key {key}": place % 2 for key in range(1000)} for place in range(40)]
    assert [category.key for category in find(many)] == [f"key {key}" for key in range(MAX_KEYS_SHOWN)]


def test_table_counts_every_record_once_and_begins_with_the_largest_share() -> None:
    category = Category("task", ["a", "b", "c"], np.array([0, 0, 0, 1, 1, 2], dtype=np.int8))
    scores = np.array([0.2, 0.4, 0.9, 0.8, 0.7, math.nan])
    selected = np.array([False, False, True, True, False, False])
    (table,) = category_tables([category], scores, selected)
    assert table["key"] == "task"
    assert table["rows"] == [
        {"value": "b", "num": 2, "selected": 1, "median": "0.750"},
        {"value": "a", "num": 3, "selected": 1, "median": "0.400"},
        {"value": "c", "num": 1, "selected": 0, "median": None},
    ]
