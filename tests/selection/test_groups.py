"""Which group a record is in, and what the groups are called."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.dataset import Dataset, write_dataset
from selection.groups import Groups, ValueColumn, make_groups
from selection.scored_dataset import read_columns
from shared.cli import UserError


def write_as(folder: Path, ending: str, records: list[dict]) -> Dataset:
    path = folder / f"data{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        write_dataset(str(path), records)
    return Dataset(str(path))


def read_values(dataset: Dataset, key: str) -> ValueColumn:
    column = ValueColumn(dataset.path, key, dataset.is_table)
    read_columns(dataset, [column])
    return column


def groups_of(dataset: Dataset, key: str) -> list[str]:
    """The name of each record's group."""
    column = read_values(dataset, key)
    names = column.names()
    return [names[number] for number in column.numbers]


every_format = pytest.mark.parametrize("ending", [".json", ".jsonl", ".parquet"])


@every_format
@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["web", "book", "web", None], ["web", "book", "web", "null"]),
        ([3, 1, None, 3], ["3", "1", "null", "3"]),
        ([True, False, None, True], ["true", "false", "null", "true"]),
        ([1.5, None, 2.0, 1.5], ["1.5", "null", "2.0", "1.5"]),
        (["网络", "é", "null", "7"], ["网络", "é", "null", "7"]),
    ],
)
def test_each_value_is_a_group(ending: str, values: list[Any], names: list[str], tmp_path: Path) -> None:
    assert groups_of(write_as(tmp_path, ending, [{"source": value} for value in values]), "source") == names


@every_format
def test_nested_key_is_found_and_null_has_null_under_any_key(ending: str, tmp_path: Path) -> None:
    records = [{"meta": {"by": {"source": source}, "x": 1}} for source in ("a", "b", None)]
    dataset = write_as(tmp_path, ending, [*records, {"meta": {"by": None, "x": 2}}, {"meta": None}])
    assert groups_of(dataset, "meta.by.source") == ["a", "b", "null", "null", "null"]


@every_format
def test_key_with_that_very_name_wins_over_a_nested_one(ending: str, tmp_path: Path) -> None:
    dataset = write_as(tmp_path, ending, [{"meta.source": "flat", "meta": {"source": "nested"}}] * 2)
    assert groups_of(dataset, "meta.source") == ["flat", "flat"]


def test_values_that_only_look_alike_are_groups_of_their_own(tmp_path: Path) -> None:
    values = [1, "1", True, "true", None, "null", "", " ", "a", "a\n"]
    names = groups_of(write_as(tmp_path, ".json", [{"k": value} for value in values]), "k")
    assert names == ["1", '"1"', "true", '"true"', "null", '"null"', '""', '" "', "a", '"a\\n"']


def test_whole_number_is_one_group_however_it_is_written(tmp_path: Path) -> None:
    assert groups_of(write_as(tmp_path, ".json", [{"k": 1}, {"k": 1.0}]), "k") == ["1", "1"]


def test_nan_of_a_table_is_null(tmp_path: Path) -> None:
    assert groups_of(write_as(tmp_path, ".parquet", [{"k": 1.0}, {"k": float("nan")}]), "k") == ["1.0", "null"]


@pytest.mark.parametrize(
    ("record", "key", "there"),
    [
        ({"a": 1, "b": 2}, "k", "there are 'a', 'b'"),
        ({"meta": {"lang": "de"}, "b": 2}, "meta.k", "there are 'meta.lang'"),
        ({"meta": "text"}, "meta.k", "'meta' is \"text\" (a string)"),
        ({"meta": {"by": [1]}}, "meta.by.k", "'meta.by' is [1] (an array)"),
        ({"b": 2}, "meta.k", "there are 'b'"),
        ({str(number): 0 for number in range(9)}, "k", "there are '0', '1', '2', '3', '4', '5', '6', '7', ..."),
    ],
)
@every_format
def test_record_without_the_key_is_named_with_the_keys_that_are_there(
    ending: str, record: dict, key: str, there: str, tmp_path: Path
) -> None:
    dataset = write_as(tmp_path, ending, [record])
    with pytest.raises(UserError) as error:
        read_values(dataset, key)
    message = f"{dataset.path}: record 0: {key!r} is missing ({there}); --group_by needs it in every record"
    assert str(error.value) == message


