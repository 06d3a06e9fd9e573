"""Which files of a Hub repository are a split: by the names of files and folders, and by the README's metadata."""

import pytest

from records.hub_card import choose_files
from records.hub_layout import pattern_of
from shared.cli import UserError


def choose(*files: str, readme: str = "", config: str | None = None, split: str | None = None) -> list[str]:
    """The files of a split."""
    return choose_files(["README.md", ".gitattributes", *files], readme, config, split, "org/name").files


def refusal(*files: str, readme: str = "", config: str | None = None, split: str | None = None) -> str:
    """What is said when no split can be chosen."""
    with pytest.raises(UserError) as caught:
        choose(*files, readme=readme, config=config, split=split)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("org/name: ")


def card(configs: str) -> str:
    """A README with `configs:` in its metadata."""
    return f"---\nlicense: mit\nconfigs:\n{configs}---\n# Title\n---\nno metadata\n"


PARQUET = [f"data/train-{index:05d}-of-00002.parquet" for index in range(2)]


@pytest.mark.parametrize(
    ("files", "train"),
    [
        (["data/train-00000-of-00001-a09b74b3ef9c3b56.parquet"], None),
        ([*PARQUET, "data/test-00000-of-00001.parquet"], PARQUET),
        (["default/train/0000.parquet", "default/train/0001.parquet", "default/test/0000.parquet"], None),
        (["alpaca_data.json"], None),
        (["train.jsonl", "test.jsonl", "valid.jsonl"], ["train.jsonl"]),
        (["org-train.jsonl.gz", "org.validation.jsonl.gz"], ["org-train.jsonl.gz"]),
        (["data/training.json", "notes.txt", "run.py"], ["data/training.json"]),
        (["part_1.jsonl", "part_2.jsonl", "part_10.jsonl"], None),
        (["part-00000-of-00002.jsonl", "part-00001-of-00002.jsonl"], None),
        (["data/0000.parquet", "data/0001.parquet"], None),
        (["train.json", "dataset_infos.json", ".hidden/a.json", "state.json"], ["train.json"]),
        (["trainer_log.json"], None),
    ],
)
def test_names_tell_the_training_split(files: list[str], train: list[str] | None) -> None:
    expected = train or [file for file in files if "test" not in file]
    assert choose(*files) == sorted(expected)


def test_splits_of_any_name_are_listed() -> None:
    files = [f"data/{name}-00000-of-00001.parquet" for name in ("train_sft", "test_sft", "train_gen")]
    assert refusal(*files) == "has no split train; it has test_sft, train_gen, train_sft (--split)"
    assert choose(*files, split="train_gen") == ["data/train_gen-00000-of-00001.parquet"]


def test_configurations_are_listed() -> None:
    files = ["en/train.jsonl", "en/test.jsonl", "fr/train.jsonl"]
    assert refusal(*files) == "has several configurations; give --config, one of en, fr"
    assert refusal(*files, config="de") == "has no configuration de; it has en, fr (--config)"
    assert choose(*files, config="fr") == ["fr/train.jsonl"]
    line = refusal(*files, config="fr", split="test")
    assert line == "org/name, configuration fr: has no split test; it has train (--split)"


@pytest.mark.parametrize(
    "files",
    [
        ["alpaca_v1.json", "alpaca_v2.json"],
        ["train.json", "train.parquet"],
        ["train_small.jsonl", "train_large.jsonl"],
    ],
)
def test_files_that_are_not_parts_of_one_are_refused_by_name(files: list[str]) -> None:
    assert refusal(*files) == (
        f"several files could be its split train: {', '.join(sorted(files))}; "
        "name one as hf://datasets/ORGANIZATION/NAME/FILE"
    )


@pytest.mark.parametrize(
    "files",
    [PARQUET[:1], ["data/train-00000-of-00001-" + 16 * letter + ".parquet" for letter in "ab"]],
    ids=["one is missing", "two uploads"],
)
def test_number_of_shards_must_be_the_one_in_their_names(files: list[str]) -> None:
    wanted = 2 if len(files) == 1 else 1
    assert refusal(*files).startswith(f"its split train is said to have {wanted} files, and there are {len(files)}: ")


