"""Where an answer begins in a chat template's own rendering, and what time it is there."""

import datetime
from pathlib import Path

import pytest

from models.chat_template import ChatTemplate, with_fixed_clock
from shared.cli import UserError
from tiny_models import CHAT_TEMPLATE, build_tokenizer

ASK = [{"role": "user", "content": "Name a colour."}]
TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>\n{% endfor %}"
CHATML = TURNS + "{% if add_generation_prompt %}<assistant>{% endif %}"
TRIMS = CHATML.replace("{{ m.content }}", "{{ m.content | trim }}")
SPACED = CHATML.replace("{{ m.content }}", " {{ m.content | trim }} ")
THINKS = CHATML.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}").replace(
    "<assistant>{% endif", "<assistant><think>\n{% endif"
)
CHANNELS = (
    "{% for m in messages %}<|start|>{{ m.role }}"
    "{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>{{ m.content }}"
    "{% if loop.last and m.role == 'assistant' %}<|return|>{% else %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
# As Qwen3: thoughts of the last answer are set anew, and an empty block stands before one without.
RESETS = (
    "{% for m in messages %}{% if m.role == 'assistant' and loop.last %}{% set thoughts = '' %}"
    "{% set content = m.content %}{% if '</think>' in content %}"
    "{% set thoughts = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
    "<assistant>\n<think>\n{{ thoughts }}\n</think>\n\n{{ content.lstrip('\\n') }}</assistant>\n"
    "{% else %}<{{ m.role }}>\n{{ m.content }}</{{ m.role }}>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
ASKED = "<user>Name a colour.</user>\n"
THOUGHT = "<think>\nLeaves are red.\n</think>\n\nRed is a colour."


def context(template: str, answer: str, turns: list[dict] = ASK, **options) -> str:
    return ChatTemplate(build_tokenizer(adds_bos=False, template=template)).context(turns, answer, **options)


@pytest.mark.parametrize("answer", ["Red.", " Red. \n", "</think>", "a", "<assistant>", "\n", "user"])
def test_answer_of_an_ordinary_template_follows_its_generation_prompt(answer: str) -> None:
    assert context(CHATML, answer) == ASKED + "<assistant>"
    assert context(TRIMS, answer) == ASKED + "<assistant>"


@pytest.mark.parametrize("answer", ["Red.", THOUGHT, "a", "<think>", "think"])
def test_block_that_only_the_generation_prompt_opens_is_no_context(answer: str) -> None:
    assert context(THINKS, answer) == ASKED + "<assistant>"


@pytest.mark.parametrize("answer", ["Red.", "<", "final", "<|channel|>", "\n Red."])
def test_header_before_real_answers_is_context(answer: str) -> None:
    before = "<|start|>user<|message|>Name a colour.<|end|><|start|>assistant<|channel|>final<|message|>"
    assert context(CHANNELS, answer) == before


def test_template_without_a_generation_prompt_has_its_header_in_the_context() -> None:
    assert context(TURNS, "Red.") == ASKED + "<assistant>"


def test_space_that_the_template_sets_before_an_answer_is_context() -> None:
    before = "<user> Name a colour. </user>\n<assistant> "
    assert context(SPACED, "Red.") == before
    assert context(SPACED, "\n Red.") == before


def test_block_that_the_template_writes_before_an_answer_is_context() -> None:
    asked = "<user>\nName a colour.</user>\n<assistant>\n"
    assert context(RESETS, "Red is a colour.") == asked + "<think>\n\n</think>\n\n"
    assert context(RESETS, "\n\nRed is a colour.") == asked + "<think>\n\n</think>\n\n"
    # The answer brings its own block, as the template writes it and otherwise.
    assert context(RESETS, THOUGHT) == asked
    assert context(RESETS, "<think>Leaves are red.</think>Red is a colour.") == asked


def test_indent_that_the_template_keeps_belongs_to_the_answer() -> None:
    trims_the_end = CHATML.replace("{{ m.content }}", "{{ m.content.rstrip() }}")
    assert context(trims_the_end, "  Red. \n") == ASKED + "<assistant>"


def test_earlier_answers_are_context_as_the_template_writes_them() -> None:
    turns = [*ASK, {"role": "assistant", "content": THOUGHT}, *ASK]
    earlier = ASKED + "<assistant>\n\nRed is a colour.</assistant>\n" + ASKED
    assert context(THINKS, "Blue.", turns) == earlier + "<assistant>"


def test_template_that_writes_all_turns_alike_has_the_answer_after_its_generation_prompt() -> None:
    before = "<user>Name a colour.</user>\n<assistant>"
    assert context(CHAT_TEMPLATE.replace("{{ bos_token }}", ""), "Red.") == before


QUESTIONS = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
CAPITALS = CHATML.replace("{{ m.content }}", "{{ m.content | upper }}")
NUMBERED = TURNS.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}").replace(
    "{% for", "{{ messages[-1].content | length }}{% for"
)


