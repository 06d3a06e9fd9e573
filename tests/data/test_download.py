"""The download script, on stand-ins for the published files, whose ids it does not know, or on the real test sets."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

import download
from file_server import BLOB_ID, CONTENT, Answer, Server, blob_id_of
from script_runs import ROOT, RunScript, error_line, files_in, flag_error
from shared.files import open_locked
from verified_fetch import is_in_place


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
