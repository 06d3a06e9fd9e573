"""Agreement of two judges: Cohen's kappa by hand, its interval, and pairs that are not the same."""

from pathlib import Path

import pytest
from reviews import CONFLICT, LOSE, TIE, UNPARSED, WIN, make_review, make_reviews

from shared.cli import UserError
from verdict.agreement import agreement, judge_agreements
from verdict.review_file import ReviewFile, read_review_file


def test_kappa_is_agreement_beyond_chance() -> None:
    one = make_reviews(*[WIN] * 50, *[LOSE] * 50)
    other = make_reviews(*[WIN] * 40, *[LOSE] * 10, *[WIN] * 20, *[LOSE] * 30)
    found = agreement("a", "b", one, other, "published")
    assert found.counts == ((40, 0, 10), (0, 0, 0), (20, 0, 30))
    assert (found.pairs, found.same, found.opposed) == (100, 70, 30)
    expected = 0.5 * 0.6 + 0.5 * 0.4
    assert found.kappa == pytest.approx((0.7 - expected) / (1 - expected))
    # The usual large-sample error: sqrt(po (1 - po) / (n (1 - pe)^2)).
    error = (0.7 * 0.3 / (100 * (1 - expected) ** 2)) ** 0.5
    assert found.interval == pytest.approx((found.kappa - 1.96 * error, found.kappa + 1.96 * error), abs=0.03)


def test_the_same_verdicts_agree_wholly_and_ties_count_as_a_verdict() -> None:
    reviews = make_reviews(WIN, LOSE, TIE, CONFLICT)
    found = agreement("a", "b", reviews, reviews, "published")
    assert (found.kappa, found.counts) == (1, ((1, 0, 0), (0, 2, 0), (0, 0, 1)))


def test_pairs_that_one_judge_left_unparsed_count_nowhere() -> None:
    assert agreement("a", "b", make_reviews(WIN, UNPARSED), make_reviews(UNPARSED, WIN), "strict").pairs == 0


@pytest.mark.parametrize("reviews", [make_reviews(UNPARSED), make_reviews(TIE, TIE)])
def test_kappa_is_none_where_chance_explains_all(reviews: list) -> None:
    found = agreement("a", "b", reviews, reviews, "published")
    assert (found.kappa, found.interval) == (None, None)


def test_judges_of_other_pairs_are_refused() -> None:
    one = ReviewFile("one.json", {"dataset_name": "x"}, make_reviews(WIN, WIN))
    fewer = ReviewFile("fewer.json", {"dataset_name": "x"}, make_reviews(WIN))
    other = ReviewFile("other.json", {"dataset_name": "x"}, [make_review(WIN), make_review(WIN, "uno")])
    with pytest.raises(UserError, match=r'fewer.json: 1 pairs by "b", 2 by "a" in one.json'):
        judge_agreements({"a": [one], "b": [fewer]}, "published")
    with pytest.raises(UserError, match=r"other.json: pair 1 is not that of one.json"):
        judge_agreements({"a": [one], "b": [other]}, "published")


def test_every_two_judges_are_compared() -> None:
    file = ReviewFile("one.json", {"dataset_name": "x"}, make_reviews(WIN, LOSE))
    found = judge_agreements({"a": [file], "b": [file], "c": [file]}, "mean")
    assert [(one.judge1, one.judge2) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_gpt_4_and_gpt_35_agree_little(real_data_dir: Path) -> None:
    files = {
        judge: [
            read_review_file(str(real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json"))
            for name in ("vicuna", "koala")
        ]
        for judge in ("gpt4", "gpt3.5")
    }
    (found,) = judge_agreements(files, "published")
    assert [sum(row) for row in found.counts] == [44 + 85, 15 + 36, 21 + 59]
    assert [sum(column) for column in zip(*found.counts, strict=True)] == [16 + 32, 58 + 110, 6 + 38]
    assert found.kappa is not None and 0 < found.kappa < 0.4
