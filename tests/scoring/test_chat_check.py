"""--prompt chat, from the flags to the score file: contexts, refusals with their records, one date a run."""

import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.sequences import LETTER
from scoring import chat_check
from script_runs import RunScript, error_line, write_json
from tiny_models import load_tiny, save_chat_llama

TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>\n{% endfor %}"
CHATML = TURNS + "{% if add_generation_prompt %}<assistant>{% endif %}"
THINKS = CHATML.replace("<assistant>{% endif", "<assistant><think>\n{% endif")
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + CHATML
)
CLOCK = "{{ strftime_now('%d %b %Y') }}\n" + CHATML
RECORDS = [{"instruction": f"Name colour {number}.", "output": "Red and yellow leaves."} for number in range(3)]


def talk(*texts: str) -> dict[str, Any]:
    """A conversation; a text that ends in a question mark is the user's."""
    speakers = ["human" if text.endswith("?") else "gpt" for text in texts]
    return {"conversations": [{"from": one, "value": text} for one, text in zip(speakers, texts, strict=True)]}


def score(run_script: RunScript, model: Path, data: list[dict], folder: Path, *flags: object) -> list[dict]:
    done = run_script(
        "data_analysis", "--data_path", write_json(folder / "data.json", data), "--save_path", folder / "s.jsonl",
        "--model_name_or_path", model, "--max_length", 128, *flags,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (folder / "s.jsonl").read_text(encoding="utf-8").splitlines()]


