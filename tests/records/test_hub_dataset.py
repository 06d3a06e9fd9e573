"""Datasets of the Hub, from a server on loopback: what is read, what is kept, and what is said when it fails."""

import gzip
import io
import json
import os
import shutil
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_server import TOKEN, HubServer, go_offline, reach
from records.dataset import Dataset
from shared.cli import UserError
from shared.hub import HUB_TIMEOUT_SECONDS

ROWS = [{"instruction": f"Count to {number}", "output": f"{number} " * number} for number in range(1, 40)]
NAME = "tatsu-lab/alpaca"


def as_parquet(rows: list[dict]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def as_lines(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def refusal(path: str) -> str:
    """The line that is said about a dataset that cannot be had."""
    with pytest.raises(UserError) as caught:
        Dataset(path)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("data/train-00000-of-00001-a09b74b3ef9c3b56.parquet", as_parquet(ROWS)),
        ("alpaca_data.json", json.dumps(ROWS).encode()),
        ("lines_in.json", as_lines(ROWS)),
        ("train.jsonl", as_lines(ROWS)),
        ("train.jsonl.gz", gzip.compress(as_lines(ROWS))),
        ("default/train/0000.parquet", as_parquet(ROWS)),
    ],
)
def test_records_are_those_of_the_file(hub: HubServer, file: str, content: bytes) -> None:
    commit = hub.push(NAME, {"README.md": b"# Alpaca", file: content, "images/a.png": b"1", "images/b.png": b"2"})
    dataset = Dataset(NAME)
    assert list(dataset.records()) == ROWS
    assert dataset.hub
    assert str(dataset.hub.name) == f"{NAME}@{commit}:default/train"


def test_shards_are_one_dataset_and_other_splits_are_not_downloaded(hub: HubServer) -> None:
    shards = {f"data/train-{k:05d}-of-00003.parquet": as_parquet(ROWS[13 * k : 13 * k + 13]) for k in range(3)}
    hub.push(NAME, shards | {"data/test-00000-of-00001.parquet": as_parquet(ROWS[:1])})
    assert list(Dataset(NAME).records()) == ROWS
    assert not [path for path in hub.paths("GET") + hub.paths("HEAD") if "test-" in path]
    assert list(Dataset(f"{NAME}:test").records()) == ROWS[:1]


def test_metadata_of_the_readme_decides(hub: HubServer) -> None:
    readme = b"---\nconfigs:\n- config_name: all\n  data_files: b/*.jsonl\n---\n"
    hub.push(NAME, {"README.md": readme, "a/train.jsonl": as_lines(ROWS[:1]), "b/x.jsonl": as_lines(ROWS[1:])})
    dataset = Dataset(NAME)
    assert list(dataset.records()) == ROWS[1:]
    assert dataset.hub
    assert dataset.hub.name.config == "all"


def test_file_of_a_repository_can_be_named(hub: HubServer) -> None:
    hub.push(NAME, {"v1.jsonl": as_lines(ROWS[:1]), "v2.jsonl": as_lines(ROWS[1:])})
    assert "v1.jsonl, v2.jsonl; name one as hf://datasets/" in refusal(NAME)
    assert list(Dataset(f"hf://datasets/{NAME}/v2.jsonl").records()) == ROWS[1:]


def test_revision_is_a_branch_a_tag_or_a_commit(hub: HubServer) -> None:
    first = hub.push(NAME, {"train.jsonl": as_lines(ROWS[:1])})
    hub.push(NAME, {"train.jsonl": as_lines(ROWS[:2])})
    hub.push(NAME, {"default/train/0000.parquet": as_parquet(ROWS[:3])}, ref="refs/convert/parquet")
    assert len(list(Dataset(NAME).records())) == 2
    assert len(list(Dataset(f"{NAME}@{first}").records())) == 1
    assert len(list(Dataset(f"{NAME}@refs/convert/parquet").records())) == 3
    assert refusal(f"{NAME}@v9") == f"--data_revision v9: {NAME} has no such branch, tag or commit on the Hub"


def test_what_was_read_once_is_read_again_without_the_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(NAME, {f"data/{name}-00000-of-00001.parquet": as_parquet(ROWS) for name in ("train", "test")})
    first = Dataset(NAME)
    go_offline(monkeypatch)
    assert Dataset(NAME).hub == first.hub
    assert refusal(f"{NAME}:test") == (
        f"{NAME}: data/test-00000-of-00001.parquet is not in the cache, and the Hub cannot be asked "
        "(HF_HUB_OFFLINE is set); connect once to download it"
    )
    # What is there is still known: another split is no matter of the connection.
    assert refusal(f"{NAME}:dev") == f"{NAME}: has no split dev; it has test, train (--split)"


def test_commit_that_is_in_the_cache_is_read_without_a_question(hub: HubServer) -> None:
    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    pinned = Dataset(NAME).hub
    assert pinned
    hub.requests.clear()
    hub.push(NAME, {"train.jsonl": as_lines(ROWS[:3])})
    assert list(Dataset(str(pinned.name)).records()) == ROWS
    assert hub.requests == []