def test_later_record_without_the_key_is_named_too(tmp_path: Path) -> None:
    dataset = write_as(tmp_path, ".jsonl", [{"k": 1}] * 700 + [{"j": 1}])
    with pytest.raises(UserError, match=r"record 700: 'k' is missing \(there are 'j'\)"):
        read_values(dataset, "k")


@every_format
@pytest.mark.parametrize(
    ("value", "seen"),
    [([1, 2], r"\[1, 2\] \(an array\)"), ({"a": None, "b": 1}, r'\{"a": null, "b": 1\} \(an object\)')],
)
def test_value_that_names_no_group_is_an_error(ending: str, value: Any, seen: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"record 1: 'k' is {seen}; --group_by needs"):
        read_values(write_as(tmp_path, ending, [{"k": None}, {"k": value}]), "k")


@pytest.mark.parametrize("value", [b"\xff\x00", [datetime.date(2024, 1, 2)]])
def test_value_that_only_tables_have_is_an_error_too(value: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"record 0: 'k' is .* --group_by needs a string"):
        read_values(write_as(tmp_path, ".parquet", [{"k": value}]), "k")


def test_thousand_values_are_groups_and_one_more_is_an_error(tmp_path: Path) -> None:
    records = [{"k": f"value {number}"} for number in range(1000)]
    assert len(set(groups_of(write_as(tmp_path, ".jsonl", records), "k"))) == 1000
    with pytest.raises(UserError, match=r"record 1000: more than 1,000 values of 'k' up to here"):
        read_values(write_as(tmp_path, ".jsonl", [*records, {"k": "x"}]), "k")


def made(lengths: list[float], num_groups: int | None, values: ValueColumn | None = None) -> Groups | None:
    return make_groups(values, np.array(lengths, dtype=float), num_groups, "tokens")


def test_groups_by_length_are_named_after_what_they_hold() -> None:
    groups = made([9, 1, 5, 3], 2)
    assert groups is not None
    assert (groups.title, groups.names, groups.of_record.tolist()) == (
        "tokens",
        ["1: 1 to 3", "2: 5 to 9"],
        [1, 0, 1, 0],
    )


def test_crossed_groups_are_the_pairs_that_there_are(tmp_path: Path) -> None:
    # Lengths are cut over the whole dataset: a has short ones only.
    values = read_values(write_as(tmp_path, ".json", [{"k": value} for value in "aabb"]), "k")
    groups = made([1, 2, 3, 4], 2, values)
    assert groups is not None
    assert (groups.title, groups.names) == ("tokens, k", ["1: 1 to 2, a", "2: 3 to 4, b"])
    assert groups.of_record.tolist() == [0, 0, 1, 1]


def test_record_without_a_length_is_in_no_crossed_group(tmp_path: Path) -> None:
    values = read_values(write_as(tmp_path, ".json", [{"k": "a"}, {"k": "b"}, {"k": "b"}]), "k")
    groups = made([1, float("nan"), 2], 1, values)
    assert groups is not None and groups.of_record.tolist() == [0, -1, 1]


def test_too_many_crossed_groups_are_an_error(tmp_path: Path) -> None:
    values = read_values(write_as(tmp_path, ".jsonl", [{"k": number % 600} for number in range(1200)]), "k")
    with pytest.raises(
        UserError, match=r"--length_groups and --group_by .k. together make 1,200 groups, more than 1,000"
    ):
        made(list(range(1200)), 2, values)


def test_no_groups_were_asked_for() -> None:
    assert made([1, 2], None) is None


def test_nothing_of_a_record_but_its_group_is_kept(tmp_path: Path) -> None:
    column = read_values(write_as(tmp_path, ".jsonl", [{"k": "x" * 1000}] * 5000), "k")
    assert column.numbers.itemsize * len(column.numbers) == 2 * 5000
    assert json.loads(json.dumps(column.names())) == ["x" * 1000]
