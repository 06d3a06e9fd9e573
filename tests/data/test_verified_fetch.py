"""Fetching one file whose content is known, from a server that misbehaves as servers and networks do."""

import random
import resource
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

import verified_fetch
from file_server import BLOB_ID, CONTENT, Answer, Server, blob_id_of
from script_runs import files_in
from shared.cli import UserError
from verified_fetch import Limits, fetch, git_blob_id, is_in_place

NUM_ATTEMPTS = len(verified_fetch.PAUSES_SECONDS) + 1


@dataclass
class Place:
    """A folder, and the fetching of /file into it."""

    server: Server
    folder: Path

    @property
    def target(self) -> Path:
        return self.folder / "deeper" / "file"

    @property
    def partial(self) -> Path:
        return self.folder / "deeper" / "file.part"

    def fetch(self, timeout_seconds: float = 5) -> None:
        fetch(f"{self.server.url}/file", self.target, BLOB_ID, Limits(timeout_seconds, 60, 2 * len(CONTENT)))

    def put_partial(self, content: bytes) -> None:
        self.partial.parent.mkdir(parents=True)
        self.partial.write_bytes(content)

    def is_done(self) -> bool:
        return files_in(self.folder) == {self.target: CONTENT}


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Place:
    return Place(server, tmp_path)


