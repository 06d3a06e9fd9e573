"""Texts for people: they fit, and no control character gets through."""

import time

import pytest

from shared.texts import fit_columns, num_columns, one_line, printable, shorten, shorten_middle


@pytest.mark.parametrize(
    ("text", "num"),
    [
        ("", 0),
        ("abc", 3),
        ("\u6c49\u5b57", 2 * 2),
        ("\uff21", 2),
        ("\U0001f389", 2),
        ("e\u0301", 1),
        ("caf\xe9", 4),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 2),
    ],  # joined emoji are one
)
def test_columns_counts_what_a_terminal_shows(text: str, num: int) -> None:
    assert num_columns(text) == num


@pytest.mark.parametrize(
    ("instruction", "width", "text"),
    [
        ("short", 5, "short"),
        ("longer", 5, "lo..."),
        ("\u6c49" * 100, 73, "\u6c49" * 35 + "..."),  # 35 * 2 + 3 = 73
        ("\u6c49" * 100, 72, "\u6c49" * 34 + "..."),  # 34 * 2 + 3 = 71; half a character has no place
        ("\U0001f389" * 5, 9, "\U0001f389" * 3 + "..."),
        (" one\ttwo\r\n\n three\u2028four\xa0five ", 73, "one two three four five"),
        ("red\x1b[31m\x07\x00\x9b2J end", 73, "red [31m 2J end"),  # an escape sequence without its escape is plain text
        ("right\u202eleft\u200b", 73, "right left"),  # nothing turns the line around or hides
        ("", 73, ""),
    ],
)
def test_text_fits_its_columns_on_one_line(instruction: str, width: int, text: str) -> None:
    assert fit_columns(instruction, width) == text


def test_fitting_a_long_instruction_takes_no_time() -> None:
    # Public test prompts reach 18,598 characters. Processor time, since the machine may be busy.
    started = time.process_time()
    fit_columns("word " * 2000, 73)
    assert time.process_time() - started < 0.5


def test_what_cannot_be_shown_is_marked() -> None:
    assert printable("a\n\ud83c\u6a21 b") == "a\ufffd\ufffd\u6a21 b"


def test_names_are_shortened_in_the_middle() -> None:
    assert shorten_middle("a" * 30, 30) == "a" * 30
    assert shorten_middle("abcdefghij", 5) == "ab\N{HORIZONTAL ELLIPSIS}ij"


def test_what_a_server_says_becomes_one_short_printable_line() -> None:
    assert one_line("a\x1b[31m\n\u2028 b\x00") == "a[31m b"
    assert len(one_line("word " * 1000)) == 300


@pytest.mark.parametrize(
    ("value", "text"), [("a" * 38, '"' + "a" * 38 + '"'), ("a" * 39, '"' + "a" * 36 + "..."), ("\u6c49", '"\\u6c49"')]
)
def test_shorten_keeps_to_40_characters(value: str, text: str) -> None:
    assert shorten(value) == text
    assert len(text) <= 40
