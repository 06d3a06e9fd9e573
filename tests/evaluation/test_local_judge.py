"""A judge on this machine: a real server for as long as a command runs, and not a moment longer."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from local_judge import free_port, run_command, served_name, stop, wait_for_answer
from models.source import ModelSource, find_model
from script_runs import ROOT
from shared.cli import UserError

# Asks the server one question and prints where it is, what it is called and how it has answered.
ASK = """
import json, os, urllib.request
messages = [{"role": "user", "content": "Name three"}]
body = {"model": os.environ["API_MODEL"], "messages": messages, "max_tokens": 4, "temperature": 0}
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(os.environ["API_BASE"] + "/chat/completions", json.dumps(body).encode(), headers)
answer = json.load(urllib.request.urlopen(request, timeout=120))
print(json.dumps([os.environ["API_BASE"], os.environ["API_MODEL"], answer["usage"]["completion_tokens"]]))
raise SystemExit(7)
"""


def start(model: Path, log: Path, *command: str) -> subprocess.Popen:
    flags = ["--model_name_or_path", str(model), "--device", "cpu", "--log_path", str(log), "--", *command]
    script = str(ROOT / "evaluation" / "generation" / "local_judge.py")
    return subprocess.Popen(
        [sys.executable, script, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def is_answering(api_base: str) -> bool:
    try:
        with urllib.request.urlopen(api_base.removesuffix("v1") + "health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.long
def test_command_asks_a_real_server_that_is_gone_afterwards(tiny_llama: Path, tmp_path: Path) -> None:
    process = start(tiny_llama, tmp_path / "log", sys.executable, "-c", ASK)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 7
    api_base, name, num_tokens = json.loads(stdout)
    assert (name, num_tokens) == (tiny_llama.name, 4)
    assert api_base.startswith("http://127.0.0.1:") and api_base.endswith("/v1")
    assert stderr == f"judge: {name} at {api_base}\n"
    assert not is_answering(api_base)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_server_ends_when_its_script_is_stopped(number: signal.Signals, tiny_llama: Path, tmp_path: Path) -> None:
    if number == signal.SIGKILL and not sys.platform.startswith("linux"):
        pytest.skip("only Linux ends a process whose parent was killed")
    address = tmp_path / "address"
    process = start(
        tiny_llama,
        tmp_path / "log",
        "bash",
        "-c",
        f'echo "$API_BASE" > "{address}.new"; mv "{address}.new" "{address}"; sleep 600',
    )
    while process.poll() is None and not address.exists():
        time.sleep(0.05)
    api_base = address.read_text(encoding="utf-8").strip()
    assert is_answering(api_base)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[number]
    deadline = time.monotonic() + 20
    while is_answering(api_base) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_answering(api_base)


@pytest.mark.long
def test_model_that_cannot_be_loaded_is_one_line_and_runs_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_llama, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"torn")
    process = start(broken, tmp_path / "log", "touch", str(tmp_path / "was_run"))
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2
    assert stderr.startswith("error: transformers serve ended with code 1: ") and stderr.count("\n") == 1
    assert stderr.endswith(f"; see {tmp_path}/log\n")
    assert not (tmp_path / "was_run").exists()


def test_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        with pytest.raises(UserError, match="did not answer in 1 s; raise --start_seconds, or see log"):
            wait_for_answer(process, f"http://127.0.0.1:{free_port()}/health", 1, "log")
        stop(process)
        assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_exit_code_is_that_of_the_command(command: str, code: int) -> None:
    assert run_command(["bash", "-c", command], "http://127.0.0.1:9/v1", "name") == code


def test_model_is_served_under_a_short_name(tiny_llama: Path) -> None:
    assert served_name(find_model(f"{tiny_llama}/")) == tiny_llama.name
    assert served_name(ModelSource("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "commit:1", revision="1")) == "Qwen/Qwen3-0.6B"
    assert served_name(ModelSource("smollm2-135m", "/somewhere/a.gguf", "sha256:1")) == "smollm2-135m"
