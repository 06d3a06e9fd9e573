"""Fetching the public data, from a local server that misbehaves in every way that servers and networks do."""

import contextlib
import hashlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import download
import verified_fetch
from script_runs import ROOT, RunScript, error_line, files_in, flag_error
from shared.cli import UserError
from shared.files import open_locked
from verified_fetch import fetch, git_blob_id, is_in_place

CONTENT = random.Random(0).randbytes(300_000)
NUM_ATTEMPTS = len(verified_fetch.PAUSES_SECONDS) + 1


@dataclass
class Answer:
    """How the server answers one request."""

    status: int = 200
    body: bytes | None = None  # None: the file
    stop_after: int | None = None  # body bytes before the connection is cut, or stalls
    stalls: bool = False
    ranges: bool = True  # whether it heeds Range
    says_length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """A web server on loopback. It gives the next of `answers`, then proper ones; `sent` has [path, first byte, bytes
    sent].
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.answers: list[Answer] = []
        self.sent: list[list] = []
        self.seconds_per_block = 0.0
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def num_sent(self) -> int:
        return sum(num_bytes for _, _, num_bytes in self.sent)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                owner._answer(self, owner.answers.pop(0) if owner.answers else Answer())

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = answer.body if answer.body is not None else self.files.get(request.path)
        status, start, headers = answer.status, 0, dict(answer.headers)
        if body is None:
            status, body = 404, b"<html>no such file</html>"
        asked = request.headers.get("Range")
        if asked and answer.ranges and status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(body) else 416
            headers.setdefault(
                "Content-Range",
                f"bytes {start}-{len(body) - 1}/{len(body)}" if status == 206 else f"bytes */{len(body)}",
            )
        entry = [request.path, start, 0]
        self.sent.append(entry)
        request.send_response(status)
        if answer.says_length:
            headers["Content-Length"] = str(max(0, len(body) - start))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        part = body[start:][: answer.stop_after]
        with contextlib.suppress(ConnectionError):
            for first in range(0, len(part), 8192):
                block = part[first : first + 8192]
                entry[2] += len(block)
                request.wfile.write(block)
                time.sleep(self.seconds_per_block)
        if answer.stalls:
            self.closing.wait(20)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has /file; the pauses between attempts are short, and no proxy is asked."""
    monkeypatch.setattr(verified_fetch, "PAUSES_SECONDS", (0.001,) * (NUM_ATTEMPTS - 1))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server({"/file": CONTENT})
    yield server
    server.close()


