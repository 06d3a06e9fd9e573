"""Several files under one path: parts of one dataset, or splits that must not be mixed."""

from pathlib import Path

import datasets
import pytest

from records.dataset import Dataset
from script_runs import RunScript, error_line
from shared.cli import UserError

LINE = '{"instruction": "q", "output": "a"}\n'


def write_files(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(LINE, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train.jsonl", "validation.jsonl", "test.jsonl"], "test, train, validation"),
        (["train.jsonl", "dev.jsonl"], "train, validation"),
        (["my_train.jsonl", "my_eval.jsonl"], "test, train"),
        (["Train.jsonl", "TEST-01.jsonl"], "test, train"),
        (["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "test-00000-of-00001-9af1.jsonl"], "test, train"),
        (["train_sft-00000-of-00001.jsonl", "train_gen-00000-of-00001.jsonl"], "train_gen, train_sft"),
        (["creative-00000-of-00001.jsonl", "code-00000-of-00001.jsonl"], "code, creative"),
        (["alpaca.jsonl", "test.jsonl"], "alpaca.jsonl, test"),
    ],
)
@pytest.mark.parametrize("pattern", ["", "*.jsonl"])
def test_splits_in_one_folder_are_refused_by_name(names: list[str], splits: str, pattern: str, tmp_path: Path) -> None:
    write_files(tmp_path, [*names, "README.md", ".gitattributes"])
    with pytest.raises(UserError) as caught:
        Dataset(str(tmp_path / pattern))
    assert f": holds several splits ({splits}); give one of them, such as " in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ["a.jsonl", "b.jsonl"],
        ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"],
        ["test-1.jsonl", "test-2.jsonl"],
        ["train.jsonl", "more.jsonl"],
        ["latest.jsonl", "training_notes.jsonl", "contest.jsonl"],
        ["code_eval.jsonl", "maths.jsonl"],
        ["part-00000.jsonl", "part-00001.jsonl"],
    ],
)
def test_shards_and_other_names_are_one_dataset(names: list[str], tmp_path: Path) -> None:
    write_files(tmp_path, [*names, "README.md", ".gitattributes", "dataset_info.json", ".hidden.jsonl", "a.txt"])
    assert [Path(file).name for file in Dataset(str(tmp_path)).files] == sorted(names)


def test_example_in_the_error_can_be_given(tmp_path: Path) -> None:
    names = ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "test-00000-of-00001.jsonl"]
    write_files(tmp_path, names)
    with pytest.raises(UserError) as caught:
        Dataset(str(tmp_path))
    example = str(caught.value).rpartition("such as ")[2].strip('"')
    assert [Path(file).name for file in Dataset(example).files] == names[:2]


@pytest.mark.parametrize(
    ("names", "folders", "example"),
    [
        (["train/a.jsonl", "test/a.jsonl", "README.md"], "test, train", "train"),
        (["data/train-00000-of-00001.jsonl", "README.md", ".gitattributes"], "data", "data"),
        (["en/train/a.jsonl", "de/train/a.jsonl", "notes/a.txt", ".git/x.jsonl"], "de, en", "de"),
    ],
)
def test_folders_of_a_folder_are_named(names: list[str], folders: str, example: str, tmp_path: Path) -> None:
    write_files(tmp_path, names)
    with pytest.raises(UserError) as caught:
        Dataset(str(tmp_path))
    assert f"folders in it have some ({folders}); give one of them, such as {tmp_path}/{example}" in str(caught.value)


def test_saved_folder_is_one_split_whatever_its_files_are_called(tmp_path: Path) -> None:
    datasets.Dataset.from_list([{"a": 1}] * 9).save_to_disk(str(tmp_path / "test"), num_shards=2)
    assert len(Dataset(str(tmp_path / "test")).files) == 2


@pytest.mark.parametrize("script", ["data_analysis", "report"])
def test_scripts_say_it_in_one_line(script: str, run_script: RunScript, tmp_path: Path) -> None:
    write_files(tmp_path, ["train.jsonl", "test.jsonl"])
    flags = {
        "data_analysis": ["--data_path=.", "--save_path=out/s.jsonl"],
        "report": ["--json_data_path=.", "--save_path=out/r.html"],
    }
    assert error_line(run_script(script, *flags[script], cwd=tmp_path)).startswith(
        ".: holds several splits (test, train)"
    )
    assert not (tmp_path / "out").exists()
