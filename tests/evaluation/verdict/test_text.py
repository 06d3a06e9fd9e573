"""A scoreboard in words: what is said is what the numbers say."""

import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, Orders, make_reviews

from verdict.review_file import ReviewFile
from verdict.scoreboard import Scoreboard, make_scoreboard
from verdict.text import conclusion, health_lines, table_text, tie_lines, verdict_warnings


def board(*orders: Orders, rule: str = "published", name: str = "set") -> Scoreboard:
    file = ReviewFile("x.json", {"dataset_name": name}, make_reviews(*orders))
    return make_scoreboard([file], "ours", "theirs", api_model="gpt-4", rule=rule)


@pytest.mark.parametrize(
    ("orders", "begin"),
    [
        ([WIN] * 6, "ours is ahead: ours wins 6 of 6 pairs, theirs wins 0, 0 are ties"),  # p = 2 / 64
        ([LOSE] * 6, "theirs is ahead: ours wins 0 of 6 pairs"),
        ([WIN] * 5, "Neither is ahead beyond chance: "),  # p = 2 / 32
        ([TIE], "Neither is ahead beyond chance: "),
        ([UNPARSED], "No verdict: "),
    ],
)
def test_ahead_is_who_wins_beyond_chance(orders: list[Orders], begin: str) -> None:
    assert conclusion(board(*orders)).startswith(begin)


def test_ties_are_told_apart() -> None:
    assert tie_lines(board(TIE, CONFLICT, CONFLICT, ONE_SIDED, rule="strict"))[0] == (
        "Of 4 ties, both orders agree on 1, and 2 are conflicts, where the orders name different winners, 1 with a "
        "tie in one order only."
    )


def test_place_is_preferred_only_beyond_chance() -> None:
    assert "no preference beyond chance" in health_lines(board(*[CONFLICT] * 5))[1]
    assert health_lines(board(*[CONFLICT] * 6))[1].endswith(
        "the first place gains 0 pairs, the second 6 (p = 0.031): it prefers the second"
    )


def test_a_sound_verdict_has_no_warning() -> None:
    assert verdict_warnings(board(WIN, WIN, TIE)) == []


def test_table_of_a_long_name_fits_80_columns() -> None:
    assert max(map(len, table_text(board(WIN, name="n" * 100)).splitlines())) <= 80