def blob_id_of(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


BLOB_ID = blob_id_of(CONTENT)


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
        fetch(f"{self.server.url}/file", self.target, BLOB_ID, timeout_seconds)

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
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/file", tmp_path / "file", BLOB_ID, 0.1)


def test_a_server_that_speaks_no_http_is_one_line(tmp_path: Path, server: Server) -> None:
    def answer(listener: socket.socket) -> None:
        for _ in range(NUM_ATTEMPTS):
            with listener.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-server\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        with pytest.raises(UserError, match=r"no answer: SSH-2.0-server"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/file", tmp_path / "file", BLOB_ID, 5)


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


# The script, on stand-ins for the published files whose ids it does not know, or on the real test sets.


def serve_stand_ins(server: Server) -> None:
    server.files = {f"/{file.name}": b"not what was published" for file in download.FILES}


def serve_test_sets(server: Server, real_data_dir: Path) -> dict[Path, bytes]:
    """Serve the real test sets and return where they belong, with their bytes."""
    folder = real_data_dir / "test_sets"
    server.files = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
    return {Path("evaluation/test_data") / name[1:]: content for name, content in server.files.items()}


Download = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def run_download(run_script: RunScript, server: Server, tmp_path: Path) -> Download:
    return lambda *args: run_script("download", f"--base_url={server.url}/", f"--output_dir={tmp_path}", *args)


def in_folder(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): content for path, content in files_in(folder).items()}


def test_real_test_sets_arrive_byte_for_byte_and_once(
    run_download: Download, server: Server, real_data_dir: Path, tmp_path: Path
) -> None:
    wanted = serve_test_sets(server, real_data_dir)
    first, again = run_download("--only", "test_sets"), run_download("--only", "test_sets")
    assert [(done.returncode, done.stderr) for done in (first, again)] == [(0, "")] * 2
    assert in_folder(tmp_path) == wanted
    assert wanted[Path("evaluation/test_data/wizardlm_test_set.jsonl")].count(b"\r\n") == 218  # line ends as published
    assert [line.split(": ")[0] for line in first.stdout.splitlines()] == [
        file.path for file in download.GROUPS["test_sets"]
    ]
    assert again.stdout == "".join(f"{file.path}: there already\n" for file in download.GROUPS["test_sets"])
    assert len(server.sent) == len(wanted) == 5


def test_killed_in_the_middle_it_goes_on(server: Server, real_data_dir: Path, tmp_path: Path) -> None:
    wanted = serve_test_sets(server, real_data_dir)
    server.seconds_per_block = 0.02
    command = [
        sys.executable,
        ROOT / "data" / "download.py",
        f"--base_url={server.url}",
        f"--output_dir={tmp_path}",
        "--only",
        "test_sets",
    ]
    num_kills = 0
    for kill_at in (20_000, 90_000, 160_000, 250_000, 400_000):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and sum(map(len, in_folder(tmp_path).values())) < kill_at:
            time.sleep(0.005)
        num_kills += process.poll() is None
        process.kill()
        process.wait()
        assert all(
            path.suffix == ".part" or content == wanted.get(path, b"") for path, content in in_folder(tmp_path).items()
        )
    assert num_kills == 5
    kept = sum(map(len, in_folder(tmp_path).values()))
    server.sent.clear()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert in_folder(tmp_path) == wanted
    assert server.num_sent() == sum(map(len, wanted.values())) - kept


def test_one_that_fails_does_not_stop_the_others(
    run_download: Download, server: Server, real_data_dir: Path, tmp_path: Path
) -> None:
    wanted = serve_test_sets(server, real_data_dir)
    koala, lima = (Path("evaluation/test_data") / f"{name}_test_set.jsonl" for name in ("koala", "lima"))
    del server.files[f"/{koala.name}"]
    (tmp_path / lima).parent.mkdir(parents=True)
    (tmp_path / lima).write_bytes(b"mine")
    done = run_download("--only", "test_sets")
    assert done.returncode == 2
    differs, missing = done.stderr.splitlines()
    ids = f"Git blob id {blob_id_of(b'mine')}, wanted 243df2b8dceb677f2ae010cc2acdb8315fcfd64b"
    assert differs.startswith(f"error: {tmp_path / lima}: is there, but is not the published file ({ids})")
    assert missing.startswith(f"error: {server.url}/{koala.name}: the server answered 404")
    assert in_folder(tmp_path) == {path: content for path, content in wanted.items() if path != koala} | {lima: b"mine"}
    assert done.stdout.count("content as published\n") == 3


def test_files_go_where_the_readme_says(run_download: Download, server: Server) -> None:
    serve_stand_ins(server)
    done = run_download()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("not the wanted file: 22 bytes") == len(download.FILES) == 8
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for file in download.GROUPS["alpaca"] + download.GROUPS["scored"]:
        row = next(
            line for line in readme.splitlines() if line.startswith(f"| `{file.path.removeprefix('data/')}` | 52,002 |")
        )
        assert row.endswith(f"| `{file.blob_id}` |")
        assert any(fnmatch(file.path, pattern) for pattern in ignored)


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["alpaca"], ["alpaca_data.json"]),
        (
            ["scored", "alpaca_data.json"],
            ["alpaca_data.json", "alpaca_data_gpt2_data.json", "alpaca_gpt4_data_gpt2_data.json"],
        ),
        (["lima_test_set.jsonl", "lima_test_set.jsonl"], ["lima_test_set.jsonl"]),
    ],
)
def test_only_asks_for_groups_and_files(
    run_download: Download, server: Server, only: list[str], names: list[str]
) -> None:
    serve_stand_ins(server)
    run_download("--only", *only)
    assert [path for path, _, _ in server.sent] == [f"/{name}" for name in names]


def test_public_addresses_name_the_files_as_they_are_called_here() -> None:
    for file in download.FILES:
        assert file.url.startswith("https://raw.githubusercontent.com/") and file.url.endswith(f"/{file.name}")
        assert len(bytes.fromhex(file.blob_id)) == 20
    assert len({file.path for file in download.FILES}) == len({file.name for file in download.FILES}) == 8


