"""Run scripts as users do, and look at what they leave: exit code, text, files.

A script runs in the process of the tests, by its `main`, which takes a second less than a Python of its own. What needs
a process (another environment, another working folder of a shell, a signal) asks for one.
"""

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared import cli

ROOT = Path(__file__).parent.parent
# The folders of scripts and their modules.
CODE = (ROOT / "code_ifd", ROOT / "evaluation" / "generation", ROOT / "data")
# Ray and the judge's client keep threads and handlers of their own.
OWN_PROCESS = {"data_analysis_ray"}

Done = subprocess.CompletedProcess[str]
RunScript = Callable[..., Done]


def script_path(name: str) -> Path:
    """The path of a script, which is named without its ending."""
    return next(folder / f"{name}.py" for folder in CODE if (folder / f"{name}.py").exists())


def run_script(
    name: str,
    *args: object,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    own_process: bool = False,
    **options: Any,
) -> Done:
    """Run the script called <name>.py with arguments; text stdout and stderr.

    With `env`, options of subprocess.run, or `own_process`, it gets a process of its own.
    """
    arguments = list(map(str, args))
    if own_process or env or options or name in OWN_PROCESS:
        command = [sys.executable, str(script_path(name)), *arguments]
        environment = os.environ | (env or {})
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300, **options
        )
    return run_here(name, arguments, cwd)


def run_here(name: str, arguments: list[str], cwd: Path) -> Done:
    """Call the `main` of a script in `cwd`, and return what a process would have."""
    main = importlib.import_module(name).main
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv, code = sys.argv, 0
    sys.argv = [str(script_path(name)), *arguments]
    try:
        with (
            as_before(),
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            try:
                cli.run(lambda: main(arguments))
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
            except Exception:  # a fault of ours, shown as the interpreter shows it
                traceback.print_exc()
                code = 1
    finally:
        sys.argv = argv
    texts = (stream.buffer.getvalue().decode() for stream in (stdout, stderr))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess([name, *arguments], code, *texts)


@contextlib.contextmanager
def as_before() -> Iterator[None]:
    """Change back what a script changes in its process, and show its warnings where a user sees them, on stderr."""
    environment, torch = dict(os.environ), sys.modules.get("torch")
    on_interrupt = signal.getsignal(signal.SIGINT)
    num_threads = torch.get_num_threads() if torch else 0
    transformers_logging = sys.modules.get("transformers.utils.logging")
    verbosity = transformers_logging.get_verbosity() if transformers_logging else 0
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning  # pytest would keep them to itself
            for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)  # as Python does outside tests
            yield
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
        os.environ.clear()
        os.environ.update(environment)
        if torch:
            torch.set_num_threads(num_threads)
        if transformers_logging:
            transformers_logging.set_verbosity(verbosity)
            transformers_logging.enable_progress_bar()


def show_warning(message: object, category: type, filename: str, lineno: int, *_: object) -> None:
    """Print a warning as Python does."""
    print(f"{filename}:{lineno}: {category.__name__}: {message}", file=sys.stderr)


def bash(script: str, *args: object, cwd: Path = Path("/"), **env: object) -> subprocess.CompletedProcess:
    """Run a script from another folder, in the environment of the tests."""
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    environment |= {name: str(value) for name, value in env.items()}
    environment.pop("SUPERFILTERING_CHECKED", None)  # test.sh has been checked, this script has not
    command = ["bash", str(ROOT / script), *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=600
    )


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def files_in(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def error_line(done: Done) -> str:
    """The one line that a user's mistake leaves on stderr, without its `error: `."""
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").removesuffix("\n")


def flag_error(done: Done) -> str:
    """What is said about a flag, without the pointer to --help that follows."""
    return error_line(done).partition("; see ")[0]
