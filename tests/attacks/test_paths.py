"""Paths that are no plain files, and names that a terminal would obey or no encoding has."""

import json
import os
import socket
from pathlib import Path

import pytest

from scored_data import make_meta
from scoring.mixed import open_rescored
from scoring.score_journal import ScoreJournal
from script_runs import RunScript, error_line, write_json
from shared.cli import UserError

RECORDS = [{"instruction": f"Name {index} things.", "output": f"Here are {index} of them."} for index in range(5)]
SCORED = [record | {"ifd_ppl": 0.5 + index / 10} for index, record in enumerate(RECORDS)]
FLAGS = {
    "data_analysis": ("--data_path", "--save_path"),
    "put_analysis_to_data": ("--json_data_path", "--json_save_path"),
    "select_data": ("--json_data_path", "--json_save_path"),
    "select_data_diverse": ("--json_data_path", "--json_save_path"),
    "report": ("--json_data_path", "--save_path"),
    "plant_mistakes": ("--json_data_path", "--json_save_path"),
}


def command(script: str, data: object, out: Path) -> list[object]:
    data_flag, save_flag = FLAGS[script]
    found: list[object] = [script, data_flag, data, save_flag, out]
    if script == "put_analysis_to_data":
        found += ["--pt_data_path", out.with_name("s.jsonl")]
    return found


def special(folder: Path, kind: str) -> Path | str:
    path = folder / "data.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(os.path.relpath(path))  # the name of a socket is short
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        return "/dev/zero"
    return path


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a device"])
@pytest.mark.parametrize("script", FLAGS)
def test_dataset_that_is_no_file_is_refused(run_script: RunScript, tmp_path: Path, script: str, kind: str) -> None:
    (tmp_path / "s.jsonl").write_text("{}\n", encoding="utf-8")
    done = run_script(*command(script, special(tmp_path, kind), tmp_path / "out.html"))
    assert "is a device or a pipe" in error_line(done)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_score_file_that_is_no_file_is_refused(run_script: RunScript, tmp_path: Path, kind: str) -> None:
    data = write_json(tmp_path / "a.json", RECORDS)
    done = run_script(
        *("put_analysis_to_data", "--json_data_path", data, "--json_save_path", tmp_path / "out.json"),
        *("--pt_data_path", special(tmp_path, kind)),
    )
    assert "is a device or a pipe" in error_line(done)


HOSTILE = {
    "escape": "a\x1b[2Jb",
    "title": "a\x1b]0;owned\x07b",
    "return": "a\rb",
    "right to left": "a\u202egnp.b",
    "isolate": "a\u2066b",
    "c1": "a\x9b2Jb",
    "line": "a\nb",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("script", ["select_data", "data_analysis", "report"])
def test_missing_file_with_a_hostile_name_is_shown_escaped(
    run_script: RunScript, tmp_path: Path, script: str, name: str
) -> None:
    done = run_script(*command(script, tmp_path / f"{name}.json", tmp_path / "out.json"))
    assert done.returncode == 2
    shown = done.stderr.removesuffix("\n").replace("\n", "") if name == HOSTILE["line"] else done.stderr.rstrip("\n")
    assert shown.isprintable() and shown.startswith("error: ")


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_output_with_a_hostile_name_is_shown_escaped(run_script: RunScript, tmp_path: Path, name: str) -> None:
    scored = write_json(tmp_path / "scored.json", SCORED)
    done = run_script(*command("select_data", scored, tmp_path / f"{name}.json"), "--sample_num", 2)
    assert done.returncode == 0
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    assert len(json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))) == 2