def library_loss(model_folder: Path, before: str, answer: str) -> float:
    """Mean loss of the answer after what stands before it, by the library alone."""
    model, tokenizer = load_tiny(model_folder, use_kernels=False)
    start = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    ids = torch.tensor(tokenizer(before + answer, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        logits = model(ids[None]).logits[0]
    return torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[start:]).item()


@pytest.mark.parametrize("template", [CHATML, THINKS, TURNS])
@pytest.mark.parametrize("answer", ["Red is a colour.", "<think>\nLeaves are red.\n</think>\n\nRed is a colour."])
def test_answer_is_scored_after_the_header_that_the_template_gives_it(
    template: str, answer: str, run_script: RunScript, tmp_path: Path
) -> None:
    model = save_chat_llama(tmp_path / "model", template)
    lines = score(
        run_script, model, [{"instruction": "Name a colour.", "output": answer}], tmp_path, "--prompt", "chat"
    )
    expected = library_loss(model, "<user>Name a colour.</user>\n<assistant>", answer)
    assert lines[0]["loss"][3] == pytest.approx(expected, rel=1e-5)


def test_each_answer_of_a_conversation_is_scored_after_its_own_rendering(run_script: RunScript, tmp_path: Path) -> None:
    model = save_chat_llama(tmp_path / "model", THINKS)
    lines = score(
        run_script, model, [talk("A colour?", "Red.", "Another?", "Yellow leaves.")], tmp_path, "--prompt", "chat"
    )
    first = "<user>A colour?</user>\n<assistant>"
    second = first + "Red.</assistant>\n<user>Another?</user>\n<assistant>"
    expected = [library_loss(model, first, "Red."), library_loss(model, second, "Yellow leaves.")]
    assert [turn["loss"][3] for turn in lines[0]["turns"]] == pytest.approx(expected, rel=1e-5)


def test_tools_of_a_conversation_reach_the_template(run_script: RunScript, tmp_path: Path) -> None:
    model = save_chat_llama(tmp_path / "model", "{% if tools %}{{ tools[0].function.name }}\n{% endif %}" + CHATML)
    record = talk("A colour?", "Red.") | {"tools": [{"name": "look", "parameters": {}}]}
    lines = score(run_script, model, [record], tmp_path, "--prompt", "chat")
    expected = library_loss(model, "look\n<user>A colour?</user>\n<assistant>", "Red.")
    assert lines[0]["turns"][0]["loss"][3] == pytest.approx(expected, rel=1e-5)


def test_refused_record_is_named_before_anything_is_scored(run_script: RunScript, tmp_path: Path) -> None:
    model = save_chat_llama(tmp_path / "model", ALTERNATES)
    data = write_json(
        tmp_path / "data.json", [talk("A?", "Red.")] * 4 + [talk("A?", "Red.", "B?", "C?", "Red."), talk("A?", "Red.")]
    )
    save_path = tmp_path / "s.jsonl"
    flags = ("--model_name_or_path", model, "--max_length", 64, "--prompt", "chat", "--records_per_chunk", 2)
    done = run_script("data_analysis", "--data_path", data, "--save_path", save_path, *flags)
    line = error_line(done)
    assert line == (
        f"{data}: record 4, answer 1: --prompt chat: this model's template refuses turns of "
        "user, assistant, user, user: roles must alternate; choose another one"
    )
    assert not save_path.exists()
    # Records outside of the range are no matter of this run.
    assert (
        run_script("data_analysis", "--data_path", data, "--save_path", save_path, *flags, "--end_idx", 4).stderr == ""
    )


@pytest.mark.parametrize("prompt", ["none", "alpaca", "chat"])
def test_eos_that_the_tokenizer_adds_is_scored_in_neither_pass(
    prompt: str, run_script: RunScript, tmp_path: Path
) -> None:
    lines = {}
    for adds_eos in (False, True):
        folder = tmp_path / str(adds_eos)
        folder.mkdir()
        model = save_chat_llama(folder / "model", CHATML, adds_eos)
        lines[adds_eos] = score(run_script, model, RECORDS[:1], folder, "--prompt", prompt)
        assert load_tiny(model)[1](LETTER)["input_ids"].count(0) == adds_eos
    assert lines[True] == lines[False]


def at(day: str) -> SimpleNamespace:
    """A module `datetime` on whose clock it is that day."""
    parse = datetime.date.fromisoformat
    return SimpleNamespace(date=SimpleNamespace(today=lambda: parse(day), fromisoformat=parse))


def test_run_that_goes_on_another_day_keeps_its_date(
    run_script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_chat_llama(tmp_path / "model", CLOCK)
    flags = ("--prompt", "chat", "--records_per_chunk", 1)
    monkeypatch.setattr(chat_check, "datetime", at("2024-07-04"))
    lines = score(run_script, model, RECORDS, tmp_path, *flags)
    expected = library_loss(model, "04 Jul 2024\n<user>Name colour 0.</user>\n<assistant>", "Red and yellow leaves.")
    assert lines[0]["loss"][3] == pytest.approx(expected, rel=1e-5)
    saved = tmp_path / "s.jsonl"
    assert json.loads((tmp_path / "s.jsonl.meta.json").read_text())["chat_date"] == "2024-07-04"
    whole = saved.read_bytes()
    saved.write_bytes(whole[: whole.index(b"\n") + 1])
    monkeypatch.setattr(chat_check, "datetime", at("2024-07-05"))
    score(run_script, model, RECORDS, tmp_path, *flags)
    assert saved.read_bytes() == whole
    # A run that begins on that day has another date, and so other scores; --chat_date brings back the first.
    saved.unlink()
    assert score(run_script, model, RECORDS, tmp_path, *flags)[0]["loss"][3] != lines[0]["loss"][3]
    saved.unlink()
    score(run_script, model, RECORDS, tmp_path, *flags, "--chat_date", "2024-07-04")
    assert saved.read_bytes() == whole


def test_run_with_another_date_is_refused(run_script: RunScript, tmp_path: Path) -> None:
    model = save_chat_llama(tmp_path / "model", CLOCK)
    score(run_script, model, RECORDS, tmp_path, "--prompt", "chat", "--chat_date", "2024-07-04")
    again = run_script(
        "data_analysis", "--data_path", tmp_path / "data.json", "--save_path", tmp_path / "s.jsonl",
        "--model_name_or_path", model, "--max_length", 128, "--prompt", "chat", "--chat_date", "2024-07-05",
    )  # fmt: skip
    assert 'chat_date: "2024-07-04" there, "2024-07-05" now' in error_line(again)


@pytest.mark.parametrize(("template", "prompt"), [(CHATML, "chat"), (CLOCK, "none")])
def test_meta_has_no_date_where_none_is_asked_for(
    template: str, prompt: str, run_script: RunScript, tmp_path: Path
) -> None:
    model = save_chat_llama(tmp_path / "model", template)
    score(run_script, model, RECORDS, tmp_path, "--prompt", prompt, "--chat_date", "2024-07-04")
    assert "chat_date" not in json.loads((tmp_path / "s.jsonl.meta.json").read_text())


def test_date_that_is_none_is_refused(run_script: RunScript) -> None:
    done = run_script("data_analysis", "--data_path", "x.json", "--save_path", "s.jsonl", "--chat_date", "4 July")
    assert "--chat_date: '4 July' is not a date such as 2026-11-26" in error_line(done)
