"""Names of Hub datasets on a command line: what is one, what is a file, and what the flags add."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.hub_name import HubName, as_scored, dataset_path, parse_hub_name
from shared.cli import UserError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tatsu-lab/alpaca", HubName("tatsu-lab/alpaca")),
        ("org/name.v1.5", HubName("org/name.v1.5")),
        ("org/name@v2", HubName("org/name", "v2")),
        ("org/name@refs/convert/parquet", HubName("org/name", "refs/convert/parquet")),
        ("org/name:test", HubName("org/name", split="test")),
        ("org/name:en/", HubName("org/name", config="en")),
        (f"org/name@{COMMIT}:a/b/test", HubName("org/name", COMMIT, "a/b", "test")),
        ("org/name.json:test", HubName("org/name.json", split="test")),
        ("hf://datasets/org/name", HubName("org/name")),
        ("hf://datasets/org/name/a/b.json", HubName("org/name", file="a/b.json")),
        ("hf://datasets/org/name@refs/pr/3/b/*.json", HubName("org/name", "refs/pr/3", file="b/*.json")),
    ],
)
def test_name_of_a_hub_dataset_is_understood(path: str, name: HubName) -> None:
    assert parse_hub_name(path) == name


@pytest.mark.parametrize(
    "path",
    [
        *("alpaca", "data/alpaca.json", "data/alpaca.JSONL.gz", "data/alpaca.csv", "a/b/c", "/a/b", "./a", "../b"),
        *("~/a", "data/*.jsonl", "a/", "/a", "", "org/naïve", "s3://a/b", "org/name\n", "org/name@", "hf://models/a/b"),
    ],
)
def test_path_of_a_file_is_no_name_on_the_hub(path: str) -> None:
    assert parse_hub_name(path) is None


def test_what_is_here_always_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_hub_name("org/name") == HubName("org/name")
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert parse_hub_name("org/name") is None
    with pytest.raises(UserError, match="--split test: only for a dataset of the Hub, and org/name is here"):
        dataset_path("org/name", None, "test", None)


WORD = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,8}", fullmatch=True)


@given(WORD, WORD, st.none() | WORD, st.none() | WORD, st.none() | WORD)
def test_flags_and_path_say_the_same(
    organization: str, name: str, revision: str | None, config: str | None, split: str | None
) -> None:
    path = f"{organization}/{name}-data"
    assert parse_hub_name(dataset_path(path, config, split, revision)) == HubName(path, revision, config, split)


@pytest.mark.parametrize(
    ("path", "flags", "message"),
    [
        ("org/name@v1", (None, None, "v2"), "--data_revision v2: org/name@v1 says revision v1; leave one of them out"),
        ("org/name:en/test", ("fr", None, None), "--config fr: org/name:en/test says config en"),
        ("hf://datasets/org/name/a.json", (None, "test", None), "names a file already"),
        ("org/name", (None, "a/b", None), "holds a character that no branch, configuration or split has"),
        ("no/such/file.json", (None, "test", None), "is neither here nor the name of a Hub dataset"),
    ],
)
def test_flags_that_contradict_the_path_are_refused(
    path: str, flags: tuple[str | None, str | None, str | None], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        dataset_path(path, *flags)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "is_same"),
    [
        ("org/name", True),
        ("org/name:train", True),
        ("org/name:en/train", True),
        (f"org/name@{COMMIT}", True),
        ("org/name:test", False),
        ("org/name:fr/", False),
        ("org/name@v2", False),
        ("org/other", False),
        ("name.json", False),
    ],
)
def test_step_2_reads_the_commit_of_step_1_unless_told_another(path: str, is_same: bool) -> None:
    scored = f"org/name@{COMMIT}:en/train"
    assert as_scored(path, ["data/other.json", scored]) == (scored if is_same else path)
