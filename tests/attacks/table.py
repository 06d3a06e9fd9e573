"""Run the attacks, and print how many of each kind were tried and held: python tests/attacks/table.py

Each file in this folder is about one kind, which the first line of its docstring names; each test in it is an attack.
It holds when its test passes: the program ended with a clear line, or went on with the right result. Arguments go to
pytest.
"""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


class Counts:
    """A pytest plugin that counts what became of the attacks in each file."""

    def __init__(self) -> None:
        self.outcomes: dict[Path, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an attack once: by its call, or by its set-up where that failed or was skipped."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            path = Path(report.nodeid.partition("::")[0])
            self.outcomes.setdefault(path, Counter())[report.outcome] += 1


def kind_of(path: Path) -> str:
    """Return the kind of attack that a file is about."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    return docstring.partition("\n")[0].rstrip(".")


def main(arguments: list[str]) -> int:
    """Run the attacks, print the table, and return pytest's exit code."""
    counts = Counts()
    root = FOLDER.parent.parent
    code = pytest.main([str(FOLDER), f"--rootdir={root}", "-q", "--no-header", *arguments], plugins=[counts])
    rows = [(kind_of(root / path), found) for path, found in sorted(counts.outcomes.items())]
    total = sum((found for _, found in rows), Counter[str]())
    print(f"\n{'kind of attack':64} {'tried':>6} {'held':>6} {'skipped':>8}")
    for kind, found in [*rows, ("all", total)]:
        tried = found["passed"] + found["failed"]
        print(f"{kind[:64]:64} {tried:6} {found['passed']:6} {found['skipped']:8}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
