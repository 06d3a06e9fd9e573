"""Chat templates that fail or never end

Each ends with one line before anything is scored.
"""

import json
from pathlib import Path

import pytest

from models import chat_template
from script_runs import RunScript, error_line, write_json
from tiny_models import save_chat_llama

BUSY = "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = i * j %}{% endfor %}{% endfor %}"
RECURSION = "{% macro a(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}"
TWICE = "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(60) }}"
FAILING = {
    "division": "{{ 1 / (messages|length - messages|length) }}",
    "remainder": "{{ 1 % (messages|length - messages|length) }}",
    "power": "{{ 0.0 ** (0 - messages|length) }}",
    "large float": "{{ 10.0 ** (messages|length * 999) }}",
    "sum of text and number": "{{ messages[0]['content'] + 5 }}",
    "missing message": "{{ messages[7]['content'] }}",
    "missing key": "{{ messages[0]['nope']['content'] }}",
    "unknown name": "{{ nope.content }}",
    "call of a text": "{{ messages() }}",
    "number of a text": "{{ messages[0]['content']|float + messages }}",
    "unknown filter": "{{ messages|nope }}",
    "unknown test": "{{ messages is nope }}",
    "unclosed": "{% for message in messages %}",
    "unclosed text": "{{ 'a",
    "include": "{% include 'other.jinja' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "private attribute": "{{ messages.__class__.__mro__ }}",
    "range": "{% for i in range(10 ** 9) %}{% endfor %}",
    "recursion": RECURSION,
    "raise": "{{ raise_exception('no such turns') }}",
    "line ends": "{{ raise_exception('one\ntwo\nthree') }}",
    "round": "{{ messages|round }}",
    "attribute of none": "{{ none.x.y }}",
    "unpacking": "{% for a, b, c in messages %}{{ a }}{% endfor %}{% set a, b = 5 %}",
    "format": "{{ '%d' % messages[0]['content'] }}",
    "fewer values": "{{ '%s %s'|format(1) }}",
    "joined numbers": "{{ 5|join }}",
    "sorted mix": "{{ [1, 'a', none]|sort }}",
    "item of a number": "{{ (5)[0][1] }}",
}


def score(run_script: RunScript, folder: Path, template: str) -> str:
    model = save_chat_llama(folder / "model", template)
    write_json(folder / "data.json", [{"instruction": "Say.", "output": "Seven boats."}])
    flags = ("--prompt=chat", "--max_length=64", f"--model_name_or_path={model}")
    done = run_script("data_analysis", "--data_path=data.json", "--save_path=scores.jsonl", *flags, cwd=folder)
    assert not (folder / "scores.jsonl").exists()
    return error_line(done)


@pytest.mark.parametrize("name", FAILING)
def test_templates_that_fail_end_with_a_line(run_script: RunScript, tmp_path: Path, name: str) -> None:
    line = score(run_script, tmp_path, FAILING[name])
    assert line.startswith("data.json: record 0: --prompt chat: this model's template")


@pytest.mark.parametrize("template", [BUSY, TWICE, "{% set x = 7 ** (9 ** (8 + messages|length)) %}"])
def test_templates_that_never_end_are_stopped(
    run_script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setattr(chat_template, "RENDER_SECONDS", 0.3)
    assert "it has not ended after 0.3 s" in score(run_script, tmp_path, template)


@pytest.mark.parametrize("value", [5, {}, [5], {"default": 5}, [], {"other": "x"}, True])
def test_templates_that_are_no_text_end_with_a_line(run_script: RunScript, tmp_path: Path, value: object) -> None:
    model = save_chat_llama(tmp_path / "model", "{{ messages }}")
    (model / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    write_json(model / "tokenizer_config.json", config | {"chat_template": value})
    write_json(tmp_path / "data.json", [{"instruction": "Say.", "output": "Seven boats."}])
    flags = ("--prompt=chat", "--max_length=64", f"--model_name_or_path={model}")
    done = run_script("data_analysis", "--data_path=data.json", "--save_path=scores.jsonl", *flags, cwd=tmp_path)
    error_line(done)