def test_download_of_another_program_is_found_without_the_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import snapshot_download

    commit = hub.push(NAME, {"README.md": b"# Alpaca", "train.jsonl": as_lines(ROWS)})
    snapshot_download(NAME, repo_type="dataset")
    go_offline(monkeypatch)
    dataset = Dataset(NAME)
    assert dataset.hub
    assert (dataset.hub.commit, list(dataset.records())) == (commit, ROWS)


def test_shard_that_is_not_in_the_cache_is_missed(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import hf_hub_download

    files = {f"data/train-{k:05d}-of-00002.parquet": as_parquet(ROWS) for k in range(2)}
    hub.push(NAME, files)
    hf_hub_download(NAME, next(iter(files)), repo_type="dataset")
    go_offline(monkeypatch)
    assert "is said to have 2 files, and there are 1" in refusal(NAME)


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, "no such file or folder, and the Hub has no such dataset"),
        (401, {"X-Error-Message": "Invalid username or password."}, "no such file or folder, and the Hub has no such"),
        (403, {"X-Error-Code": "GatedRepo"}, "gated on the Hub; accept its terms there and run `hf auth login`"),
        (401, {"X-Error-Code": "GatedRepo"}, "gated on the Hub; accept its terms there and run `hf auth login`"),
        (403, {}, "the Hub does not let this access token read it (status 403)"),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "unset or renew HF_TOKEN"),
        (
            403,
            {"X-Error-Message": "Access to this resource is disabled."},
            "disabled on the Hub; choose another dataset",
        ),
        (500, {"X-Error-Message": f"with {TOKEN}"}, "the Hub cannot be asked for one ("),
        (429, {}, "the Hub cannot be asked for one"),
    ],
)
def test_answers_of_the_hub_are_told_apart(hub: HubServer, status: int, headers: dict[str, str], message: str) -> None:
    hub.push(NAME, {})
    hub.datasets[NAME].refusal = (status, headers)
    assert message in refusal(NAME)
    assert f"Bearer {TOKEN}" in hub.tokens  # which the client sends, and nobody prints


def test_name_that_is_neither_file_nor_dataset_says_both(hub: HubServer) -> None:
    assert refusal("tatsu-lab/alpca") == (
        "tatsu-lab/alpca: no such file or folder, and the Hub has no such dataset, or it is private "
        "(then run `hf auth login`)"
    )


def test_absent_hub_is_one_line(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        reach(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}")
        line = refusal(NAME)
    assert line.startswith(f"{NAME}: no such file or folder, no dataset of that name in the Hub's cache, and the Hub")
    assert line.endswith("connect once to download it, or give a local file")


def test_hub_that_never_answers_is_given_up_once(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    commit = Dataset(NAME).hub
    assert commit
    shutil.rmtree(Path(commit.files[0]).parent)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        reach(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        # The commit and its files are known; asking for one of them is what fails, and must not take minutes.
        assert "train.jsonl is not in the cache, and the Hub cannot be asked" in refusal(str(commit.name))
    assert HUB_TIMEOUT_SECONDS < 10


def test_broken_download_is_one_line_and_keeps_what_is_whole(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None, raising=False)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None, raising=False)
    rows = [{"instruction": "x", "output": "word " * 1000}]
    hub.push(NAME, {"part_1.jsonl": as_lines(ROWS[:2]), "part_2.jsonl": as_lines(rows)})
    hub.cut_after = 1000
    assert "part_2.jsonl could not be downloaded" in refusal(NAME)
    assert capfd.readouterr() == ("", "")  # the client's own warnings of each retry, and its progress bars
    hub.cut_after = None
    hub.requests.clear()
    assert list(Dataset(NAME).records()) == ROWS[:2] + rows
    assert not [path for path in hub.paths("GET") if path.endswith("part_1.jsonl")]


def test_disk_without_room_is_told_before_the_download(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr("records.hub_dataset.shutil.disk_usage", lambda path: usage)
    assert "are to be downloaded" in refusal(NAME)
    assert not [path for path in hub.paths("HEAD") if path.endswith("train.jsonl")]


def test_disk_that_fills_up_is_told(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise OSError(28, os.strerror(28))

    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    assert "train.jsonl could not be downloaded: no space left in" in refusal(NAME)
    assert "set HF_HOME to a folder on another disk" in refusal(NAME)


def test_cache_that_cannot_be_made_is_told(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    assert "file/hub cannot be written; set HF_HOME to a folder that can" in refusal(NAME)


def test_files_of_two_formats_are_refused_before_the_download(hub: HubServer) -> None:
    readme = b"---\nconfigs:\n- data_files: [a.json, b.parquet]\n---\n"
    hub.push(NAME, {"README.md": readme, "a.json": json.dumps(ROWS).encode(), "b.parquet": as_parquet(ROWS)})
    assert "files of several formats" in refusal(NAME)
    assert not [path for path in hub.paths("HEAD") if path.endswith(".parquet")]


def test_empty_repository_is_told(hub: HubServer) -> None:
    hub.push(NAME, {})
    assert refusal(NAME) == f"{NAME}: holds no files at main"
