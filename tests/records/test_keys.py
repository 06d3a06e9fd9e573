"""The table of keys: the page that prints it, and that every key in it has an effect."""

import re
from typing import Any

import pytest

from records.conversations import check_records, exchanges, parse_fields
from records.keys import FIELD_ROLES, LEFT_OUT, RECORD_KEYS, REFUSED, ROLES, TURN_NAMES, key_tables
from script_runs import ROOT
from shared.cli import UserError

Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
# A value that says something under each key, and a record for it to stand beside.
PLAIN, TALK = {"instruction": "q", "output": "a"}, {"messages": [Q, A]}
SAYS: dict[str, tuple[dict[str, Any], Any]] = {
    "instruction": ({"output": "a"}, "q"),
    "input": (PLAIN, "more"),
    "output": ({"instruction": "q"}, "a"),
    "conversations": ({}, [Q, A]),
    "system": (PLAIN, "be"),
    "history": (PLAIN, [["q0", "a0"]]),
    "chosen": ({"instruction": "q"}, "a"),
    "reasoning": (PLAIN, "since"),
    "tools": (TALK, [{"name": "f"}]),
    "rejected": (PLAIN, "b"),
    "aside": (PLAIN, "hm"),
    "weight": (PLAIN, 0),
    "label": (PLAIN, False),
    "media": (PLAIN, ["a.jpg"]),
}
every_key = pytest.mark.parametrize(("role", "name"), [(key.role, name) for key in RECORD_KEYS for name in key.names])
USES = {key.role: key.use for key in RECORD_KEYS}


def test_page_prints_the_table() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"<!-- tables: .* -->\n(.*)\n<!-- end of tables -->", page, re.DOTALL)
    assert printed == key_tables(), "run PYTHONPATH=code_ifd python -m records.keys"


def test_no_key_of_a_record_has_two_roles() -> None:
    names = [name for key in RECORD_KEYS for name in key.names]
    assert len(set(names)) == len(names)


@every_key
def test_no_key_is_ignored_without_a_word(role: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    beside, value = SAYS[role]
    record = beside | {name: value}
    if USES[role] == REFUSED:
        with pytest.raises(UserError, match=f"^d: record 0: .*{name!r}.*--fields {name}="):
            check_records([record], "d", {})
        return
    check_records([record], "d", {})
    noted = f"{name!r} is left out" in capsys.readouterr().err
    assert noted == (USES[role] == LEFT_OUT)
    if not noted:
        try:
            without = exchanges(beside, {})
        except UserError:
            without = []
        assert exchanges(record, {}) != without


@every_key
def test_key_can_be_left_out_by_name(role: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in ("instruction", "output"):
        return
    beside, value = (PLAIN, "a") if role in ("instruction", "output", "chosen", "conversations") else SAYS[role]
    fields = parse_fields(f"{name}=")
    check_records([beside | {name: value}], "d", fields)
    assert exchanges(beside | {name: value}, fields) == exchanges(beside, {})
    assert capsys.readouterr().err == ""


@every_key
@pytest.mark.parametrize("nothing", [None, "", []])
def test_key_that_says_nothing_is_a_missing_one(role: str, name: str, nothing: Any) -> None:
    for beside in (PLAIN, TALK):
        if name in beside or (role == "input" and nothing == []):  # it must be a text, and no list of any length
            continue
        check_records([beside | {name: nothing}], "d", {})
        found, wanted = exchanges(beside | {name: nothing}, {}), exchanges(beside, {})
        for exchange in (*found, *wanted):
            exchange["input"] = exchange.get("input") or None
        assert found == wanted


@pytest.mark.parametrize("name", sorted(FIELD_ROLES))
def test_fields_find_every_role_under_any_key(name: str) -> None:
    role = FIELD_ROLES[name]
    usual = next(key.names[0] for key in RECORD_KEYS if key.role == role)
    beside, value = SAYS[role]
    assert exchanges(beside | {"other": value}, {name: "other"}) == exchanges(beside | {usual: value}, {})


@pytest.mark.parametrize("name", sorted(ROLES))
@pytest.mark.parametrize("spell", [str, str.upper, str.title, lambda name: f" {name.replace('_', ' ')}: "])
def test_roles_are_read_whatever_their_case(name: str, spell: Any) -> None:
    turn = {"from": spell(name), "value": "x"}
    last = {"from": "gpt", "value": "y"}
    assert exchanges({"conversations": [turn, last]}, {})[-1]["messages"] == [{"role": ROLES[name], "content": "x"}]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Input", "only 'input' is known (--fields input=Input reads it)"),
        ("System Prompt", "only 'system_prompt' is known (--fields system=System Prompt reads it)"),
        ("HISTORY", "only 'history' is known (--fields history=HISTORY reads it)"),
        ("kto-tag", "only 'kto_tag' is known (rename it)"),
    ],
)
def test_key_in_other_spelling_is_noted(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_records([PLAIN | {name: "x"}], "d", {})
    assert f"{name!r} is left out: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ({"Instruction": "q", "Input": "more", "Output": "a"}, "instruction=Instruction,input=Input,output=Output"),
        ({"problem": "q", "solution": "a"}, "instruction=problem,output=solution"),
        ({"input": "q", "output": "a"}, "instruction=input"),
        ({"Question": "q", "response": "a"}, "instruction=Question,output=response"),
    ],
)
def test_hint_for_a_record_that_is_not_understood_works(record: dict[str, str], fields: str) -> None:
    with pytest.raises(UserError, match=rf"--fields {fields} takes"):
        check_records([record], "d", {})
    check_records([record], "d", parse_fields(fields))
    assert exchanges(record, parse_fields(fields))[0]["output"] == "a"


@pytest.mark.parametrize("name", TURN_NAMES["mask"])
def test_turn_that_is_trained_in_part_is_refused_unless_it_is_meant(name: str) -> None:
    record = {"messages": [Q, A | {name: [1]}]}
    with pytest.raises(UserError, match=rf"messages\[1\]: has {name!r}.*--fields {name}="):
        check_records([record], "d", {})
    assert exchanges(record, {name: ""})[0]["output"] == "a"


def test_second_system_text_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    check_records([record | {"system": "be", "system_prompt": "or not"} for record in (PLAIN, TALK)], "d", {})
    assert "'system_prompt' is left out: 'system' is the system, in 2 of 2 records" in capsys.readouterr().err