@pytest.mark.parametrize(
    ("content", "blob_id"),
    [
        # As `git hash-object` prints them.
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello world\n", "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"),
        (b"\r\n\0\xff", "b9151552b879da3dbcc52667c3fef985b665a12b"),
        (CONTENT, BLOB_ID),
    ],
)
def test_blob_id_is_that_of_git(content: bytes, blob_id: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert git_blob_id(tmp_path / "a") == blob_id


@pytest.mark.parametrize("says_length", [True, False])
def test_file_comes_whole_and_leaves_nothing_beside_it(
    place: Place, says_length: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    place.server.answers = [Answer(says_length=says_length)]
    place.fetch()
    assert place.is_done()
    assert capsys.readouterr() == ("", "")  # no progress bar without a terminal


@pytest.mark.parametrize("seed", range(8))
def test_after_cuts_at_random_bytes_nothing_is_sent_twice(place: Place, seed: int) -> None:
    # Each cut is within the bytes that are still missing.
    cuts, missing = [], len(CONTENT)
    for _ in range(NUM_ATTEMPTS - 1):
        cuts.append(random.Random(seed + 100 * len(cuts)).randrange(missing))
        missing -= cuts[-1]
    place.server.answers = [Answer(stop_after=cut) for cut in cuts]
    place.fetch()
    assert place.is_done()
    assert place.server.num_sent() == len(CONTENT)
    assert [start for _, start, _ in place.server.sent] == [sum(cuts[:i]) for i in range(NUM_ATTEMPTS)]


def test_next_run_goes_on_where_the_attempts_were_given_up(place: Place) -> None:
    place.server.answers = [Answer(stop_after=1000)] * NUM_ATTEMPTS
    with pytest.raises(
        UserError, match=rf"/file: the connection was cut 296000 bytes before the end, after {NUM_ATTEMPTS} attempts"
    ):
        place.fetch()
    assert files_in(place.folder) == {place.partial: CONTENT[: 1000 * NUM_ATTEMPTS]}
    place.fetch()
    assert place.is_done()
    assert place.server.num_sent() == len(CONTENT)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(ranges=False),
        # The whole file, though it says that it is a part, and another one.
        Answer(ranges=False, status=206, headers={"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}),
    ],
)
def test_a_server_that_ignores_the_range_starts_the_file_again(place: Place, answer: Answer) -> None:
    place.put_partial(CONTENT[:200_000])
    place.server.answers = [answer]
    place.fetch()
    assert place.is_done()
    assert place.server.sent == [["/file", 0, len(CONTENT)]]


def test_a_part_that_was_whole_costs_no_request(place: Place) -> None:
    place.put_partial(CONTENT)
    place.fetch()
    assert place.is_done()
    assert place.server.sent == []


@pytest.mark.parametrize(
    "part", [b"<html>", CONTENT + b"more", bytes(len(CONTENT))], ids=["of an error page", "too long", "zeros"]
)
def test_a_part_that_does_not_fit_is_thrown_away_once(place: Place, part: bytes) -> None:
    place.put_partial(part)
    place.fetch()
    assert place.is_done()
    assert place.server.sent[-1] == ["/file", 0, len(CONTENT)]
    assert len(place.server.sent) == 2


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><title>Sign in</title>", b"", CONTENT[:-1], CONTENT + b"\n", b"\x1b[31m\xff"]
)
def test_wrong_content_is_named_and_not_kept(place: Place, body: bytes) -> None:
    place.server.answers = [Answer(body=body)]
    with pytest.raises(UserError) as failure:
        place.fetch()
    message = str(failure.value)
    assert (
        f"/file: not the wanted file: {len(body)} bytes with Git blob id {blob_id_of(body)}, wanted {BLOB_ID}; "
        "nothing is kept" in message
    )
    assert "publisher has changed the file, or a proxy" in message
    assert message.isprintable()
    assert body[:1] != b"<" or message.endswith('it begins with "<!DOCTYPE html><title>Sign in</title>"')
    assert files_in(place.folder) == {}
    assert len(place.server.sent) == 1


def test_a_redirection_is_followed_with_the_range(place: Place) -> None:
    place.put_partial(CONTENT[:1000])
    place.server.answers = [Answer(status=302, body=b"", headers={"Location": "/file"})]
    place.fetch()
    assert place.is_done()
    assert place.server.sent[1:] == [["/file", 1000, len(CONTENT) - 1000]]


@pytest.mark.parametrize("location", ["http://[a/", "http://a..b/"])
def test_a_redirection_to_no_address_is_one_line(place: Place, location: str) -> None:
    place.server.answers = [Answer(status=302, body=b"", headers={"Location": location})] * NUM_ATTEMPTS
    with pytest.raises(UserError, match="/file: no answer: "):
        place.fetch()


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410])
def test_refusals_are_not_tried_again(place: Place, status: int) -> None:
    place.server.answers = [Answer(status=status, body=b"no")] * 2
    with pytest.raises(UserError, match=f"/file: the server answered {status}; see whether the file is there"):
        place.fetch()
    assert files_in(place.folder) == {}
    assert len(place.server.sent) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_in_trouble_is_asked_a_few_times(
    place: Place, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble = [Answer(status=status, body=b"later")] * (NUM_ATTEMPTS - 1)
    place.server.answers = [*trouble]
    place.fetch()
    assert place.is_done()
    assert (
        capsys.readouterr().err.splitlines()
        == [f"note: {place.server.url}/file: the server answered {status}; trying again in 0.001 s"] * 3
    )
    place.target.unlink()
    place.server.answers = [*trouble, trouble[0]]
    with pytest.raises(UserError, match=f"the server answered {status}, after {NUM_ATTEMPTS} attempts"):
        place.fetch()


@pytest.mark.parametrize("stop_after", [0, 100_000])
def test_a_stalled_server_is_left_and_asked_for_the_rest(place: Place, stop_after: int) -> None:
    place.server.answers = [Answer(stop_after=stop_after, stalls=True)]
    place.fetch(timeout_seconds=0.2)
    assert place.is_done()
    assert place.server.num_sent() == len(CONTENT)


def test_a_server_that_accepts_and_says_nothing_is_given_up(tmp_path: Path, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UserError, match="no answer: timed out"):
        fetch(
            f"http://127.0.0.1:{silent.getsockname()[1]}/file",
            tmp_path / "file",
            BLOB_ID,
            Limits(0.1, 60, len(CONTENT)),
        )


def test_a_server_that_speaks_no_http_is_one_line(tmp_path: Path, server: Server) -> None:
    def answer(listener: socket.socket) -> None:
        for _ in range(NUM_ATTEMPTS):
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-server\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        with pytest.raises(UserError, match=r"no answer: SSH-2.0-server"):
            fetch(
                f"http://127.0.0.1:{listener.getsockname()[1]}/file",
                tmp_path / "file",
                BLOB_ID,
                Limits(5, 60, len(CONTENT)),
            )


def test_another_file_that_came_meanwhile_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = verified_fetch._complete

    def complete_late(*args) -> None:
        complete(*args)
        place.target.write_bytes(b"mine")

    monkeypatch.setattr(verified_fetch, "_complete", complete_late)
    with pytest.raises(UserError, match="is there, but is not the published file"):
        place.fetch()
    assert files_in(place.folder) == {place.target: b"mine", place.partial: CONTENT}


def test_a_full_disk_keeps_what_came_and_the_next_run_goes_on(place: Place) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (100_000, hard)
    )  # writes beyond it fail as on a full disk; Python ignores SIGXFSZ
    try:
        with pytest.raises(
            UserError, match="deeper/file: cannot be written: File too large; free space or choose another --output_dir"
        ):
            place.fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(place.folder) == {place.partial: CONTENT[:100_000]}
    place.fetch()
    assert place.is_done()


@pytest.mark.parametrize("blocker", ["deeper", "deeper/file.part/"])
def test_what_is_in_the_way_is_one_line(place: Place, blocker: str) -> None:
    if blocker.endswith("/"):
        (place.folder / blocker).mkdir(parents=True)
    else:
        (place.folder / blocker).write_bytes(b"a file where a folder is wanted")
    with pytest.raises(UserError, match="deeper/file: cannot be written: "):
        place.fetch()
    assert place.server.sent == []


def test_a_folder_at_the_place_of_the_file_is_one_line(place: Place) -> None:
    place.target.mkdir(parents=True)
    with pytest.raises(UserError, match="deeper/file: cannot be read: Is a directory"):
        is_in_place(place.target, BLOB_ID)
