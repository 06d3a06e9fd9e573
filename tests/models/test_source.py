"""Names of models: what each means, its fingerprint, and one line within ten seconds for what cannot be had."""

import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.source import HUB_TIMEOUT_SECONDS, find_model
from script_runs import ROOT, RunScript
from shared.cli import UserError


def run_step1(run_script: RunScript, tmp_path: Path, model: str, endpoint: str) -> str:
    """Run step 1 against a Hub at `endpoint` with an empty cache; return its error line."""
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf")}
    data = ROOT / "data" / "sample_alpaca.json"
    done = run_script(
        "data_analysis",
        "--data_path",
        data,
        "--save_path",
        tmp_path / "s.jsonl",
        "--model_name_or_path",
        model,
        env=env,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "s.jsonl").exists()
    return done.stderr


@pytest.fixture
def hub() -> Iterator[tuple[str, dict]]:
    """A Hub on loopback that answers every request with `answer`: status, headers, body."""
    answer = {"status": 404, "headers": {}, "body": b"{}"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer["status"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answer
    server.shutdown()
    server.server_close()


def test_unreachable_hub_is_one_line_with_the_remedy(run_script: RunScript, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        line = run_step1(run_script, tmp_path, "gpt2", f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert "--model_name_or_path gpt2: not in the local cache, and the Hub cannot be asked" in line
    assert "--model_name_or_path smollm2-135m; for a script, MODEL=smollm2-135m" in line


def test_hub_that_never_answers_is_given_up(run_script: RunScript, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        line = run_step1(run_script, tmp_path, "gpt2", f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "the Hub cannot be asked" in line
    assert HUB_TIMEOUT_SECONDS < 10  # what is promised to users; how long it takes depends on the machine


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RepoNotFound", "the Hub has no such model, or it is private"),
        (403, "GatedRepo", "gated on the Hub; accept its terms there"),
        (404, "RevisionNotFound", "--revision main: gpt2 has no such branch, tag or commit"),
        (500, "", "the Hub cannot be asked"),
    ],
)
def test_answers_of_the_hub_are_told_apart(
    run_script: RunScript, tmp_path: Path, hub: tuple[str, dict], status: int, code: str, message: str
) -> None:
    endpoint, answer = hub
    answer.update(status=status, headers={"X-Error-Code": code} if code else {})
    assert message in run_step1(run_script, tmp_path, "gpt2", endpoint)


def test_commit_of_a_hub_model_is_its_fingerprint(hub: tuple[str, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, answer = hub
    commit = "0123456789abcdef0123456789abcdef01234567"
    answer.update(
        status=200,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"id": "gpt2", "sha": commit}).encode(),
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", endpoint)
    source = find_model("gpt2")
    assert (source.fingerprint, source.revision, source.in_cache) == (f"commit:{commit}", commit, False)


def test_cached_model_is_found_offline(tiny_gpt2: Path, tmp_path: Path, run_script: RunScript) -> None:
    commit = "89abcdef0123456789abcdef0123456789abcdef"
    repository = tmp_path / "hf" / "hub" / "models--someone--tiny"
    shutil.copytree(tiny_gpt2, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    done = run_script(
        "data_analysis",
        "--data_path",
        ROOT / "data" / "sample_alpaca.json",
        "--save_path",
        tmp_path / "s.jsonl",
        "--model_name_or_path",
        "someone/tiny",
        "--max_length",
        64,
        "--end_idx",
        5,
        env={"HF_HOME": str(tmp_path / "hf")},
    )
    assert done.returncode == 0
    assert (
        json.loads((tmp_path / "s.jsonl.meta.json").read_text(encoding="utf-8"))["model_fingerprint"]
        == f"commit:{commit}"
    )


@pytest.mark.parametrize("name", ["/no/such/folder", "./missing", "~/missing", "a/b/c"])
def test_path_that_is_not_there_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_model(name)


def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json in this folder"):
        find_model(str(tmp_path))


def test_fingerprint_follows_content_not_place(tiny_gpt2: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_gpt2, tmp_path / "copy")
    assert find_model(str(copy)).fingerprint == find_model(str(tiny_gpt2)).fingerprint
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert find_model(str(copy)).fingerprint != find_model(str(tiny_gpt2)).fingerprint
