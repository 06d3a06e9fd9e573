"""Datasets of every format: what is written is read, several files are one, and the three steps take them all."""

import gzip
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_json import objects, unicode_texts
from records.dataset import Dataset, Fetcher, RecordRange, dataset_writer, read_dataset, write_dataset
from script_runs import RunScript, error_line, write_json
from shared.cli import UserError
from shared.files import sha256_of

JSON_FORMATS = [".json", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson"]
RECORDS = [
    {"id": index, "instruction": f"Say {index}.", "output": "\u2028" + "x" * index, "more": {"a": [index]}}
    for index in range(700)
]


@settings(max_examples=60, deadline=None)
@given(records=st.lists(objects, min_size=1, max_size=5), ending=st.sampled_from(JSON_FORMATS))
def test_what_is_written_is_read(
    records: list[dict[str, Any]], ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("any") / f"data{ending}")
    write_dataset(path, records)
    assert repr(read_dataset(path)) == repr(records)  # repr tells 1 from 1.0 and True, and knows the order of keys


# Parquet has text in UTF-8, 64-bit integers, and one type a column.
columns = {
    "text": (pa.string(), unicode_texts),
    "big": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "day": (pa.date32(), st.dates()),
    "bytes": (pa.binary(), st.binary(max_size=8)),
    "list": (
        pa.list_(pa.struct([("k", pa.float32())])),
        st.lists(st.fixed_dictionaries({"k": st.floats(width=32, allow_nan=False)}), max_size=3),
    ),
    "maybe": (pa.bool_(), st.none() | st.booleans()),
}
schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({name: strategy for name, (_, strategy) in columns.items()}), min_size=1, max_size=5
    )
)
def test_parquet_keeps_values_and_types(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "in.parquet")
    source = Dataset(str(folder / "in.parquet"))
    with dataset_writer(str(folder / "out.parquet"), source) as writer:
        for block in source.blocks():
            writer.write(block)
    written = pq.read_table(folder / "out.parquet")
    assert written.schema.equals(schema)
    assert written.to_pylist() == rows
    assert read_dataset(str(folder / "in.parquet")) == as_json(rows)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({name: strategy for name, (_, strategy) in columns.items()}), min_size=1, max_size=5
    ),
    is_stream=...,
)
def test_arrow_files_are_read(
    rows: list[dict[str, Any]], is_stream: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "data.arrow"
    table = pa.Table.from_pylist(rows, schema).combine_chunks()
    with pa.ipc.new_stream(path, schema) if is_stream else pa.ipc.new_file(path, schema) as writer:
        writer.write_table(table, max_chunksize=5)
    assert read_dataset(str(path)) == as_json(rows)


def as_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with texts for dates, null for infinite numbers, and text for bytes where all of them are."""
    try:
        decoded: list[Any] = [row["bytes"] if row["bytes"] is None else row["bytes"].decode() for row in rows]
    except UnicodeDecodeError:
        decoded = [row["bytes"] for row in rows]
    days = [row["day"] if row["day"] is None else row["day"].isoformat() for row in rows]
    return [finite(row | {"bytes": text, "day": day}) for row, text, day in zip(rows, decoded, days, strict=True)]


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    return [finite(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("ending", JSON_FORMATS)
def test_many_blocks_come_back_in_order(ending: str, tmp_path: Path) -> None:
    write_dataset(str(tmp_path / f"data{ending}"), RECORDS)
    blocks = list(Dataset(str(tmp_path / f"data{ending}")).blocks())
    assert len(blocks) > 2
    assert [record for block in blocks for record in block.records()] == RECORDS


def write_shards(folder: Path, ending: str) -> None:
    for name, part in (("b-2", RECORDS[300:]), ("b-1", RECORDS[10:300]), ("a", RECORDS[:10])):
        write_dataset(str(folder / f"{name}{ending}"), part)


@pytest.mark.parametrize("ending", JSON_FORMATS)
@pytest.mark.parametrize("pattern", ["*", ""])
def test_shards_are_one_dataset_in_the_order_of_their_names(ending: str, pattern: str, tmp_path: Path) -> None:
    write_shards(tmp_path, ending)
    write_json(tmp_path / "a.jsonl.meta.json", {})  # what step 1 leaves beside scores is no data
    path = str(tmp_path / f"{pattern}{ending}") if pattern else str(tmp_path)
    dataset = Dataset(path)
    assert [Path(file).name for file in dataset.files] == [f"{name}{ending}" for name in ("a", "b-1", "b-2")]
    assert list(dataset.records()) == RECORDS


def test_hash_of_one_file_is_its_own_and_of_shards_depends_on_all(tmp_path: Path) -> None:
    write_shards(tmp_path, ".jsonl")
    assert Dataset(str(tmp_path / "a.jsonl")).sha256() == sha256_of(tmp_path / "a.jsonl")
    before = Dataset(str(tmp_path)).sha256()
    (tmp_path / "b-2.jsonl").rename(tmp_path / "b-3.jsonl")
    assert Dataset(str(tmp_path)).sha256() != before


def test_file_with_a_star_in_its_name_is_a_file(tmp_path: Path) -> None:
    write_dataset(str(tmp_path / "a*.jsonl"), RECORDS[:1])
    write_dataset(str(tmp_path / "ab.jsonl"), RECORDS[1:2])
    assert read_dataset(str(tmp_path / "a*.jsonl")) == RECORDS[:1]


def test_hugging_face_folder_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_list(RECORDS).save_to_disk(str(tmp_path / "saved"), num_shards=3)
    dataset = Dataset(str(tmp_path / "saved"))
    assert len(dataset.files) == 3
    assert list(dataset.records()) == RECORDS


def test_hugging_face_folder_of_splits_names_them(tmp_path: Path) -> None:
    whole = datasets.Dataset.from_list(RECORDS)
    datasets.DatasetDict({"train": whole, "test": whole}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(UserError, match=r"holds several splits \(test, train\); give one of them"):
        Dataset(str(tmp_path / "saved"))
    assert read_dataset(str(tmp_path / "saved" / "train")) == RECORDS


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl.gz", b"no gzip", "cannot be read: Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9999)[:-20], "cannot be read: Compressed file ended before"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9999)[:50] + b"\0" * 99, "cannot be read: "),
        ("a.jsonl.zst", b"no zstd", "cannot be read: "),
        ("a.parquet", b"PAR1 no parquet", "cannot be read: "),
        ("a.parquet", b"", "cannot be read: "),
        ("a.arrow", b"no arrow", "cannot be read: "),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n[1]\n'), "record 1 is an array, not an object"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"a": 1}\n{"a": "\xff"}\n'),
            "not UTF-8 at byte 16: ",
        ),  # of the text, not of the packed file
    ],
    ids=lambda value: ascii(value)[:16],
)
def test_damaged_file_is_named(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_dataset(str(tmp_path / name))
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ([], "*.jsonl", "no dataset file matches; wanted .json (an array)"),
        (["notes.txt"], "", "no dataset files in this folder"),
        (
            ["a.jsonl", "b.parquet"],
            "",
            "files of several formats (.parquet, jsonl); give a pattern that matches one of them",
        ),
    ],
)
def test_path_without_a_dataset_is_an_error(files: list[str], path: str, message: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Dataset(str(tmp_path / path))
    assert message in str(caught.value)


def test_file_that_changes_while_it_is_read_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    write_dataset(str(path), RECORDS)
    blocks = Dataset(str(path)).blocks()
    next(blocks)
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(UserError, match="has changed while it was read"):
        list(blocks)


def test_shards_with_other_columns_become_one_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.5]}), tmp_path / "2.parquet")
    source = Dataset(str(tmp_path))
    with dataset_writer(str(tmp_path / "out.parquet"), source) as writer:
        for block in source.blocks():
            writer.write(block)
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 1.5, "b": None}]


def test_shards_without_a_common_type_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": ["y"], "b": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(UserError, match=r"2.parquet: .* than those of .*1.parquet: a \(int64 and string\); give them"):
        list(Dataset(str(tmp_path)).blocks())


def test_values_that_json_lacks_become_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"day": [date(2024, 1, 2)], "bytes": [b"\xff"]}), tmp_path / "in.parquet")
    write_dataset(str(tmp_path / "out.jsonl"), read_dataset(str(tmp_path / "in.parquet")))
    assert read_dataset(str(tmp_path / "out.jsonl")) == [{"day": "2024-01-02", "bytes": "/w=="}]


def test_json_cannot_become_parquet(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", [{"ifd_ppl": 0.5}])
    done = run_script(
        "select_data", "--json_data_path=data.json", "--json_save_path=new.parquet", "--sample_num=1", cwd=tmp_path
    )
    assert (
        error_line(done)
        == "new.parquet: Parquet keeps the column types of Parquet, and data.json is JSON, which has none; write .jsonl"
    )


def test_range_and_fetcher_find_records_by_number(tmp_path: Path) -> None:
    write_dataset(str(tmp_path / "data.jsonl"), RECORDS)
    part = RecordRange(Dataset(str(tmp_path / "data.jsonl")), 100, 600)
    assert (len(part), list(part)) == (500, RECORDS[100:600])
    fetcher = Fetcher(part)
    for numbers in ([0, 3], [499], [2, 7, 400], []):
        assert fetcher.fetch(numbers) == [RECORDS[100 + number] for number in numbers]


@pytest.mark.parametrize("ending", [*JSON_FORMATS, ".parquet"])
@pytest.mark.parametrize("order", [[], ["--keep_order"]])
def test_step_3_ranks_more_records_than_a_bucket_holds(
    ending: str, order: list[str], run_script: RunScript, tmp_path: Path
) -> None:
    # 9,000 of 10,000 are kept: three buckets. Every score occurs twice, ties go by record order.
    scores = [(index * 7919 % 5000) / 5000 for index in range(10_000)]
    rows = [{"id": index, "ifd_ppl": score} for index, score in enumerate(scores)]
    path = tmp_path / f"data{ending}"
    pq.write_table(pa.Table.from_pylist(rows), path) if ending == ".parquet" else write_dataset(str(path), rows)
    done = run_script(
        "select_data",
        "--json_data_path",
        path,
        "--json_save_path",
        tmp_path / f"new{ending}",
        "--sample_num",
        9000,
        *order,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ranked = sorted(rows, key=lambda row: (-row["ifd_ppl"], row["id"]))[:9000]
    assert read_dataset(str(tmp_path / f"new{ending}")) == (
        sorted(ranked, key=lambda row: row["id"]) if order else ranked
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"data{ending}", f"new{ending}"]


def test_three_steps_on_shards_of_parquet(run_script: RunScript, tiny_gpt2: Path, tmp_path: Path) -> None:
    rows = [
        {"instruction": "Name a colour", "output": "red and brown " * (index % 4), "day": date(2024, 1, 1 + index)}
        for index in range(20)
    ]
    (tmp_path / "in").mkdir()
    for name, part in (("1", rows[:9]), ("2", rows[9:])):
        pq.write_table(pa.Table.from_pylist(part), tmp_path / "in" / f"{name}.parquet")
    scores, scored, selected = tmp_path / "s.jsonl", tmp_path / "scored.parquet", tmp_path / "selected.parquet"
    flags = ["--model_name_or_path", tiny_gpt2, "--max_length", 64, "--records_per_chunk", 4]
    one = run_script("data_analysis", "--data_path", tmp_path / "in", "--save_path", scores, *flags)
    two = run_script(
        "put_analysis_to_data",
        "--pt_data_path",
        scores,
        "--json_data_path",
        tmp_path / "in",
        "--json_save_path",
        scored,
    )
    three = run_script(
        "select_data",
        "--json_data_path",
        scored,
        "--json_save_path",
        selected,
        "--sample_num",
        5,
        "--filter_threash",
        9,
    )
    assert [done.returncode for done in (one, two, three)] == [0, 0, 0]
    table = pq.read_table(scored)
    assert table.select(["instruction", "output", "day"]).to_pylist() == rows
    assert table.column("ifd_skipped").to_pylist() == [
        "empty_response" if index % 4 == 0 else None for index in range(20)
    ]
    kept = pq.read_table(selected)
    assert kept.schema == table.schema
    assert (
        kept.column("ifd_ppl").to_pylist()
        == sorted(filter(None, table.column("ifd_ppl").to_pylist()), reverse=True)[:5]
    )


@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst"])
def test_compressed_bytes_depend_on_the_records_alone(ending: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_dataset(str(tmp_path / f"{name}{ending}"), RECORDS)
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    assert json.loads(read_first_line(tmp_path / f"a{ending}")) == RECORDS[0]


def read_first_line(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else pa.input_stream(str(path), compression="zstd") as file:
        return file.read(200).split(b"\n")[0]