def test_folder_with_a_name_that_is_no_utf_8_is_read_or_refused(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (b"a\xff.json", b"b.json"):
        with open(os.path.join(os.fsencode(folder), name), "w", encoding="utf-8") as file:
            json.dump(RECORDS, file)
    save = tmp_path / "s.jsonl"
    flags = ("--model_name_or_path", tiny_gpt2, "--max_length", 64)
    done = run_script("data_analysis", "--data_path", folder, "--save_path", save, *flags)
    assert done.returncode == 0, done.stderr
    merged = run_script(
        *("put_analysis_to_data", "--json_data_path", folder, "--json_save_path", tmp_path / "out.json"),
        *("--pt_data_path", save),
    )
    assert merged.returncode == 0, merged.stderr
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 10


def test_shards_that_are_links_count_as_files(run_script: RunScript, tmp_path: Path) -> None:
    # As in a snapshot of the Hub's cache.
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for number in range(2):
        blob = write_json(tmp_path / "blobs" / f"{number:040x}", SCORED)
        (tmp_path / "snapshot" / f"train-{number:05}-of-00002.json").symlink_to(blob)
    done = run_script(*command("select_data", tmp_path / "snapshot", tmp_path / "out.json"), "--sample_num", 10)
    assert done.returncode == 0
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 10


def test_two_thousand_shards_are_one_dataset(run_script: RunScript, tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number:04}.jsonl").write_text(json.dumps(RECORDS[0]) + "\n", encoding="utf-8")
    done = run_script("find_dataset", "--data_path", tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [str(tmp_path), "jsonl", tmp_path.name]


@pytest.mark.parametrize("name", ["s.jsonl.meta.json", "s.jsonl", "s.jsonl.float32"])
def test_pipe_in_the_place_of_a_file_of_step_1_is_refused(tmp_path: Path, name: str) -> None:
    rough = tmp_path / "rough"
    rough.touch()
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="is a device or a pipe"):
        if name.endswith(".float32"):
            open_rescored(str(tmp_path / name), str(rough))
        else:
            ScoreJournal(str(tmp_path / "s.jsonl"), make_meta())
    assert {path.name for path in tmp_path.iterdir()} == {"rough", name}


def test_pipe_among_the_shards_is_passed_over(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / "a.json", SCORED)
    os.mkfifo(tmp_path / "data" / "b.json")
    done = run_script(*command("select_data", tmp_path / "data", tmp_path / "out.json"), "--sample_num", 2)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["-x.json", "-out.json", "-h.json", "-1.json", "--.json"])
@pytest.mark.parametrize("script", ["select_data", "report", "plant_mistakes"])
def test_a_path_may_begin_with_a_dash(run_script: RunScript, tmp_path: Path, script: str, name: str) -> None:
    data_flag, save_flag = FLAGS[script]
    # What follows a flag is its value; two dashes are another flag's, and need `=`.
    data = [f"{data_flag}={name}"] if name.startswith("--") else [data_flag, name]
    done = run_script(script, *data, save_flag, "-new.html", cwd=tmp_path)
    assert error_line(done).startswith(f"{name}: cannot be read: No such file")


@pytest.mark.parametrize("name", ["-s.jsonl", "-1"])
def test_score_files_may_begin_with_a_dash(run_script: RunScript, tmp_path: Path, name: str) -> None:
    data = write_json(tmp_path / "-data.json", RECORDS)
    (tmp_path / name).write_text("{}\n" * 5, encoding="utf-8")
    flags = ("--json_data_path", data.name, "--json_save_path", "-new.json", "--pt_data_path", name)
    done = run_script("put_analysis_to_data", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "-new.json").read_text(encoding="utf-8"))) == 5


@pytest.mark.parametrize("name", ["\ud800.arrow", 5, None, ["a.arrow"], "a\x00.arrow"], ids=ascii)
def test_shard_with_a_name_that_none_has_is_refused(run_script: RunScript, tmp_path: Path, name: object) -> None:
    write_json(tmp_path / "state.json", {"_data_files": [{"filename": name}]})
    done = run_script(*command("select_data", tmp_path, tmp_path.with_suffix(".json")), "--sample_num", 2)
    assert error_line(done)
