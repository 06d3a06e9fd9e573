"""Values in extra keys that JSON cannot write back

Read as null like NaN, kept as they are, or refused before anything is scored: never found out by a later step.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from script_runs import RunScript, error_line

RECORD = '{"instruction": "Say.", "output": "Seven boats lay there.", %s}'
NULL_NOTE = "NaN or Infinity, which JSON does not have, or numbers as large as 1e400, read as null"
# Members of a record, and what the key `x` holds at the end.
READ_AS_NULL: dict[str, Any] = {
    '"x": 1e400': None,
    '"x": -1e400': None,
    '"x": 1.5E+309': None,
    '"x": [1, -1e999]': [1, None],
    '"x": {"a": {"b": [1e309]}}': {"a": {"b": [None]}},
    '"x": NaN': None,
    '"x": [-Infinity, Infinity]': [None, None],
    f'"x": {"9" * 310}.0': None,
    '"ifd_ppl": 1e400, "x": 1': 1,
    '"ppl_A_direct": NaN, "ifd_turns": 1e400, "x": 1': 1,
}
KEPT: dict[str, Any] = {
    f'"x": {"9" * 4000}': int("9" * 4000),
    f'"x": -{"9" * 400}': -int("9" * 400),
    '"x": 1e-400': 0.0,
    '"x": "\\ud800"': "\ud800",
    '"x": {"\\udfff": ["\\udc00\\ud800"]}': {"\udfff": ["\udc00\ud800"]},
    '"\\ud83d": 1, "x": "\\u0000"': "\0",
    '"": {"": null}, "x": {"": ""}': {"": ""},
    f'"x": {"[" * 400}1{"]" * 400}': None,
    '"ifd_ppl": "abc", "ifd_skipped": 5, "ifd_turns": {}, "x": true': True,
}
REFUSED = {
    f'"x": {"9" * 5000}': "a number of more than 4300 digits",
    f'"x": [-{"9" * 5000}]': "a number of more than 4300 digits",
    f'"x": {"[" * 600}1{"]" * 600}': "nested more than 500 deep",
    '"x": ' + '{"a": [' * 300 + "]}" * 300: "nested more than 500 deep",
    '"x": ' + '{"a":' * 975 + "1" + "}" * 975: "nested ",
    f'"x": {"[" * 5000}1{"]" * 5000}': "nested too deep",
}


def three_steps(run_script: RunScript, folder: Path, model: Path, data: str, ending: str) -> list[Any]:
    """Run the three steps on a dataset; return what each left: finished processes, up to the first that failed."""
    (folder / f"data{ending}").write_text(data, encoding="utf-8")
    score = ("--save_path=scores.jsonl", f"--model_name_or_path={model}", "--max_length=64")
    merge = (f"--json_data_path=data{ending}", f"--json_save_path=merged{ending}", "--pt_data_path=scores.jsonl")
    select = (f"--json_data_path=merged{ending}", f"--json_save_path=selected{ending}", "--filter_threash=1e6")
    steps = [
        ("data_analysis", f"--data_path=data{ending}", *score),
        ("put_analysis_to_data", *merge),
        ("select_data", *select, "--sample_num=1"),
    ]
    found = []
    for step in steps:
        found.append(run_script(*step, cwd=folder))
        if found[-1].returncode:
            break
    return found


def in_file(members: str, ending: str) -> str:
    return f"[{RECORD % members}]" if ending == ".json" else RECORD % members + "\n"


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize("members", READ_AS_NULL)
def test_numbers_that_json_lacks_are_null_in_every_step(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, members: str, ending: str
) -> None:
    done = three_steps(run_script, tmp_path, tiny_gpt2, in_file(members, ending), ending)
    assert [step.returncode for step in done] == [0, 0, 0]
    assert NULL_NOTE in done[0].stderr
    assert NULL_NOTE not in done[2].stderr
    selected = json.loads((tmp_path / f"selected{ending}").read_text(encoding="utf-8"))
    record = selected[0] if isinstance(selected, list) else selected
    assert record["x"] == READ_AS_NULL[members]


@pytest.mark.parametrize("members", KEPT)
def test_odd_values_come_through_all_steps(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, members: str
) -> None:
    done = three_steps(run_script, tmp_path, tiny_gpt2, in_file(members, ".jsonl"), ".jsonl")
    assert [step.returncode for step in done] == [0, 0, 0]
    record = json.loads((tmp_path / "selected.jsonl").read_text(encoding="utf-8"))
    expected = json.loads(in_file(members, ".jsonl"))
    assert record["x"] == expected["x"]
    assert set(expected) <= {*record, "ifd_skipped", "ifd_turns"}
    if KEPT[members] is not None:
        assert record["x"] == KEPT[members]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize("members", REFUSED)
def test_what_no_step_could_write_is_refused_before_scoring(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, members: str, ending: str
) -> None:
    done = three_steps(run_script, tmp_path, tiny_gpt2, in_file(members, ending), ending)
    assert len(done) == 1
    assert REFUSED[members] in error_line(done[0])
    assert not (tmp_path / "scores.jsonl").exists()
