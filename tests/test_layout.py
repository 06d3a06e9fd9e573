"""Where things lie: imports go downwards only, few files lie at the top, and a script finds its own modules first."""

import ast
import concurrent.futures
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from script_runs import ROOT

CODE, GENERATION, DATA = ROOT / "code_ifd", ROOT / "evaluation" / "generation", ROOT / "data"

# What the modules of a folder may import, their own folder apart. A script may import any folder, but no script.
UP_TO_SCORING = {"shared", "records", "selection", "models", "scoring"}
FOR_EVALUATION = {"shared", "records", "selection", "models", "reporting"}
MAY_IMPORT: dict[str, set[str]] = {
    "shared": set(),
    "records": {"shared"},
    "selection": {"shared", "records"},
    "models": {"shared", "records"},
    "scoring": {"shared", "records", "selection", "models"},
    "cluster": UP_TO_SCORING,
    "diversity": UP_TO_SCORING,
    "reporting": UP_TO_SCORING,
    "training": UP_TO_SCORING,
    "benchmarks": UP_TO_SCORING | {"cluster", "diversity", "reporting", "training"},
    "answering": FOR_EVALUATION,
    "verdict": FOR_EVALUATION | {"answering"},
    "judging": FOR_EVALUATION | {"answering", "verdict"},
}
SCRIPTS = sorted(
    path
    for folder in (CODE, GENERATION, DATA)
    for path in folder.glob("*.py")
    if "__main__" in path.read_text(encoding="utf-8")
)
SOURCES = sorted(path for folder in (CODE, GENERATION, DATA) for path in folder.rglob("*.py"))
# The names that an installed package could take from us: what a script imports first.
NAMES = sorted({*MAY_IMPORT, *(path.stem for path in SOURCES if path.parent in (CODE, GENERATION, DATA))})


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the name of every module that a file imports, in functions too; relative ones begin with a dot."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def forbidden_imports(path: Path, folder: str) -> list[str]:
    """What a file of a folder, or a script (`folder` is empty), imports against the rules: file, line, import, why."""
    scripts = {script.stem for script in SCRIPTS}
    found = []
    for line, name in imports_of(path):
        top = name.split(".")[0]
        if name.startswith("."):
            reason = "imports name their folder"
        elif top in scripts:
            reason = f"{top}.py is a script"
        elif folder and top in MAY_IMPORT and top != folder and top not in MAY_IMPORT[folder]:
            reason = f"{folder} may import {', '.join(sorted(MAY_IMPORT[folder])) or 'no other folder'}"
        else:
            continue
        found.append(f"{path.relative_to(ROOT)}:{line} imports {name}: {reason}")
    return found


def test_every_folder_of_modules_has_its_floor() -> None:
    folders = {path.parent.name for path in SOURCES if path.parent not in (CODE, GENERATION, DATA)}
    assert folders == set(MAY_IMPORT)


def test_folders_never_import_each_other() -> None:
    assert not [(a, b) for a in MAY_IMPORT for b in MAY_IMPORT[a] if a in MAY_IMPORT[b]]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_go_downwards_only(folder: str) -> None:
    paths = [path for path in SOURCES if path.parent.name == folder]
    assert not [line for path in paths for line in forbidden_imports(path, folder)]


def test_no_script_imports_a_script() -> None:
    assert not [line for path in SCRIPTS for line in forbidden_imports(path, "")]


@pytest.mark.parametrize(("folder", "most"), [(CODE, 12), (GENERATION, 9)], ids=["code_ifd", "generation"])
def test_few_files_lie_at_the_top_and_all_are_scripts(folder: Path, most: int) -> None:
    paths = set(folder.glob("*.py"))
    assert len(paths) <= most
    assert paths <= set(SCRIPTS)


def test_only_scripts_touch_the_path_and_none_appends_to_it() -> None:
    for path in SOURCES:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "sys.path" in line]
        wanted = {"sys.path.insert(1"} if path in SCRIPTS else set()
        assert {line.strip().partition(",")[0] for line in lines} <= wanted, path


def test_no_finding_of_the_linter_is_hushed() -> None:
    assert not [path for path in SOURCES if "noqa" in path.read_text(encoding="utf-8")]


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, subprocess.CompletedProcess]:
    """What each script says to --help, at 80 columns, where other packages with our names are installed."""
    folder = tmp_path_factory.mktemp("installed")
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise ImportError('another {name}')\n", encoding="utf-8")

    def help_of(script: Path) -> subprocess.CompletedProcess:
        command = [sys.executable, str(script), "--help"]
        environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=120)

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        return dict(zip(SCRIPTS, threads.map(help_of, SCRIPTS), strict=True))


def test_installed_packages_of_our_names_never_win(helps: dict[Path, subprocess.CompletedProcess]) -> None:
    for script, done in helps.items():
        assert (done.returncode, done.stderr) == (0, ""), script
        assert done.stdout.startswith(f"usage: {script.name}")


def test_help_fits_a_terminal_of_80_columns(helps: dict[Path, subprocess.CompletedProcess]) -> None:
    for script, done in helps.items():
        assert not [line for line in done.stdout.splitlines() if len(line) > 80], script
