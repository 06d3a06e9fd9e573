"""Before the work: are our packages here, and is every variable spelled as a script reads it?

Ends with exit code 2 when one of the packages that are named is missing. Warns of variables that are almost ours.

python scripts/check_environment.py torch transformers numpy
"""

import difflib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
VARIABLE = re.compile(r"\$\{([A-Z_]+[0-9]?)(?=:?[-+=])")
SHORTEST = 6  # shorter names are like many others
SIMILAR = 0.88
# Flags of run_pipeline.sh that are called otherwise than their variables.
SHORT_NAMES = {"RATE": "SAMPLE_RATE", "NUM": "SAMPLE_NUM", "THRESHOLD": "FILTER_THREASH", "PROMPT": "PROMPT_TEMPLATE"}


def known_variables() -> set[str]:
    """Return the names that the shell scripts read with a default."""
    scripts = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("evaluation/scripts/*.sh")]
    return {name for script in scripts for name in VARIABLE.findall(script.read_text(encoding="utf-8"))}


def misspelled(set_here: Iterable[str], known: set[str]) -> dict[str, str]:
    """Return the variables that no script reads but that are almost one that is read, and that one."""
    found = {name: SHORT_NAMES[name] for name in set_here if name in SHORT_NAMES and name not in known}
    for name in set_here:
        if name not in found and len(name) >= SHORTEST and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILAR)
            if near:
                found[name] = near[0]
    return found


def main(packages: list[str]) -> int:
    """Return the exit code."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"error: the environment {sys.prefix} has no {', '.join(missing)}; run `pip install -r requirements.txt` "
            "in it, or deactivate it and run bash scripts/quickstart.sh",
            file=sys.stderr,
        )
        return 2
    for name, meant in misspelled(os.environ, known_variables()).items():
        print(f"warning: {name} is set, which no script reads; {meant} is one that is read", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
