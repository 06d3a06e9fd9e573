"""Texts and files that are too large for memory

Memory follows --max_length, not the texts; what does not fit ends with a line.
"""

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from records import json_lines
from script_runs import RunScript, error_line, script_path

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


def step_3(run_script: RunScript, path: Path, **options: Any) -> str:
    """Read a file as a dataset; return the error."""
    files = (f"--json_data_path={path}", f"--json_save_path={path.parent / 'selected.jsonl'}")
    done = run_script("select_data", *files, "--sample_num=1", **options)
    assert not (path.parent / "selected.jsonl").exists()
    return error_line(done)


@pytest.mark.parametrize("byte", [b" ", b"[", b"a", b"\0", b'"', b"9"])
@pytest.mark.parametrize("ending", [".jsonl.gz", ".jsonl.zst", ".jsonl"])
def test_a_line_without_end_is_given_up(
    run_script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byte: bytes, ending: str
) -> None:
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 2 << 20)
    path = tmp_path / f"data{ending}"
    with open(path, "wb") as file, json_lines.compressed(file, str(path)) as packed:
        packed.write(b'{"ifd_ppl": 0.5}\n')
        packed.write(byte * (3 << 20))
    assert step_3(run_script, path) == f"{path}: line 2 is longer than 2 MB; {json_lines.IF_TOO_LARGE}"


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))


@pytest.mark.parametrize("ending", [".json", ".jsonl.gz", ".jsonl"])
def test_what_memory_does_not_hold_ends_with_a_line(run_script: RunScript, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    with gzip.open(path, "wb", 1) if ending.endswith(".gz") else open(path, "wb") as file:
        file.write(b'[{"ifd_ppl": 0.5, "a": "')
        for _ in range(250):
            file.write(b"a" * (1 << 20))
    assert "memory" in step_3(run_script, path, preexec_fn=limit_memory)


def test_a_json_larger_than_memory_is_not_begun(
    run_script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "available_bytes", lambda: 3 << 20)
    (tmp_path / "data.json").write_bytes(b"[" + b" " * (2 << 20) + b"]")
    assert "2 MB, which a .json needs at least twice in memory, and there are 3 MB" in step_3(
        run_script, tmp_path / "data.json"
    )