@pytest.mark.parametrize("template", [QUESTIONS, CAPITALS, NUMBERED])
def test_template_in_which_the_answer_is_not_found_is_refused(template: str) -> None:
    with pytest.raises(UserError, match="template leaves the answer out, or changes it so that nothing tells where"):
        context(template, THOUGHT)


@pytest.mark.parametrize("answer", ["Red.", "\n\nRed.", "  Red.\n", "\n\n\n Red."])
def test_header_that_ends_in_white_space_is_context_whole(answer: str) -> None:
    llama = TRIMS.replace("<{{ m.role }}>", "<{{ m.role }}>\n\n").replace("<assistant>{%", "<assistant>\n\n{%")
    assert context(llama, answer) == "<user>\n\nName a colour.</user>\n<assistant>\n\n"


def test_refusal_names_the_turns_and_what_the_template_says() -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
    with pytest.raises(UserError, match="refuses turns of system, user: no system; choose another one"):
        context(refuses, "Red.", [{"role": "system", "content": "Be brief."}, *ASK])
    with pytest.raises(UserError, match="refuses turns of user: 'x' is undefined"):
        context("{{ x.y }}", "Red.")
    with pytest.raises(UserError, match="refuses turns of user: can only concatenate str"):
        context("{{ 'a' + 1 }}", "Red.")


def test_tools_are_shown_to_the_template() -> None:
    shows = "{% if tools %}{{ tools | tojson }}\n{% endif %}" + CHATML
    tools = [{"type": "function", "function": {"name": "look"}}]
    shown = '[{"type": "function", "function": {"name": "look"}}]\n'
    assert context(shows, "Red.", tools=tools) == shown + ASKED + "<assistant>"
    assert context(shows, "Red.") == ASKED + "<assistant>"


CLOCK = "{% set now = strftime_now('%d %b %Y') %}Today: {{ now }}, {{ strftime_now('%-d.%m., %H:%M') }}\n" + CHATML


def test_template_is_told_one_date_whatever_the_day() -> None:
    tokenizer = build_tokenizer(adds_bos=False, template=CLOCK)
    chat = ChatTemplate(tokenizer, "2024-07-04")
    assert chat.reads_clock
    assert chat.context(ASK, "Red.") == "Today: 04 Jul 2024, 4.07., 00:00\n" + ASKED + "<assistant>"
    today = ChatTemplate(tokenizer).prompt(ASK)
    assert today.startswith(f"Today: {datetime.date.today():%d %b}")


def test_template_that_asks_whether_there_is_a_clock_is_told_the_date() -> None:
    llama = (
        "{% if not date_string is defined %}{% if strftime_now is defined %}"
        '{% set date_string = strftime_now("%d %b %Y") %}{% else %}{% set date_string = "26 Jul 2024" %}{% endif %}'
        "{% endif %}{% macro head() %}{{ strftime_now('%Y') }}{% endmacro %}{{ head() }} {{ date_string }}\n" + CHATML
    )
    chat = ChatTemplate(build_tokenizer(adds_bos=False, template=llama), "2025-01-02")
    assert chat.prompt(ASK) == "2025 02 Jan 2025\n" + ASKED + "<assistant>"


def test_template_without_a_clock_asks_for_no_date() -> None:
    assert not ChatTemplate(build_tokenizer(adds_bos=False, template=CHATML)).reads_clock


@pytest.mark.parametrize(
    "start", ["", "\n", "  ", "\n\n  {% if true %}x{% endif %}", "  {% if true %}\n x\n{% endif %}"]
)
def test_fixed_clock_changes_no_other_character(start: str) -> None:
    def rendered(template: str) -> str:
        tokenizer = build_tokenizer(adds_bos=False, template=template)
        return tokenizer.apply_chat_template(ASK, tokenize=False, add_generation_prompt=True)

    template = start + CHATML
    assert rendered(with_fixed_clock(template, datetime.date(2024, 7, 4))) == rendered(template)


def test_real_model_of_pip_answers_after_its_generation_prompt(smollm2_scorer: tuple) -> None:
    chat = ChatTemplate(smollm2_scorer[1])
    assert chat.context(ASK, "Red.") == chat.prompt(ASK)


def test_tokenizer_without_a_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template; choose another one, such as alpaca"):
        ChatTemplate(build_tokenizer(adds_bos=False))
