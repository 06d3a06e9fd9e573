"""Planting as users run it: any format in, JSON out, the same bytes for the same seed, one line a mistake."""

import json
from pathlib import Path

import pytest

from records.dataset import read_dataset
from script_runs import RunScript, error_line, files_in, write_json


@pytest.fixture
def data(tmp_path: Path) -> Path:
    records = [{"instruction": f"Wie heißt {index}?", "output": f"Zahl {index} 🍒"} for index in range(20)]
    return write_json(tmp_path / "data.json", records)


def test_copy_has_all_records_in_order_and_says_which_are_planted(run_script: RunScript, data: Path) -> None:
    target = data.parent / "planted.jsonl"
    done = run_script("plant_mistakes", "--json_data_path", data, "--json_save_path", target, "--rate", "0.1")
    assert (done.returncode, done.stdout) == (0, f"2 of 20 records got the response of another one\n-> {target}\n")
    before, after = read_dataset(str(data)), read_dataset(str(target))
    assert [record["instruction"] for record in after] == [record["instruction"] for record in before]
    assert [one["output"] != other["output"] for one, other in zip(before, after, strict=True)] == [
        record["planted"] for record in after
    ]


def test_same_seed_gives_the_same_bytes(run_script: RunScript, data: Path) -> None:
    copies = []
    for number, seed in enumerate((0, 0, 1)):
        target = data.parent / f"planted{number}.json"
        assert (
            run_script(
                "plant_mistakes", "--json_data_path", data, "--json_save_path", target, "--seed", seed
            ).returncode
            == 0
        )
        copies.append(target.read_bytes())
    assert copies[0] == copies[1] != copies[2]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"--json_save_path": "data.json"}, "data.json: the output would overwrite an input of this step"),
        ({"--json_save_path": "out.parquet"}, "out.parquet: the copy is JSON, whatever is read; name it .jsonl"),
        ({"--json_save_path": "out.csv"}, "out.csv: the file name must end in .json"),
        ({"--rate": "0.05"}, "a rate of 0.05: of 20 records that is 1, "),
        ({"--rate": "1.5"}, "argument --rate: '1.5' is not above 0 and at most 1"),
        ({"--fields": "output=answer"}, "data.json: record 0: field 'answer' is missing"),
    ],
)
def test_mistake_is_one_line_and_nothing_is_written(
    run_script: RunScript, data: Path, flags: dict[str, str], message: str
) -> None:
    before = files_in(data.parent)
    wanted = {"--json_data_path": "data.json", "--json_save_path": "out.json"} | flags
    done = run_script("plant_mistakes", *(part for pair in wanted.items() for part in pair), cwd=data.parent)
    assert error_line(done).startswith(message)
    assert files_in(data.parent) == before


@pytest.mark.parametrize(
    ("found", "key"), [({"planted": False}, "planted"), ({"ifd_ppl": 0.5}, "ifd_ppl"), ({"planted": True}, "planted")]
)
def test_what_is_planted_or_scored_already_is_refused(
    run_script: RunScript, data: Path, found: dict[str, object], key: str
) -> None:
    records = read_dataset(str(data))
    records[7] |= found
    write_json(data, records)
    before = files_in(data.parent)
    done = run_script("plant_mistakes", "--json_data_path", "data.json", "--json_save_path", "o.json", cwd=data.parent)
    assert error_line(done).startswith(f"data.json: record 7: {key!r} is there already; mistakes are planted once, ")
    assert files_in(data.parent) == before


def test_keys_of_a_score_without_one_are_no_score(run_script: RunScript, data: Path) -> None:
    write_json(data, [record | {"ifd_ppl": None} for record in read_dataset(str(data))])
    done = run_script("plant_mistakes", "--json_data_path", "data.json", "--json_save_path", "o.json", cwd=data.parent)
    assert done.returncode == 0


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".jsonl.gz"])
def test_copy_is_read_and_written_in_the_format_of_its_name(run_script: RunScript, data: Path, ending: str) -> None:
    first = data.parent / f"first{ending}"
    done = run_script("plant_mistakes", "--json_data_path", data, "--json_save_path", first)
    assert done.returncode == 0, done.stderr
    unmarked = [
        {key: value for key, value in record.items() if key != "planted"} for record in read_dataset(str(first))
    ]
    assert sorted(record["output"] for record in unmarked) == sorted(r["output"] for r in read_dataset(str(data)))


def test_empty_dataset_is_refused(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", [])
    done = run_script("plant_mistakes", "--json_data_path", "data.json", "--json_save_path", "o.json", cwd=tmp_path)
    assert error_line(done) == "data.json: no records in it"


def test_planted_parquet_is_written_as_json(run_script: RunScript, data: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = data.parent / "data.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(read_dataset(str(data))), table)
    for source in (data, table):
        target = source.with_suffix(f"{source.suffix}.jsonl")
        assert run_script("plant_mistakes", "--json_data_path", source, "--json_save_path", target).returncode == 0
    assert json.loads((data.parent / "data.parquet.jsonl").read_text("utf-8").splitlines()[0])["planted"] in (
        True,
        False,
    )
    assert (data.parent / "data.parquet.jsonl").read_bytes() == (data.parent / "data.json.jsonl").read_bytes()
