"""Shared by the tests of the judge: wrap files, and eval.py run in this process as a user runs it."""

import contextlib
import functools
import importlib
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from answering.wrap_file import write_wrap_file
from judging.retry_policy import RetryLimits
from shared.cli import run

eval_script = importlib.import_module("eval")

KEY = "sk-secret-0123456789abcdef"
# The bounds of a run, in pauses that a test can wait for.
FAST = RetryLimits(first_pause=0.01, longest_pause=0.05, probe_pauses=(0.05,) * 6)


@dataclass
class Done:
    """How a run ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one line on stderr that a user's mistake leaves."""
        assert (self.returncode, self.stderr.count("\n")) == (2, 1), self
        return self.stderr.removeprefix("error: ").removesuffix("\n")


def write_pairs(folder: Path, num_pairs: int, **row: Any) -> Path:
    """Write a wrap file called mine_wrap.json with pairs that are told apart by their numbers."""
    path = folder / "mine_wrap.json"
    rows = [
        {
            "prompt": f"Question {i}?",
            "Answer1": f"One {i}.",
            "Answer2": f"Two {i}.",
            "id": i,
            "category": None,
            "input": "",
        }
        | row
        for i in range(num_pairs)
    ]
    write_wrap_file(str(path), {"dataset_name": "mine"}, rows)
    return path


def judge(
    monkeypatch: pytest.MonkeyPatch,
    wrap: Path,
    url: str | None,
    *flags: object,
    key: str | None = KEY,
    fast: bool = True,
    base_url: str | None = None,
) -> Done:
    """Run eval.py on a wrap file against a server; `fast` shortens its pauses, not its numbers of attempts.

    `base_url` is OPENAI_BASE_URL.
    """
    with monkeypatch.context() as patch:
        address = ["--api_base", url] if url else []
        patch.setattr(sys, "argv", ["eval.py", "--wraped_file", str(wrap), *address, *map(str, flags)])
        patch.delenv("OPENAI_API_KEY", raising=False)
        patch.delenv("OPENAI_BASE_URL", raising=False)
        if key:
            patch.setenv("OPENAI_API_KEY", key)
        if base_url:
            patch.setenv("OPENAI_BASE_URL", base_url)
        if fast:
            shorter = {name: getattr(FAST, name) for name in ("first_pause", "longest_pause", "probe_pauses")}
            patch.setattr(eval_script, "RetryLimits", functools.partial(RetryLimits, **shorter))
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                run(eval_script.main)
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())


def environment(key: str | None = KEY) -> dict[str, str]:
    """The environment of a script in a process of its own, with the key or with none."""
    env = {name: value for name, value in os.environ.items() if name not in ("OPENAI_API_KEY", "OPENAI_BASE_URL")}
    return env | ({"OPENAI_API_KEY": key} if key else {})
