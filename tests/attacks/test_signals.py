"""Signals at bad times: while a script imports, twice at once, and to the shell script above it."""

from shared.start import Signals, run

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from script_runs import ROOT, write_json
from shared import start
from shared.cli import Interrupted

RECORDS = [
    {"instruction": f"Name {index} things.", "output": f"Here are {index}.", "ifd_ppl": 0.5} for index in range(9)
]
SCRIPTS = ["data_analysis", "put_analysis_to_data", "select_data", "show_selection", "find_dataset"]


def begin(command: list[object], **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


# Python itself answers in its first moments; from the first import on, the script does.
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("script", SCRIPTS)
def test_signal_while_a_script_imports_is_one_line(tmp_path: Path, script: str, number: int) -> None:
    # A module that is imported late waits; the signal comes while it does.
    (tmp_path / "decimal.py").write_text(
        "import os, time\nos.write(1, b'importing\\n')\ntime.sleep(30)\n", encoding="utf-8"
    )
    running = begin(
        [sys.executable, ROOT / "code_ifd" / f"{script}.py"], env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )
    assert running.stdout is not None and running.stdout.readline() == "importing\n"
    running.send_signal(number)
    _, stderr = running.communicate(timeout=30)
    assert (running.returncode, stderr) == (128 + number, "\nstopped: interrupted by the user\n")


def test_what_handles_signals_loads_no_other_module() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'code_ifd')!r}); before = set(sys.modules); import shared.start"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(sorted(set(sys.modules) - before))"], capture_output=True, text=True
    )
    assert done.stdout == "['shared', 'shared.start']\n"


@pytest.mark.parametrize("path", sorted((ROOT / "code_ifd").glob("*.py")), ids=lambda path: path.stem)
def test_every_script_begins_with_what_handles_signals(path: Path) -> None:
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.unparse(statements[1]) == "from shared.start import run"


WAITING = """
import sys, time
sys.path.insert(0, {code!r})
from shared.start import run
def main():
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        time.sleep(0.3)  # what is kept is written
        print("kept", flush=True)
run(main)
"""


@pytest.mark.parametrize("pause", [0, 0.001, 0.005, 0.05, 0.2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_does_not_break_what_the_first_began(tmp_path: Path, number: int, pause: float) -> None:
    running = begin([sys.executable, "-c", WAITING.format(code=str(ROOT / "code_ifd"))])
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.send_signal(number)
    time.sleep(pause)
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stdout) == (128 + number, "kept\n")
    assert stderr == "\nstopped: interrupted by the user\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_ignored(number: int) -> None:
    code = f"import signal\nsignal.signal({int(number)}, signal.SIG_IGN)\n" + WAITING.format(
        code=str(ROOT / "code_ifd")
    )
    running = begin([sys.executable, "-c", code.replace("sleep(30)", "sleep(0.5)")])
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stdout, stderr) == (0, "kept\n", "")


def test_handlers_are_as_before_when_a_script_has_ended() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run(lambda: None)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_asyncio_keeps_its_own_way_to_stop() -> None:
    seen = []
    run(lambda: seen.append(signal.getsignal(signal.SIGINT)), is_async=True)
    assert seen == [signal.default_int_handler]


def test_terminated_work_says_what_it_has_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt:
            raise Interrupted("3 of 9 are kept") from None

    with pytest.raises(SystemExit) as leaving:
        run(main)
    assert leaving.value.code == 143
    assert capsys.readouterr().err == "\nstopped: 3 of 9 are kept\n"


def test_one_that_comes_a_second_later_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(start.time, "monotonic", lambda: now[0])
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    signals = Signals()
    signals.begin(is_async=False)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), before, strict=True):
        signal.signal(number, handler)
    with pytest.raises(KeyboardInterrupt):
        signals.receive(signal.SIGINT, None)
    signals.receive(signal.SIGINT, None)
    now[0] += 1.5
    with pytest.raises(KeyboardInterrupt):
        signals.receive(signal.SIGINT, None)


def stopped(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize(
    ("script", "step"),
    [
        *(("scripts/run_pipeline.sh", f"code_ifd/{step}.py") for step in SCRIPTS if step != "find_dataset"),
        ("scripts/run_pipeline.sh", "code_ifd/report.py"),
        ("scripts/optional_prove_it.sh", "code_ifd/data_analysis.py"),
        ("evaluation/scripts/do_eval_generation.sh", "generation/eva_generation.py"),
        ("evaluation/scripts/do_eval_generation_wrap.sh", "generation/eval_generation_wrap.py"),
        ("evaluation/scripts/do_eval.sh", "generation/eval.py"),
        ("evaluation/scripts/do_review_eval_score.sh", "generation/review_viewer.py"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_end_of_a_script_is_the_end_of_its_step(tmp_path: Path, script: str, step: str, number: int) -> None:
    """A python3 that waits in one of the steps stands for the real one, and notes its process id."""
    write_json(tmp_path / "data.json", RECORDS)
    python, noted = tmp_path / "bin" / "python3", tmp_path / "pid"
    python.parent.mkdir()
    python.write_text(
        f'#!/bin/bash\n[[ "$1" != */find_dataset.py ]] || exec {sys.executable} "$@"\n'
        f'if [[ "$1" == *{step} && " $* " != *" -h "* ]]; then echo $$ >{noted}.new; mv {noted}.new {noted}; '
        "exec sleep 60; fi\n",
        encoding="utf-8",
    )
    python.chmod(0o755)
    (tmp_path / "bin" / "activate").touch()
    environment = os.environ | {
        "VIRTUAL_ENV": str(tmp_path),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "OUTPUT_DIR": str(tmp_path / "out"),
        "DATA_PATH": str(tmp_path / "data.json"),
    }
    running = begin(["bash", ROOT / script], env=environment)
    assert soon(noted.exists), running.communicate()
    running.send_signal(number)
    assert running.wait(timeout=30) == 128 + number
    assert soon(lambda: stopped(int(noted.read_text(encoding="ascii"))))