def test_without_the_server_nothing_more_is_tried(run_script: RunScript, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    done = run_script(
        "download", f"--base_url=http://127.0.0.1:{port}", f"--output_dir={tmp_path}", env={"NO_PROXY": "127.0.0.1"}
    )
    error = error_line(done)
    assert error.startswith(f"http://127.0.0.1:{port}/vicuna_test_set.jsonl: the server cannot be reached: ")
    assert error.endswith("(7 more not tried)")
    assert files_in(tmp_path) == {}


def test_two_at_once_are_refused(run_download: Download, server: Server, tmp_path: Path) -> None:
    fd = open_locked(str(tmp_path / ".download.lock"))
    error = error_line(run_download())
    assert (
        error
        == f"{tmp_path}/.download.lock: another process is writing it; wait for it, or give --output_dir another name"
    )
    assert server.sent == []
    os.close(fd)  # as when the other one ends, however that is
    serve_stand_ins(server)
    assert "not the wanted file" in error_line(run_download("--only", "alpaca"))
    assert files_in(tmp_path) == {}


def test_ctrl_c_keeps_the_part_and_says_how_to_go_on(server: Server, tmp_path: Path) -> None:
    server.files = {"/alpaca_data.json": CONTENT}
    server.answers = [Answer(stop_after=500, stalls=True)]
    command = [
        sys.executable,
        ROOT / "data" / "download.py",
        f"--base_url={server.url}",
        f"--output_dir={tmp_path}",
        "--only",
        "alpaca",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / "data" / "alpaca_data.json.part"
    while not (partial.exists() and partial.stat().st_size == 500):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "\nstopped: what came is kept, half a file too; the same command goes on from there\n"
    assert in_folder(tmp_path) == {Path("data/alpaca_data.json.part"): CONTENT[:500]}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--base_url=ftp://127.0.0.1/",
            "argument --base_url: 'ftp://127.0.0.1/' is not an address like https://mirror.example/data",
        ),
        ("--base_url=file:///etc", "argument --base_url: 'file:///etc' is not an address like"),
        ("--base_url=", "argument --base_url: '' is not an address like"),
        ("--base_url=http://a b/", "argument --base_url: 'http://a b/' is not an address like"),
        ("--base_url=http://a:port/", "argument --base_url: 'http://a:port/': Port could not be cast"),
        ("--base_url=http://a..b/", "argument --base_url: 'http://a..b/': "),
        ("--base_url=http://me:secret@a/", "argument --base_url: an address with a user name in it is not supported"),
        ("--only=reviews", "argument --only: invalid choice: 'reviews'"),
        ("--timeout_seconds=0", "argument --timeout_seconds: '0' is not a whole number of at least 1"),
    ],
)
def test_wrong_flags_are_one_line(run_script: RunScript, tmp_path: Path, flag: str, message: str) -> None:
    assert flag_error(run_script("download", f"--output_dir={tmp_path}", flag)).startswith(message)
    assert files_in(tmp_path) == {}


def test_a_file_where_the_output_folder_should_be_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"a file")
    error = error_line(run_script("download", f"--output_dir={tmp_path / 'out'}", "--only", "alpaca"))
    assert (
        error == f"{tmp_path}/out/data/alpaca_data.json: cannot be read: Not a directory; choose another --output_dir"
    )


def test_shell_script_passes_its_variables_and_flags(server: Server, tmp_path: Path) -> None:
    serve_stand_ins(server)
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    environment |= {"BASE_URL": server.url, "ONLY": "alpaca vicuna_test_set.jsonl"}
    command = ["bash", str(ROOT / "scripts" / "optional_download_data.sh"), f"--output_dir={tmp_path}"]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert [path for path, _, _ in server.sent] == ["/vicuna_test_set.jsonl", "/alpaca_data.json"]


def test_a_right_file_in_a_folder_that_cannot_be_written_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert is_in_place(tmp_path / "file", BLOB_ID)
    monkeypatch.setattr(download, "only_run_in", None)  # not even the lock is asked for
    monkeypatch.setattr(download, "GROUPS", {"test_sets": [download.PublicFile("file", BLOB_ID, "")]})
    monkeypatch.setattr(sys, "argv", ["download.py", f"--output_dir={tmp_path}"])
    download.main()