@pytest.mark.parametrize(("file", "what"), [("squad.py", "only a loading script (squad.py)"), ("a.csv", "a.csv")])
def test_repository_without_data_for_us_points_to_the_conversion(file: str, what: str) -> None:
    line = refusal(file)
    assert what in line
    assert "--data_revision refs/convert/parquet" in line


CARD_FILES = ["a/x.json", "a/y.json", "b/z.json", "b/deep/w.json", "unused_train.json"]


@pytest.mark.parametrize(
    ("configs", "config", "split", "files"),
    [
        ("- config_name: default\n  data_files: a/x.json\n", None, None, ["a/x.json"]),
        ("- config_name: odd\n  data_files:\n  - a/x.json\n  - b/z.json\n", None, None, ["a/x.json", "b/z.json"]),
        ("- data_files:\n  - split: train\n    path: a/*\n", None, None, ["a/x.json", "a/y.json"]),
        ("- data_files:\n    train: a/x.json\n    test: b/**\n", None, "test", ["b/deep/w.json", "b/z.json"]),
        ("- data_files:\n    train: b/*.json\n", None, None, ["b/z.json"]),
        ("- config_name: p\n  data_dir: a\n  data_files: y.json\n", None, None, ["a/y.json"]),
        ("- {config_name: p, data_files: a/*}\n- {config_name: q, data_files: b/z.json}\n", "q", None, ["b/z.json"]),
        (
            "- {config_name: p, data_files: a/*}\n- {config_name: q, data_files: b/z.json, default: true}\n",
            *(None, None, ["b/z.json"]),
        ),
        ("- {config_name: p, data_files: a/*}\n- {data_files: ./b/z.json}\n", None, None, ["b/z.json"]),
        ("- {config_name: 3, data_files: [{split: 2020, path: b/z.json}]}\n", "3", "2020", ["b/z.json"]),
    ],
)
def test_metadata_of_the_readme_wins(configs: str, config: str | None, split: str | None, files: list[str]) -> None:
    assert choose(*CARD_FILES, readme=card(configs), config=config, split=split) == files


def test_folder_of_the_metadata_is_read_by_names() -> None:
    readme = card("- {config_name: en, data_dir: en}\n- {config_name: fr, data_dir: fr}\n")
    files = ["en/train.json", "en/test.json", "fr/train.json"]
    assert refusal(*files, readme=readme) == "has several configurations; give --config, one of en, fr"
    assert choose(*files, readme=readme, config="en") == ["en/train.json"]
    assert choose(*files, readme=readme, config="en", split="test") == ["en/test.json"]


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        (card("- data_files: missing/*.json\n"), "has no file missing/*.json"),
        (card("- data_files: https://example.org/a.json\n"), "its README names files that are elsewhere"),
        (card("- data_files: unused.csv\n"), "has no file unused.csv"),
        (card("  many: [\n"), "the metadata of its README.md cannot be read"),
        (card("  text\n"), "configs is no list of configurations"),
        (card("- data_files: [{split: train}]\n"), "which names no files"),
    ],
)
def test_metadata_that_names_no_file_of_ours_is_told(readme: str, message: str) -> None:
    assert message in refusal(*CARD_FILES, readme=readme)


@pytest.mark.parametrize("readme", ["", "# no metadata", "---\nlicense: mit\n---\n", "---\n- a\n---\n", "---\nopen"])
def test_readme_without_configurations_leaves_it_to_the_names(readme: str) -> None:
    assert choose("train.jsonl", readme=readme) == ["train.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "matches", "not_matches"),
    [
        ("data/*.json", ["data/a.json"], ["data/b/a.json", "a.json"]),
        ("**/*.json", ["a.json", "a/b/c.json"], ["a.jsonl"]),
        ("a?[0-2].json", ["ab1.json"], ["ab3.json", "a/1.json"]),
        ("a[!x].json", ["ay.json"], ["ax.json"]),
        ("a.json", ["a.json"], ["axjson"]),
    ],
)
def test_patterns_of_paths(pattern: str, matches: list[str], not_matches: list[str]) -> None:
    found = pattern_of(pattern)
    assert [path for path in [*matches, *not_matches] if found.fullmatch(path)] == matches
