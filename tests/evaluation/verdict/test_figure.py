"""The figure: the same bytes each time, whatever the names and numbers are."""

import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from reviews import LOSE, TIE, UNPARSED, WIN, make_reviews

from verdict.figure import draw_scoreboard
from verdict.review_file import ReviewFile
from verdict.scoreboard import Scoreboard, make_scoreboard

Counts = tuple[int, int, int]


def board(*counts: Counts, key1: str = "model1", key2: str = "model2", names: str = "abcdefgh") -> Scoreboard:
    """A scoreboard of test sets with so many wins, ties and losses."""
    files = [
        ReviewFile("x.json", {"dataset_name": name}, make_reviews(*[WIN] * win, *[TIE] * tie, *[LOSE] * lose))
        for name, (win, tie, lose) in zip(names, counts, strict=False)  # as many as there are counts
    ]
    return make_scoreboard(files, key1, key2, api_model="gpt-4", rule="published")


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.mark.parametrize("file_format", ["png", "svg"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bytes_are_the_same_each_time(file_format: str, theme: str) -> None:
    figures = [draw_scoreboard(board((3, 2, 1)), file_format, theme) for _ in range(2)]
    assert figures[0] == figures[1]
    assert not re.search(rb"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b", figures[0])


def test_png_is_twice_600_pixels_wide_and_grows_with_the_rows() -> None:
    (width, height), (width_of_8, height_of_8) = (
        png_size(draw_scoreboard(board((3, 2, 1)), "png")),
        png_size(draw_scoreboard(board(*[(3, 2, 1)] * 8), "png")),
    )
    assert width == width_of_8 == 2 * 600
    assert height_of_8 == height + 8 * 0.5 * 200  # seven sets more, and the total


@pytest.mark.parametrize("counts", [(178, 1, 1), (0, 5, 0), (1, 0, 0), (0, 0, 0), (10**4, 1, 1)])
def test_any_counts_are_drawn(counts: Counts) -> None:
    assert draw_scoreboard(board(counts), "svg").rstrip().endswith(b"</svg>")


def test_a_set_without_parsed_pairs_is_drawn() -> None:
    files = [ReviewFile("x.json", {"dataset_name": "a"}, make_reviews(UNPARSED))]
    nothing = make_scoreboard(files, "a", "b", api_model="m", rule="mean")
    assert png_size(draw_scoreboard(nothing, "png"))[0] == 1200


@pytest.mark.parametrize(
    "key",
    [
        "\u6a21\u578b\u4e00",
        "_private",
        "$x$ {a}_b^c",
        "a" * 300,
        "\U0001f389",
        "\u0645\u0631\u062d\u0628\u0627",
        '<b>&"',
        "\\frac{",
        "a\x01\nb",
        "\ud83c",
    ],
)
@pytest.mark.parametrize(
    "draws", [lambda b: draw_scoreboard(b, "png"), lambda b: draw_scoreboard(b, "svg")], ids=["png", "svg"]
)
def test_any_name_is_drawn_without_a_word(
    key: str, draws: Callable[[Scoreboard], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draws(board((3, 2, 1), key1=key, key2="other", names=[key]))
    assert figure.startswith(b"\x89PNG") or ElementTree.fromstring(figure) is not None
    assert capfd.readouterr() == ("", "")
