"""The figure: the same bytes each time, whatever the names and numbers are."""

import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from reviews import LOSE, TIE, UNPARSED, WIN, make_reviews

from verdict.figure import HEADING_INCHES, PALETTES, ROW_INCHES, draw_comparison
from verdict.review_file import ReviewFile
from verdict.scoreboard import Comparison, compare_judges

Counts = tuple[int, int, int]


def board(*counts: Counts, key1: str = "model1", key2: str = "model2", names: str = "abcdefgh") -> Comparison:
    """A scoreboard of test sets with so many wins, ties and losses."""
    files = [
        ReviewFile("x.json", {"dataset_name": name}, make_reviews(*[WIN] * win, *[TIE] * tie, *[LOSE] * lose))
        for name, (win, tie, lose) in zip(names, counts, strict=False)  # as many as there are counts
    ]
    return compare_judges({"gpt-4": files}, key1, key2, rule="published")


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.mark.parametrize("file_format", ["png", "svg"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bytes_are_the_same_each_time(file_format: str, theme: str) -> None:
    figures = [draw_comparison(board((3, 2, 1)), file_format, theme) for _ in range(2)]
    assert figures[0] == figures[1]
    assert not re.search(rb"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b", figures[0])


def test_png_is_twice_600_pixels_wide_and_grows_with_the_rows() -> None:
    (width, height), (width_of_8, height_of_8) = (
        png_size(draw_comparison(board((3, 2, 1)), "png")),
        png_size(draw_comparison(board(*[(3, 2, 1)] * 8), "png")),
    )
    assert width == width_of_8 == 2 * 600
    assert height_of_8 == pytest.approx(height + 8 * ROW_INCHES * 200, abs=1)  # seven sets more, and the total


@pytest.mark.parametrize("counts", [(178, 1, 1), (0, 5, 0), (1, 0, 0), (0, 0, 0), (10**4, 1, 1)])
def test_any_counts_are_drawn(counts: Counts) -> None:
    assert draw_comparison(board(counts), "svg").rstrip().endswith(b"</svg>")


def test_a_set_without_parsed_pairs_is_drawn() -> None:
    files = [ReviewFile("x.json", {"dataset_name": "a"}, make_reviews(UNPARSED))]
    nothing = compare_judges({"m": files}, "a", "b", rule="mean")
    assert png_size(draw_comparison(nothing, "png"))[0] == 1200


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
    "draws", [lambda b: draw_comparison(b, "png"), lambda b: draw_comparison(b, "svg")], ids=["png", "svg"]
)
def test_any_name_is_drawn_without_a_word(
    key: str, draws: Callable[[Comparison], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draws(board((3, 2, 1), key1=key, key2="other", names=[key]))
    assert figure.startswith(b"\x89PNG") or ElementTree.fromstring(figure) is not None
    assert capfd.readouterr() == ("", "")


def test_the_interval_and_even_are_drawn_and_dark_has_its_own_colours() -> None:
    light, dark = (draw_comparison(board((30, 2, 10)), "svg", theme).decode() for theme in ("light", "dark"))
    for theme, figure in (("light", light), ("dark", dark)):
        assert figure.count(PALETTES[theme].line) == 1  # the dashed line
        assert figure.count("stroke-dasharray: 3.7,1.6") == 1
    assert not any(color in dark for color in PALETTES["light"].bars.values())


def test_judges_are_drawn_one_under_the_other() -> None:
    reviews = [ReviewFile("x.json", {"dataset_name": "a"}, make_reviews(WIN, LOSE))]
    one, two = (
        compare_judges(dict.fromkeys(judges, reviews), "ours", "theirs", "published")
        for judges in (["gpt-4"], ["gpt-4", "other"])
    )
    heights = [png_size(draw_comparison(comparison, "png"))[1] for comparison in (one, two)]
    assert heights[1] - heights[0] == pytest.approx((HEADING_INCHES + ROW_INCHES) * 200, abs=1)
