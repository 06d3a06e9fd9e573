"""The text before the response: the published convention, and the templates."""

import pytest

from models.sequences import TEMPLATES, build_prompt

INSTRUCTION = "Sort {these} words.\n%s \u6c49"
CONTEXT = "pear {instruction} apple {0} }{"


def prompt(template: str, instruction: str = INSTRUCTION, **more: str | None) -> str:
    return build_prompt({"instruction": instruction, "output": "ANSWER", **more}, template)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"instruction": "a", "input": "b"}, "a\nb\n"),
        ({"instruction": "a", "input": ""}, "a\n"),
        ({"instruction": "a", "input": " "}, "a\n \n"),  # only an empty input is none
        ({"instruction": "a\n", "input": "b\n"}, "a\n\nb\n\n"),  # nothing is stripped
        ({"instruction": "", "input": ""}, "\n"),
    ],
)
def test_none_is_the_published_convention(record: dict[str, str], text: str) -> None:
    assert build_prompt(record, "none") == text


@pytest.mark.parametrize("template", TEMPLATES)
def test_missing_null_and_empty_inputs_are_the_same(template: str) -> None:
    assert prompt(template) == prompt(template, input=None) == prompt(template, input="")
    assert prompt(template) != prompt(template, input="b")


@pytest.mark.parametrize("template", TEMPLATES)
def test_data_is_kept_as_it_is_and_the_response_stays_out(template: str) -> None:
    text = prompt(template, input=CONTEXT)
    assert text.count(INSTRUCTION) == text.count(CONTEXT) == 1
    assert text.index(INSTRUCTION) < text.index(CONTEXT)
    assert "ANSWER" not in text


@pytest.mark.parametrize(
    ("template", "beginning", "end"),
    [
        ("alpaca", "Below is an instruction that describes a task. Write a", "### Instruction:\na\n\n### Response:"),
        (
            "vicuna",
            "A chat between a curious user and an artificial",
            "polite answers to the user's questions. USER: a ASSISTANT:",
        ),
        ("wiz", "a\n", "a\n\n### Response:"),
        ("chat", "a", "a"),  # the tokenizer's own template wraps it
    ],
)
def test_template_without_input(template: str, beginning: str, end: str) -> None:
    assert prompt(template, "a").startswith(beginning)
    assert prompt(template, "a").endswith(end)


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (
            "alpaca",
            "further context. Write a response that appropriately completes the request.\n\n"
            "### Instruction:\na\n\n### Input:\nb\n\n### Response:",
        ),
        ("vicuna", " USER: a\nb ASSISTANT:"),
        ("wiz", "a\nb\n\n### Response:"),
        ("chat", "a\nb"),
    ],
)
def test_template_with_input(template: str, end: str) -> None:
    assert prompt(template, "a", input="b").endswith(end)


def test_no_two_templates_are_the_same() -> None:
    assert len({prompt(template, input=CONTEXT) for template in TEMPLATES}) == len(TEMPLATES)
