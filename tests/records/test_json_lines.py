"""Datasets on disk: what is read comes back, what is written is strict JSON, and what is wrong is named."""

import json
import os
import resource
import stat
from pathlib import Path
from typing import Any

import pytest

from records.dataset import read_dataset, write_dataset
from script_runs import RunScript, error_line, files_in, write_json
from shared.cli import UserError

GOOD = b'{"instruction": "a", "output": "b", "ifd_ppl": 0.5}'
BIG = int("7" * 4000)

both_formats = pytest.mark.parametrize("extension", [".json", ".jsonl", ".JSON", ".ndjson"])


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def in_dataset(record: bytes, extension: str) -> bytes:
    """A file of three records; this one is the second."""
    return (
        b"[\n%s,\n%s,\n%s\n]" % (GOOD, record, GOOD) if extension == ".json" else b"%s\n%s\n%s\n" % (GOOD, record, GOOD)
    )


@both_formats
@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": [None, True, {"z": {}, "y": []}]},
        "one\u2028two\u2029three\x85four\r\n",
        "\U0001f389 \u6c49\u5b57 \0",
        BIG,
        -BIG,
        "\ud83d alone",
        {"\udc00": "as a key"},
        0.1 + 0.2,
        1.0,
        5e-324,
        1.7976931348623157e308,
        -0.0,
        False,
        None,
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_value_comes_back(tmp_path: Path, extension: str, value: Any) -> None:
    path = str(tmp_path / f"data{extension}")
    records = [{"output": "b", "extra": value, "instruction": "a"}, {"zeta": value, "alpha": 1}]
    write_dataset(path, records)
    assert repr(read_dataset(path)) == repr(records)  # repr tells 1 from 1.0 and True, and knows the order of keys


@pytest.mark.parametrize(
    ("extension", "first", "last", "comma"), [(".json", b"[", b"]", b","), (".jsonl", b"", b"", b"")]
)
def test_one_record_a_line_in_strict_json(
    tmp_path: Path, extension: str, first: bytes, last: bytes, comma: bytes
) -> None:
    path = tmp_path / f"data{extension}"
    records = [{"index": index, "text": "\u2028\n\x85\ud800"} for index in range(5)]
    write_dataset(str(path), records)
    data = path.read_bytes()
    assert data.startswith(first) and data.endswith(last + b"\n")
    lines = [line.removesuffix(comma) for line in data.split(b"\n") if line not in (b"", b"[", b"]")]
    assert [json.loads(line, parse_constant=refuse_constant) for line in lines] == records


@pytest.mark.parametrize("data", [b"[%s, %s]" % (GOOD, GOOD), b"\xef\xbb\xbf[%s,\r\n%s]" % (GOOD, GOOD)])
def test_array_is_read_with_or_without_a_byte_order_mark(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data.json").write_bytes(data)
    assert read_dataset(str(tmp_path / "data.json")) == [json.loads(GOOD)] * 2


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_lines_are_read_whatever_ends_them(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD + (end or b"\n") + GOOD + end)
    assert read_dataset(str(tmp_path / "data.jsonl")) == [json.loads(GOOD)] * 2


@pytest.mark.parametrize("extension", [".json", ".jsonl"])
def test_non_finite_numbers_become_null_and_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str
) -> None:
    path = tmp_path / f"data{extension}"
    path.write_bytes(in_dataset(b'{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN"}', extension))
    assert read_dataset(str(path))[1] == {"a": None, "b": [None, None], "c": "NaN"}
    note = (
        f"note: {path}: {1 + 2} NaN or Infinity, which JSON does not have, or numbers as large as 1e400, read as null\n"
    )
    assert capsys.readouterr() == ("", note)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_file_mode_follows_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_dataset(str(tmp_path / "data.json"), [{}])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data.json").stat().st_mode) == 0o666 & ~umask


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_dataset(str(tmp_path / "new" / "deep" / "data.json"), [{"a": 1}])
    assert read_dataset(str(tmp_path / "new" / "deep" / "data.json")) == [{"a": 1}]


