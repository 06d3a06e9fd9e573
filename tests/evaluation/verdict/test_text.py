"""A scoreboard in words: what is said is what the numbers say."""

import re
from dataclasses import replace

import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, Orders, make_review, make_reviews

from shared.texts import num_columns
from verdict.health_text import health_checks
from verdict.review_file import ReviewFile
from verdict.scoreboard import Comparison, Scoreboard, compare_judges, make_scoreboard
from verdict.terminal import comparison_text, short_keys
from verdict.text import conclusion, length_text, tie_lines, verdict_warnings


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
        "Ties: 4, of which 1 in both orders, 2 by conflict (the orders name different winners), 1 with a tie in one "
        "order only."
    )


def test_place_is_preferred_only_beyond_chance() -> None:
    assert "no preference beyond chance" in health_checks(board(*[CONFLICT] * 5))[2].finding
    assert health_checks(board(*[CONFLICT] * 6))[2].finding.endswith(
        "pairs gained by the first place: 0, by the second: 6 (p = 0.031): it prefers the second"
    )


def test_a_sound_verdict_has_no_warning() -> None:
    assert verdict_warnings(Comparison([board(WIN, WIN, TIE)], [])) == []


def test_table_of_a_long_name_fits_80_columns() -> None:
    assert max(map(len, comparison_text(Comparison([board(WIN, name="n" * 100)], [])).splitlines())) <= 80


LONG, SHORT = "a long answer of many words", "short"


def with_lengths(*wanted: tuple[int, Orders, bool]) -> Scoreboard:
    """A scoreboard of so many pairs each: their orders, and whether Answer 1 is the longer one."""
    reviews = [
        make_review(orders, *((LONG, SHORT) if is_longer else (SHORT, LONG)))
        for num, orders, is_longer in wanted
        for _ in range(num)
    ]
    return make_scoreboard([ReviewFile("x.json", {"dataset_name": "set"}, reviews)], "ours", "theirs", "m", "published")


@pytest.mark.parametrize(
    ("wanted", "begin"),
    [
        # 30 of 40 when longer, 10 of 20 when shorter: sigmoid((log(3) + log(1)) / 2) = 0.634 of 40 / 60.
        ([(30, WIN, True), (10, LOSE, True), (10, WIN, False), (10, LOSE, False)], "Length explains 20% of ours's"),
        ([(30, WIN, True), (10, LOSE, True), (4, WIN, False), (16, LOSE, False)], "Length explains all of ours's lead"),
        ([(20, WIN, True), (20, LOSE, True), (2, WIN, False), (18, LOSE, False)], "Length explains nothing of theirs"),
        ([(20, WIN, True), (20, LOSE, False), (5, LOSE, True), (5, WIN, False)], "The win rate of ours, a tie as half"),
        ([(9, WIN, True), (9, LOSE, False)], "How much of this is length cannot be told: 18 pairs are too few"),
        ([(30, WIN, True), (10, LOSE, True)], "How much of this is length cannot be told: the first model's answer is"),
    ],
)
def test_how_much_of_the_lead_is_length(wanted: list, begin: str) -> None:
    assert length_text(with_lengths(*wanted)).startswith(begin)


def test_who_writes_longer_answers_is_said() -> None:
    board = with_lengths((30, WIN, True), (10, LOSE, True), (10, WIN, False), (10, LOSE, False))
    mean = (40 - 20) / 60 * (len(LONG) - len(SHORT))
    assert length_text(board).endswith(f"ours's answers are {mean:.0f} characters longer on average.")


def test_every_check_has_a_mark() -> None:
    checks = {check.name: check.mark for check in health_checks(board(*[CONFLICT] * 6, *[UNPARSED] * 2))}
    assert checks == {"readable": "worrying", "conflicts": "worrying", "place": "worrying"}


def test_an_empty_verdict_says_what_to_do_and_nothing_else() -> None:
    text = comparison_text(Comparison([board(UNPARSED, UNPARSED)], []))
    assert text.startswith("No verdict: gpt-4 gave no scores that can be read for any of 2 pairs.")
    assert "do_eval.sh" in text and "\n\n" not in text
    assert verdict_warnings(Comparison([board(UNPARSED)], [])) == []


@pytest.mark.parametrize(
    ("key1", "key2"),
    [
        ("ours", "theirs"),
        ("k" * 90, "k" * 89 + "l"),
        ("\u6a21\u578b" * 20, "b"),
        ("a b " * 30, "c"),
    ],
)
def test_every_line_of_the_terminal_fits_80_columns(key1: str, key2: str) -> None:
    files = {
        judge: [ReviewFile("x.json", {"dataset_name": name}, make_reviews(*orders)) for name in ("n" * 50, "b")]
        for judge, orders in (("j" * 40, [WIN, LOSE, TIE] * 10), ("other/judge", [WIN, CONFLICT, UNPARSED] * 10))
    }
    text = comparison_text(compare_judges(files, key1, key2, "published"))
    tables = [line for line in text.splitlines() if "  " in line and "against" not in line]
    assert len(tables) > 20
    assert max(map(num_columns, tables)) <= 80


def test_names_that_would_be_cut_to_the_same_are_win_and_lose() -> None:
    reviews = [ReviewFile("x.json", {"dataset_name": "a"}, make_reviews(WIN))]
    keys = [("selected", "everything"), ("x" * 90, "x" * 91)]
    boards = [make_scoreboard(reviews, *both, "m", "published") for both in keys]
    assert [short_keys(board, 10) for board in boards] == [("selected", "everything"), ("win", "lose")]


def test_judges_are_compared_in_the_terminal() -> None:
    files = {
        judge: [ReviewFile("x.json", {"dataset_name": "a"}, make_reviews(*orders))]
        for judge, orders in (("one", [WIN, WIN, LOSE]), ("two", [WIN, LOSE, LOSE]))
    }
    text = comparison_text(compare_judges(files, "ours", "theirs", "published"))
    assert "one and two give the same verdict to 2 of 3 pairs (67%), and name opposite" in text
    assert re.search(r"^ours +1 +0 +1$", text, re.MULTILINE)


def test_cut_reviews_name_max_tokens() -> None:
    reviews = [replace(review, num_cut=1) for review in make_reviews(WIN, UNPARSED)]
    both, none = (
        make_scoreboard([ReviewFile("x.json", {"dataset_name": "a"}, some)], "ours", "theirs", "m", "published")
        for some in (reviews, reviews[1:])
    )
    (warning, _) = verdict_warnings(Comparison([both], []))
    assert warning.startswith(
        "2 reviews were cut at the judge's limit of tokens; judge again with a larger --max_tokens"
    )
    assert "and 1 of 2 reviews were cut at --max_tokens. Read" in conclusion(none)
