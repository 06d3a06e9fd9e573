"""What a terminal would obey, in everything that a file brings to the screen."""

import hashlib
import json
from pathlib import Path

import pytest

from scored_data import make_meta
from script_runs import RunScript, write_json
from shared.texts import escaped

HOSTILE = {
    "clear": "a\x1b[2Jb",
    "title": "a\x1b]0;owned\x07b",
    "back": "a\r\x08b",
    "c1": "a\x9b31mb",
    "override": "a\u202eb",
    "isolate": "a\u2066b\u2069",
    "marks": "\u200e\u200f\u061c",
    "line": "a\u2028b\u2029",
    "surrogate": "a\ud800b",
    "hidden": "a\u200b\ufeff\u00adb",
    "tags": "a\U000e0041b",
    "null": "a\x00b\x7f",
}
RECORDS = [{"instruction": f"Name {index} things.", "input": "", "output": f"Here are {index}."} for index in range(4)]
LINE = {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75], "tokens": [3, 3], "se": 0.1}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def shown(done: object) -> str:
    """All that a script has printed; nothing of it does anything to a terminal."""
    text = done.stdout + done.stderr  # type: ignore[attr-defined]
    assert all(char.isprintable() or char in "\n" for char in text.replace("\nstopped", "stopped")), ascii(text)
    assert "Traceback" not in text
    return text


def lines_of(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@hostile
def test_reason_of_a_skipped_record(run_script: RunScript, tmp_path: Path, text: str) -> None:
    data = write_json(tmp_path / "data.json", RECORDS)
    scores = lines_of(tmp_path / "s.jsonl", [LINE, LINE, LINE, {"skipped": text}])
    saved = tmp_path / "scored.json"
    flags = ("--pt_data_path", scores, "--json_data_path", data, "--json_save_path", saved)
    shown(run_script("put_analysis_to_data", *flags))
    if saved.exists():
        shown(run_script("show_selection", "--json_data_path", saved, "--selected", saved))


@hostile
def test_data_path_and_selection_of_a_meta(run_script: RunScript, tmp_path: Path, text: str) -> None:
    data = write_json(tmp_path / "data.json", RECORDS)
    scores = lines_of(tmp_path / "s.jsonl", [LINE] * 4)
    flags = ("--pt_data_path", scores, "--json_data_path", data, "--json_save_path", tmp_path / "scored.json")
    meta = make_meta(data_path=text, num_records=4, end_idx=4)
    write_json(tmp_path / "s.jsonl.meta.json", meta)
    assert "holds scores of other data" in shown(run_script("put_analysis_to_data", *flags))
    selection = {"num_wanted": 1, "filter_threash": text, "key_name": text}
    dataset_sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    write_json(tmp_path / "s.jsonl.meta.json", meta | {"data_sha256": dataset_sha256, "selection": selection})
    assert "note: scored with --dtype mixed" in shown(run_script("put_analysis_to_data", *flags))


@hostile
@pytest.mark.parametrize("place", ["instruction", "output", "key", "task", "system"])
def test_texts_and_keys_of_records(run_script: RunScript, tmp_path: Path, text: str, place: str) -> None:
    records = [record | {"ifd_ppl": 0.5, "task": text} for record in RECORDS]
    records[0] |= {"key": {text: 1}, "task": {}}.get(place, {place: text})
    data = write_json(tmp_path / "data.json", records)
    flags = ("--json_data_path", data, "--json_save_path", tmp_path / "new.json", "--sample_num=2")
    shown(run_script("select_data", *flags, "--group_by", "task"))
    shown(run_script("show_selection", "--json_data_path", data, "--selected", data))
    shown(run_script("data_analysis", "--data_path", data, "--save_path", tmp_path / "s.jsonl"))


@hostile
def test_fields_that_are_left_out(run_script: RunScript, tmp_path: Path, text: str) -> None:
    records = [record | {text: [{"role": "user", "content": "a"}], "rejected": text} for record in RECORDS]
    data = write_json(tmp_path / "data.json", records)
    shown(run_script("data_analysis", "--data_path", data, "--save_path", tmp_path / "s.jsonl"))


@hostile
def test_value_of_a_flag(run_script: RunScript, tmp_path: Path, text: str) -> None:
    data = write_json(tmp_path / "data.json", RECORDS)
    for flag in ("--sample_rate", "--key_name", "--group_by", "--fields"):
        flags = ("--json_data_path", data, "--json_save_path", tmp_path / "new.json", f"{flag}={text}")
        shown(run_script("select_data", *flags))


@pytest.mark.parametrize("char", "\x1b\x07\x9b\u202e\u2066\u200e\u2028\ud800\u200b\U000e0041\x00\x7f\r\x08")
def test_escape_names_the_character(char: str) -> None:
    assert escaped(f"a{char}b") == "a" + char.encode("unicode_escape").decode("ascii") + "b"


@pytest.mark.parametrize(
    "text", ["plain", "\u6c49\u5b57", "caf\xe9", "\U0001f389", "e\u0301", "\u3000", "\u05e9\u05dc"]
)
def test_what_does_nothing_stays(text: str) -> None:
    assert escaped(text) == text


def test_an_error_is_one_line_whatever_is_in_it(run_script: RunScript, tmp_path: Path) -> None:
    done = run_script("select_data", "--json_data_path", tmp_path / "a\nb.json", "--json_save_path", "new.json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a\\nb.json" in done.stderr