def test_failure_inside_keeps_the_old_file(tmp_path: Path) -> None:
    path = write_json(tmp_path / "data.json", [{"old": 1}])
    before = files_in(tmp_path)
    with pytest.raises(UserError, match="the record without a text cannot be written as JSON"):
        write_dataset(str(path), [{"a": 1}, {"a": float("nan")}])
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b'{"a": 1}', "not an array of records"),
        ("a.json", b"7", "a number, not an array of records"),
        ("a.json", b'[{"a": 1},\n{"a": 2,}]', "line 2 column 9: broken JSON: "),
        (
            "a.json",
            GOOD + b"\n" + GOOD,
            "line 2 column 1: broken JSON: Extra data; if it holds one record a line, its name must end in .jsonl",
        ),
        ("a.json", b"", "line 1 column 1: broken JSON: "),
        ("a.json", b"[]", "no records in it"),
        ("a.jsonl", b"", "no records in it"),
        ("a.jsonl", b"\n\n", "no records in it"),
        ("a.jsonl", GOOD + b"\n\n{'a': 1}\n", "line 3 column 2: broken JSON: "),
        ("a.jsonl", GOOD + b'\n{"a": 1', "line 2 column 8: broken JSON: "),
        ("a.json", b"[%s, [1]]" % GOOD, "record 1 is an array, not an object"),
        ("a.jsonl", GOOD + b'\n"text"', "record 1 is a string, not an object"),
        ("a.jsonl", GOOD + b"\nnull", "record 1 is null, not an object"),
        ("a.csv", b"instruction,output\n", "the file name must end in .json (an array), .jsonl (a record a line; "),
        ("a", GOOD, "the file name must end in .json"),
        ("a.json", b'[{"a": "\xe9"}]', "not UTF-8 at byte 8: invalid continuation byte; convert it to UTF-8"),
        ("a.json", '[{"a": 1}]'.encode("utf-16"), "not UTF-8 at byte 0: invalid start byte"),
        ("a.json", b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "JSON that cannot be read: "),
        ("a.jsonl", GOOD + b"\n" + b'{"a": ' * 100_000, "line 2: JSON that cannot be read: "),
        ("a.json", b'[{"a": %s}]' % (b"7" * 5000), "JSON that cannot be read: a number of more than 4300 digits"),
        (
            "a.jsonl",
            GOOD + b'\n{"a": %s}' % (b"7" * 5000),
            "line 2: JSON that cannot be read: a number of more than 4300 digits",
        ),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_unreadable_dataset_is_one_line(
    run_script: RunScript, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    error = error_line(
        run_script("select_data", "--json_data_path", name, "--json_save_path", "new.json", cwd=tmp_path)
    )
    assert error.startswith(f"{name}: ")
    assert message in error
    assert files_in(tmp_path) == {tmp_path / name: data}


def test_empty_folder_is_no_dataset(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    error = error_line(
        run_script("select_data", "--json_data_path", "a.json", "--json_save_path", "new.json", cwd=tmp_path)
    )
    assert error.startswith("a.json: no dataset files in this folder; wanted .json (an array)")
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{}", "record 1: field 'instruction' is missing (there are "),
        (b'{"instruction": "a", "reply": "b"}', "record 1: field 'output' is missing (there are "),
        (b'{"instruction": "a", "output": 4.5}', "record 1: field 'output' is 4.5 (a number); it must be a string"),
        (b'{"instruction": null, "output": "b"}', "record 1: field 'instruction' is null; it must be a string"),
        (
            b'{"instruction": "a", "input": false, "output": "b"}',
            "record 1: field 'input' is false (a boolean); it must be a string",
        ),
        (
            b'{"instruction": ["%s"], "output": "b"}' % (b"x" * 99),
            f"record 1: field 'instruction' is [\"{'x' * 35}... (an array)",
        ),
        (
            b'{"instruction": "a", "output": "\\ud83d!"}',
            "record 1: field 'output' holds half of a surrogate pair, which is no character: ",
        ),
        (b'{"instruction": "a", "output": "b", "input": "\\udc00"}', '"\\udc00"; mend or remove it'),
    ],
)
@pytest.mark.parametrize("extension", [".json", ".jsonl"])
def test_field_that_cannot_be_scored_is_named(
    run_script: RunScript, tmp_path: Path, extension: str, record: bytes, message: str
) -> None:
    path = tmp_path / f"data{extension}"
    path.write_bytes(in_dataset(record, extension))
    before = files_in(tmp_path)
    error = error_line(run_script("data_analysis", "--data_path", path, "--save_path", tmp_path / "scores.jsonl"))
    assert error.startswith(f"{path}: record 1: field ")
    assert message in error
    assert files_in(tmp_path) == before


def select(run_script: RunScript, folder: Path, save_path: str, *flags: str, **options: Any) -> str:
    """Run step 3 on folder/data.json, where it must fail and change nothing; return its error."""
    before = files_in(folder)
    error = error_line(
        run_script(
            "select_data",
            "--json_data_path=data.json",
            "--json_save_path",
            save_path,
            "--sample_rate=1",
            *flags,
            cwd=folder,
            **options,
        )
    )
    assert files_in(folder) == before
    return error


@pytest.mark.parametrize(
    ("save_path", "message"),
    [
        ("data.json", "the output would overwrite an input of this step; give the output another name"),
        ("./link.json", "the output would overwrite an input"),
        ("new.csv", "the file name must end in .json"),
        ("new", "the file name must end in .json"),
        ("data.json/new.json", "cannot be written, nothing was changed: "),
        ("data.json/deep/new.json", "cannot be written, nothing was changed: "),
        ("folder.json", "cannot be written, nothing was changed: Is a directory"),
        ("x" * 300 + ".json", "cannot be written, nothing was changed: File name too long"),
    ],
)
def test_output_that_cannot_be_written_is_one_line(
    run_script: RunScript, tmp_path: Path, save_path: str, message: str
) -> None:
    (tmp_path / "data.json").write_bytes(b"[%s]" % GOOD)
    (tmp_path / "link.json").symlink_to("data.json")
    (tmp_path / "folder.json").mkdir()
    error = select(run_script, tmp_path, save_path)
    assert error.startswith(f"{save_path}: ")
    assert message in error


def test_number_beyond_floats_is_read_as_null(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_bytes(b'[{"ifd_ppl": 0.5, "extra": 1e999}]')
    done = run_script(
        "select_data", "--json_data_path=data.json", "--json_save_path=new.json", "--sample_num=1", cwd=tmp_path
    )
    assert done.stderr.startswith("note: data.json: 1 NaN or Infinity, which JSON does not have, or numbers as large")
    assert json.loads((tmp_path / "new.json").read_text()) == [{"ifd_ppl": 0.5, "extra": None}]


@pytest.mark.parametrize("old", [None, b"[old]"])
@pytest.mark.parametrize("num_bytes", [0, 1000, 100_000])
def test_full_disk_leaves_things_as_they_were(
    run_script: RunScript, tmp_path: Path, old: bytes | None, num_bytes: int
) -> None:
    (tmp_path / "data.json").write_bytes(b"[%s]" % b",".join([GOOD] * 5000))
    if old:
        (tmp_path / "new.json").write_bytes(old)

    def fill_disk() -> None:
        # A file may not grow beyond this; the write fails as it does on a full disk, with another number.
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))

    error = select(run_script, tmp_path, "new.json", "--overwrite", preexec_fn=fill_disk)
    assert (
        error == "new.json: cannot be written, nothing was changed: File too large; free space or choose another place"
    )


@pytest.mark.parametrize("extension", [".json", ".jsonl"])
def test_real_records_come_back(real_data_dir: Path, tmp_path: Path, extension: str) -> None:
    records = read_dataset(str(real_data_dir / "alpaca_en_demo.json"))
    assert len(records) == 999
    write_dataset(str(tmp_path / f"data{extension}"), records)
    assert repr(read_dataset(str(tmp_path / f"data{extension}"))) == repr(records)
