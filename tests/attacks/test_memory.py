"""Texts and files that are too large for memory

Memory follows --max_length, not the texts; what does not fit ends with a line.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from script_runs import script_path

LONG = 4_000_000
STORY = "The harbour was quiet that morning, and seven boats lay side by side at the old stone wall. "
BOOK = STORY * (LONG // len(STORY))
# Records of some million characters, and how they are scored.
RECORDS: dict[str, tuple[dict[str, str], list[str]]] = {
    "response": ({"instruction": "Tell.", "output": BOOK}, []),
    "prompt": ({"instruction": BOOK, "output": STORY}, []),
    "input": ({"instruction": "Tell.", "input": BOOK, "output": STORY}, []),
    "one word": ({"instruction": "Tell.", "output": "a" * LONG}, []),
    "spaces": ({"instruction": "Tell.", "output": " " * LONG + "a"}, []),
    "chat": ({"instruction": "Tell.", "output": BOOK}, ["--prompt", "chat"]),
    "chat prompt": ({"instruction": BOOK, "output": STORY}, ["--prompt", "chat"]),
}
# Scores datasets one after the other in one process; prints by how many MB each has raised the peak.
MEASURE = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from data_analysis import main
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = None
for name, flags in json.loads(sys.argv[2]):
    main(["--data_path", name + ".json", "--save_path", name + ".jsonl", *flags])
    if before: print("added", name, peak() - before, sep="\\t")
    before = peak()
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> dict[str, tuple[float, dict[str, Any]]]:
    """By the name of a record: the MB that it has taken more than those before it, and its score line."""
    folder = tmp_path_factory.mktemp("memory")
    small = {"instruction": "Tell a story.", "output": STORY}
    plan = []
    for name, (record, flags) in {"small": (small, list[str]()), **RECORDS}.items():
        (folder / f"{name}.json").write_text(json.dumps([record]), encoding="utf-8")
        plan.append((name, ["--model_name_or_path", str(tiny_llama), "--max_length", "64", *flags]))
    command = [sys.executable, "-c", MEASURE, str(script_path("data_analysis").parent), json.dumps(plan)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("added")]
    return {
        name: (float(added), json.loads((folder / f"{name}.jsonl").read_text(encoding="utf-8")))
        for _, name, added in rows
    }


@pytest.mark.parametrize("name", RECORDS)
def test_memory_follows_max_length_and_not_the_texts(
    scored: dict[str, tuple[float, dict[str, Any]]], name: str
) -> None:
    added, line = scored[name]
    # A few copies of the text as it is. Token by token it took 300 bytes and more for each character.
    assert added < 25 * LONG / 1e6
    if name in ("prompt", "input", "chat prompt"):
        assert line == {"skipped": "long_prompt"}
    else:
        assert line["tokens"][1] < 64
