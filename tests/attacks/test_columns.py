"""Columns of tables: every type that Arrow has

Each comes through all three steps, or is refused by name before anything is scored.
"""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from script_runs import Done, RunScript, error_line

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NUM = 2
TEXTS = {"instruction": ["Say."] * NUM, "output": ["Seven boats lay there.", "Six."]}
INTS = pa.array([1] * NUM, pa.int32())
DICTIONARY = pa.array(["a"] * NUM).dictionary_encode()
UNION = pa.UnionArray.from_sparse(pa.array([0] * NUM, pa.int8()), [INTS])
DAY = datetime.date(2024, 1, 2)
FAR = 10**15


def column(value: Any, kind: Any) -> Any:
    return pa.array([value] * NUM, kind)


def ends_of_lists() -> Any:
    return pa.array(range(NUM + 1), pa.int32())


# Columns, and what the selected JSON has of them.
KEPT: dict[str, tuple[Any, Any]] = {
    "null": (column(None, pa.null()), None),
    "bool": (column(True, pa.bool_()), True),
    "uint64": (column(2**64 - 1, pa.uint64()), 2**64 - 1),
    "half float": (pa.array(np.array([1.5] * NUM, np.float16)), 1.5),
    "half float NaN": (pa.array(np.array([np.nan] * NUM, np.float16)), None),
    "infinite": (column(float("inf"), pa.float32()), None),
    "list of NaN": (column([float("nan"), 1.0], pa.list_(pa.float64())), [None, 1.0]),
    "large_string": (column("a", pa.large_string()), "a"),
    "string_view": (column("a", pa.string_view()), "a"),
    "struct of string_view": (column({"a": "b"}, pa.struct([("a", pa.string_view())])), {"a": "b"}),
    "list of string_view": (column(["a"], pa.list_(pa.string_view())), ["a"]),
    "binary text": (column("é".encode(), pa.binary()), "é"),
    "binary": (column(b"\xff\x00", pa.binary()), "/wA="),
    "large_binary": (column(b"\xff\x00", pa.large_binary()), "/wA="),
    "binary_view": (column(b"\xff\x00", pa.binary_view()), "/wA="),
    "fixed size binary": (column(b"\xff\x00", pa.binary(2)), "/wA="),
    "image": (
        column({"bytes": b"\x89P", "path": None}, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        {"bytes": "iVA=", "path": None},
    ),
    "decimal32": (column(Decimal("1.25"), pa.decimal32(5, 2)), "1.25"),
    "decimal128": (column(Decimal("1.25"), pa.decimal128(10, 2)), "1.25"),
    "decimal256": (column(Decimal("1.25"), pa.decimal256(60, 2)), "1.25"),
    "date32": (column(DAY, pa.date32()), "2024-01-02"),
    "date64": (column(DAY, pa.date64()), "2024-01-02"),
    "far date": (column(10**8, pa.int32()).cast(pa.date32()), "<value out of range: 100000000>"),
    "time": (column(5, pa.time32("s")), "00:00:05"),
    "time beyond a day": (column(10**8, pa.int32()).view(pa.time32("s")), "<value out of range: 100000000>"),
    "timestamp": (column(0, pa.timestamp("ns")), "1970-01-01 00:00:00.000000000"),
    "far timestamp": (column(FAR, pa.timestamp("s")), f"<value out of range: {FAR}>"),
    "first timestamp": (column(-(2**63) + 1, pa.timestamp("us")), f"<value out of range: {-(2**63) + 1}>"),
    "zone": (column(0, pa.timestamp("s", "Europe/Berlin")), "1970-01-01 00:00:00Z"),
    "offset": (column(0, pa.timestamp("s", "+02:30")), "1970-01-01 00:00:00Z"),
    "unknown zone": (column(0, pa.timestamp("s", "Mars/Olympus")), "1970-01-01 00:00:00Z"),
    "unknown zone in a struct": (
        column({"a": 0}, pa.struct([("a", pa.timestamp("s", "Nowhere"))])),
        {"a": "1970-01-01 00:00:00Z"},
    ),
    "far timestamps in a list": (column([FAR], pa.list_(pa.timestamp("s"))), [f"<value out of range: {FAR}>"]),
    "duration": (column(5, pa.duration("ns")), 5),
    "far duration": (column(FAR, pa.duration("s")), FAR),
    "fixed size list": (column([1, 2], pa.list_(pa.int32(), 2)), [1, 2]),
    "list_view": (column([1], pa.list_view(pa.int32())), [1]),
    "large_list_view": (column(["a"], pa.large_list_view(pa.string())), ["a"]),
    "list of null": (column([None], pa.list_(pa.null())), [None]),
    "nested null": (column([[{"a": [None]}]], None), [[{"a": [None]}]]),
    "map": (column([("k", 1)], pa.map_(pa.string(), pa.int32())), [["k", 1]]),
    "map of dates": (column([(DAY, 1.0)], pa.map_(pa.date32(), pa.float32())), [["2024-01-02", 1.0]]),
    "dictionary": (DICTIONARY, "a"),
    "dictionary of far timestamps": (
        column(FAR, pa.timestamp("s")).dictionary_encode(),
        f"<value out of range: {FAR}>",
    ),
    "list of dictionary": (pa.ListArray.from_arrays(ends_of_lists(), DICTIONARY), ["a"]),
    "uuid": (pa.array([b"0123456789abcdef"] * NUM, pa.uuid()), "30313233-3435-3637-3839-616263646566"),
    "json": (pa.array(['{"a":1}'] * NUM, pa.json_()), '{"a":1}'),
    "run-end encoded": (pa.RunEndEncodedArray.from_arrays(pa.array([NUM], pa.int32()), pa.array(["a"])), "a"),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "interval": (column((1, 2, 3), pa.month_day_nano_interval()), "month_day_nano_interval"),
    "sparse union": (UNION, "cannot hold a union"),
    "dense union": (
        pa.UnionArray.from_dense(pa.array([0] * NUM, pa.int8()), pa.array(range(NUM), pa.int32()), [INTS]),
        "cannot hold a union",
    ),
    "list of union": (pa.ListArray.from_arrays(ends_of_lists(), UNION), "cannot hold a union"),
    "empty struct": (column({}, pa.struct([])), "no child field"),
    "struct with one name twice": (pa.StructArray.from_arrays([INTS, INTS], ["a", "a"]), "have one name"),
    "lists of no value": (column([], pa.list_(pa.int32(), 0)), "lists of no value"),
    "dictionary of structs": (
        pa.DictionaryArray.from_arrays(pa.array([0] * NUM, pa.int8()), pa.array([{"a": 1}])),
        "dictionary",
    ),
}


def write(table: Any, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


def score(run_script: RunScript, folder: Path, model: Path, data: str) -> Done:
    flags = (f"--model_name_or_path={model}", "--max_length=64")
    return run_script("data_analysis", f"--data_path={data}", "--save_path=s.jsonl", *flags, cwd=folder)


def merge_and_select(run_script: RunScript, folder: Path, data: str, ending: str) -> list[Done]:
    merged, selected = f"merged{ending}", f"selected{ending}"
    files = (f"--json_data_path={data}", "--pt_data_path=s.jsonl", f"--json_save_path={merged}")
    flags = (f"--json_save_path={selected}", "--filter_threash=1e6", "--sample_num=1")
    return [
        run_script("put_analysis_to_data", *files, cwd=folder),
        run_script("select_data", f"--json_data_path={merged}", *flags, cwd=folder),
    ]


@pytest.mark.parametrize("name", KEPT)
def test_columns_come_through_all_steps(run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, name: str) -> None:
    values, in_json = KEPT[name]
    data = "data.arrow"  # which has every type; the merged table is Parquet
    write(pa.table({**TEXTS, "x": values}), tmp_path / data)
    done = score(run_script, tmp_path, tiny_gpt2, data)
    assert done.returncode == 0, done.stderr
    for ending in (".parquet", ".jsonl"):
        assert [step.returncode for step in merge_and_select(run_script, tmp_path, data, ending)] == [0, 0]
    selected = json.loads((tmp_path / "selected.jsonl").read_text(encoding="utf-8"))
    assert selected["x"] == in_json
    assert pq.read_table(tmp_path / "selected.parquet").num_rows == 1


@pytest.mark.parametrize("name", REFUSED)
def test_columns_that_parquet_cannot_hold_are_refused_before_scoring(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, name: str
) -> None:
    values, fault = REFUSED[name]
    write(pa.table({**TEXTS, "x": values}), tmp_path / "data.arrow")
    line = error_line(score(run_script, tmp_path, tiny_gpt2, "data.arrow"))
    assert "column 'x' is of the type" in line
    assert fault in line
    assert not (tmp_path / "s.jsonl").exists()


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string_view(), pa.large_string()]
)
@pytest.mark.parametrize("key", ["instruction", "output"])
def test_texts_of_any_type_are_scored(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, key: str, kind: Any
) -> None:
    write(pa.table({**TEXTS, key: pa.array(TEXTS[key]).cast(kind)}), tmp_path / "data.parquet")
    assert score(run_script, tmp_path, tiny_gpt2, "data.parquet").returncode == 0
    assert [step.returncode for step in merge_and_select(run_script, tmp_path, "data.parquet", ".parquet")] == [0, 0]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"output": pa.array([b"\xff\xfe"] * NUM)}, "field 'output' is"),
        ({"output": pa.Array.from_buffers(pa.string(), NUM, pa.array([b"\xff"] * NUM).buffers())}, "damaged value"),
        ({"x": pa.Array.from_buffers(pa.string(), NUM, pa.array([b"\xff"] * NUM).buffers())}, "damaged value"),
        ({"output": INTS}, "field 'output' is 1 (a number)"),
    ],
)
def test_values_that_are_no_texts_are_refused(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, columns: dict[str, Any], fault: str
) -> None:
    write(pa.table(TEXTS | columns), tmp_path / "data.parquet")
    line = error_line(score(run_script, tmp_path, tiny_gpt2, "data.parquet"))
    assert line.startswith("data.parquet: ")
    assert fault in line


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
@pytest.mark.parametrize("name", ["x", "output", "ifd_ppl"])
def test_two_columns_of_one_name_are_refused(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, name: str, ending: str
) -> None:
    columns = [*(pa.array(texts) for texts in TEXTS.values()), INTS, INTS]
    names = [*TEXTS, name, name]
    write(pa.Table.from_arrays(columns, names), tmp_path / f"data{ending}")
    line = error_line(score(run_script, tmp_path, tiny_gpt2, f"data{ending}"))
    assert line == f"data{ending}: has two columns of the name {name!r}; rename one"


