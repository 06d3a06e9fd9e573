"""A judge on this machine: `transformers serve` with a local model, for as long as a command runs.

Picks a free port of the loopback, starts the server, waits until it answers, runs
the command with API_BASE and API_MODEL set for do_eval.sh, and stops the server,
however the command ends. Leaves with the command's exit code.
Needs `pip install -r evaluation/requirements.txt`.

python evaluation/generation/local_judge.py --model_name_or_path smollm2-135m \\
    -- bash evaluation/scripts/do_eval.sh --max_tokens 64 --batch_size 1
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from models.pip_models import SMOLLM2, dequantized_folder
from models.source import ModelSource, add_revision_flag, find_model
from shared.cli import UserError, new_parser, positive_int, run, tell

SERVE = "from transformers.cli.transformers import main; main()"
STOP_SECONDS = 10
POLL_SECONDS = 0.2


def served_name(source: ModelSource) -> str:
    """Return the name by which the server knows a model: the last part of a folder's name, or the Hub id."""
    return Path(source.location).resolve().name if source.is_local and source.name != SMOLLM2.name else source.name


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ending_with_parent(command: list[str]) -> list[str]:
    """Return a command that Linux tells to end when its parent is gone: nothing else does after a SIGKILL."""
    setpriv = shutil.which("setpriv")  # of util-linux, which other systems lack
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else command


@contextlib.contextmanager
def serving(source: ModelSource, device: str, start_seconds: int, log_path: str) -> Iterator[str]:
    """Yield the address of a server that answers, and stop it at the end. Raises UserError when it does not start."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="local_judge_") as folder, open(log_path, "wb") as log:
        # The server knows a model by the path that it was given: from a folder of links, that is a name.
        if source.is_local:
            target = (
                dequantized_folder(Path(source.location), source.fingerprint)
                if source.name == SMOLLM2.name
                else source.location
            )
            os.symlink(os.path.abspath(target), os.path.join(folder, served_name(source)))
        command = [
            sys.executable,
            "-c",
            SERVE,
            "serve",
            served_name(source),
            "--device",
            device,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        offline = {"HF_HUB_OFFLINE": "1"} if source.is_local or source.in_cache else {}
        # In a session of its own, or Ctrl-C would reach it while the command still waits for an answer.
        process = subprocess.Popen(
            ending_with_parent(command),
            cwd=folder,
            env=os.environ | offline,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for_answer(process, f"http://127.0.0.1:{port}/health", start_seconds, log_path)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            stop(process)


def wait_for_answer(process: subprocess.Popen, url: str, start_seconds: int, log_path: str) -> None:
    """Return when the server answers. Raises UserError with its last words when it has ended, or does not in time."""
    deadline = time.monotonic() + start_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = Path(log_path).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UserError(
                f"transformers serve ended with code {process.returncode}: {lines[-1] if lines else 'no words'}; see "
                f"{log_path}"
            )
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(POLL_SECONDS)
    raise UserError(f"transformers serve did not answer in {start_seconds} s; raise --start_seconds, or see {log_path}")


def stop(process: subprocess.Popen) -> None:
    """End a process that leads a session, and what it has started, by force where asking does not help."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_command(command: list[str], api_base: str, api_model: str) -> int:
    """Run a command that asks the judge and return its exit code, as the shell reports it.

    Ctrl-C is handed on to it.
    """
    environment = os.environ | {"API_BASE": api_base, "API_MODEL": api_model}
    # In a session of its own, so that all that it has started can be told to end.
    process = subprocess.Popen(ending_with_parent(command), env=environment, start_new_session=True)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)  # it says what it has kept
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        raise
    finally:
        stop(process)
    return code if code >= 0 else 128 - code


def leave(number: int, frame: FrameType | None) -> None:
    """Leave on a signal as on an error: what was started is stopped."""
    sys.exit(128 + number)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--model_name_or_path",
        default=SMOLLM2.name,
        help="the judge: a Hub id, a local folder, or smollm2-135m, from PyPI (default: %(default)s)",
    )
    add_revision_flag(parser)
    parser.add_argument(
        "--device", default="auto", help="where the server runs the model: auto, cpu, cuda:0 (default: %(default)s)"
    )
    parser.add_argument(
        "--start_seconds",
        type=positive_int,
        default=180,
        help="how long the server may take to load the model (default: %(default)s)",
    )
    parser.add_argument("--log_path", default=os.devnull, help="file for the server's own words (default: none)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="after --: what to run while the server is there")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command while the server is there, and leave with its exit code."""
    args = parse_args(argv)
    if not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))):
        raise UserError(
            "transformers serve needs fastapi and uvicorn: `source .venv/bin/activate` where quickstart_eval.sh "
            "--live was run, or `pip install -r evaluation/requirements.txt`"
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    source = find_model(args.model_name_or_path, args.revision)
    with serving(source, args.device, args.start_seconds, args.log_path) as api_base:
        tell(f"judge: {served_name(source)} at {api_base}")
        code = run_command(args.command, api_base, served_name(source))
    sys.exit(code)


if __name__ == "__main__":
    run(main)
