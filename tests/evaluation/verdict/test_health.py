"""Judge health: contradictions, places, lengths, and answers that should be easy."""

import itertools
from pathlib import Path

import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, make_review, make_reviews

from verdict.health import judge_health
from verdict.review_file import read_review_file
from verdict.verdict import sign_test


def test_conflicts_are_orders_that_name_different_winners() -> None:
    health = judge_health(make_reviews(WIN, TIE, ONE_SIDED, CONFLICT, UNPARSED))
    assert (health.pairs, health.conflicts, health.conflict_share) == (4, 1, 1 / 4)


@pytest.mark.parametrize(("num_conflicts", "warns"), [(3, False), (4, True)])
def test_conflicts_above_30_percent_are_too_many(num_conflicts: int, warns: bool) -> None:
    assert (
        judge_health(make_reviews(*[CONFLICT] * num_conflicts, *[WIN] * (10 - num_conflicts))).too_many_conflicts
        == warns
    )


@pytest.mark.parametrize(("judge", "warns"), [("gpt4", False), ("gpt3.5", True)])
def test_real_judges_warn_where_they_should(judge: str, warns: bool, real_data_dir: Path) -> None:
    files = [
        read_review_file(str(real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json"))
        for name in ("vicuna", "koala")
    ]
    sets = [file.reviews for file in files]
    assert [judge_health(reviews).too_many_conflicts for reviews in [*sets, list(itertools.chain(*sets))]] == [
        warns
    ] * 3


def test_places_are_counted_as_shown() -> None:
    # In order 2 Answer 2 is shown first: CONFLICT here prefers the second place twice.
    health = judge_health(make_reviews(CONFLICT, CONFLICT, WIN, ONE_SIDED))
    assert (health.first_shown_won, health.second_shown_won, health.shown_equal) == (2, 5, 1)
    assert (health.pairs_for_first, health.pairs_for_second) == (1, 2)
    assert health.place_p == sign_test(1, 2)


def test_longer_answers_are_counted_among_decided_pairs() -> None:
    reviews = [
        make_review(WIN, "longer", "short"),
        make_review(LOSE, "longer", "short"),
        make_review(LOSE, "x", "yy"),
        make_review(TIE, "longer", "x"),
        make_review(WIN, "same", "size"),
    ]
    health = judge_health(reviews)
    assert (health.length_decided, health.longer_won, health.longer_share) == (3, 2, 2 / 3)


def test_identical_and_empty_answers_are_told_apart() -> None:
    reviews = [
        make_review(TIE, "a", " a\n"),
        make_review(WIN, "a", "a"),
        make_review(TIE, "", " "),
        make_review(WIN, " ", "a"),
        make_review(WIN, "a", ""),
        make_review(TIE, "a", ""),
    ]
    health = judge_health(reviews)
    assert (health.identical, health.identical_tied) == (3, 2)
    assert (health.one_empty, health.empty_won, health.empty_tied) == (3, 1, 1)


@pytest.mark.parametrize("reviews", [[], make_reviews(UNPARSED)])
def test_nothing_parsed_gives_none(reviews: list) -> None:
    health = judge_health(reviews)
    assert (health.pairs, health.conflict_share, health.place_p, health.longer_share, health.too_many_conflicts) == (
        0,
        None,
        None,
        None,
        False,
    )