@pytest.mark.parametrize("name", ["ifd_ppl", "ifd_tokens", "ifd_skipped", "ifd_turns"])
@pytest.mark.parametrize("kind", ["dictionary", "image", "null", "binary"])
def test_earlier_scores_of_another_type_are_replaced(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, name: str, kind: str
) -> None:
    write(pa.table({**TEXTS, name: KEPT[kind][0]}), tmp_path / "data.parquet")
    assert score(run_script, tmp_path, tiny_gpt2, "data.parquet").returncode == 0
    assert [step.returncode for step in merge_and_select(run_script, tmp_path, "data.parquet", ".parquet")] == [0, 0]


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.null(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.large_list(pa.int64())),
        (pa.struct([("a", pa.int32())]), pa.struct([("b", pa.int64())]), None),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (pa.string_view(), pa.string(), pa.string()),
        (None, pa.int64(), pa.int64()),
    ],
)
def test_shards_of_several_types_are_widened(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, one: Any, other: Any, common: Any
) -> None:
    (tmp_path / "data").mkdir()
    for name, kind in (("1", one), ("2", other)):
        more = {} if kind is None else {"x": pa.nulls(NUM, kind)}
        write(pa.table(TEXTS | more), tmp_path / "data" / f"{name}.parquet")
    assert score(run_script, tmp_path, tiny_gpt2, "data").returncode == 0
    assert [step.returncode for step in merge_and_select(run_script, tmp_path, "data", ".parquet")] == [0, 0]
    merged = pq.read_table(tmp_path / "merged.parquet")
    assert merged.num_rows == 2 * NUM
    if common is not None:
        assert merged.schema.field("x").type.equals(common)


@pytest.mark.parametrize(
    ("one", "other"), [(pa.int32(), pa.string()), (pa.bool_(), pa.int8()), (pa.string(), pa.int64())]
)
def test_shards_without_a_common_type_are_refused_before_scoring(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, one: Any, other: Any
) -> None:
    (tmp_path / "data").mkdir()
    for name, kind in (("1", one), ("2", other)):
        write(pa.table({**TEXTS, "x": pa.nulls(NUM, kind)}), tmp_path / "data" / f"{name}.parquet")
    line = error_line(score(run_script, tmp_path, tiny_gpt2, "data"))
    assert f"x ({one} and {other})" in line
    assert not (tmp_path / "s.jsonl").exists()
