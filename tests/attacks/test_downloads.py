"""Servers that send too much, too slowly, or something else

A download ends with a line, leaves nothing wrong in place, and takes no more of the disk than the published file.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import download
import verified_fetch
from file_server import Answer, Server
from script_runs import RunScript, files_in

NAME = "vicuna_test_set.jsonl"
MAX_BYTES = 100_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of one file that is not the published one; attempts follow each other at once."""
    monkeypatch.setattr(verified_fetch, "PAUSES_SECONDS", (0.001,))
    monkeypatch.setitem(download.MAX_BYTES, "test_sets", MAX_BYTES)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server({f"/{NAME}": b"a" * 300_000})
    yield server
    server.close()


def fetch(run_script: RunScript, server: Server, folder: Path, *flags: str) -> str:
    place = (f"--base_url={server.url}", f"--output_dir={folder}", "--only", NAME)
    done = run_script("download", *place, *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert not (folder / "evaluation" / "test_data" / NAME).exists()
    assert sum(map(len, files_in(folder).values())) <= MAX_BYTES
    return last


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("num_bytes", [MAX_BYTES + 1, 300_000, 5_000_000])
def test_more_than_the_published_bytes_are_not_taken(
    run_script: RunScript, server: Server, tmp_path: Path, num_bytes: int, says_length: bool
) -> None:
    server.answers = [Answer(body=b"a" * num_bytes, says_length=says_length)] * 9
    seen = f"{num_bytes} bytes" if says_length else "no end to its bytes"
    assert f"not the wanted file: {seen}, and the published one has at most {MAX_BYTES}" in fetch(
        run_script, server, tmp_path
    )
    assert not files_in(tmp_path)


def test_a_part_that_was_there_counts(run_script: RunScript, server: Server, tmp_path: Path) -> None:
    part = tmp_path / "evaluation" / "test_data" / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"a" * (MAX_BYTES - 10))
    assert "not the wanted file" in fetch(run_script, server, tmp_path)


def test_a_slow_server_has_a_limit_for_the_whole_file(run_script: RunScript, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(body=b"a" * 90_000)]
    server.seconds_per_block = 0.3
    assert "not whole after 1 s; what came is kept" in fetch(run_script, server, tmp_path, "--file_seconds=1")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>Sign in to this network</html>"),
        Answer(body=b""),
        Answer(body=b"", says_length=False),
        Answer(headers={"Content-Range": "bytes 7-9/10"}, body=b"abc"),
        Answer(status=404),
        Answer(status=500),
        Answer(status=204, body=b""),
        Answer(status=302, headers={"Location": "/nowhere"}),
        Answer(status=302, headers={"Location": "file:///etc/passwd"}),
        Answer(status=302, headers={"Location": "ftp:x"}),
        Answer(status=302, headers={"Location": f"/{NAME}"}),
        Answer(stop_after=10),
        Answer(headers={"Content-Encoding": "gzip"}, body=b"abc"),
    ],
    ids=str,
)
def test_other_answers_leave_nothing_in_place(
    run_script: RunScript, server: Server, tmp_path: Path, answer: Answer
) -> None:
    server.answers = [answer] * 30
    fetch(run_script, server, tmp_path)
