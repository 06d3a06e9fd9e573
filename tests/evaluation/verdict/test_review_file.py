"""Review files: where they lie, and what is read from ours and from the original tool's."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from script_runs import write_json
from shared.cli import UserError
from verdict.review_file import judge_slug, read_review_file, review_path
from verdict.verdict import judge_pairs


@pytest.mark.parametrize(
    ("api_model", "slug"),
    [
        ("gpt-4", "gpt4"),
        ("gpt-3.5-turbo", "gpt3.5"),
        ("gpt-4o", "gpt-4o"),
        ("smollm2-135m", "smollm2-135m"),
        ("a_b.c", "a_b.c"),
    ],
)
def test_slug_of_a_plain_name_is_the_name(api_model: str, slug: str) -> None:
    assert judge_slug(api_model) == slug


@pytest.mark.parametrize(
    "api_model",
    ["org/model", "GPT-4", "gpt4", "gpt3.5", "../up", "\u5224\u5b98", "", " ", "x" * 300, ".", "a b", "-", "\ud800"],
)
def test_slug_of_any_other_name_is_a_file_name_with_its_hash(api_model: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,80}-[0-9a-f]{8}", judge_slug(api_model))


def test_no_two_judges_share_a_slug() -> None:
    names = [
        "gpt-4",
        "gpt4",
        "GPT-4",
        "Gpt-4",
        "gpt-3.5-turbo",
        "gpt3.5",
        "a/b",
        "a-b",
        "a b",
        "a--b",
        "A-B",
        "a-b-",
        "",
        "judge",
    ]
    names += ["x" * 80, "x" * 81]
    # A judge may be called what the hash of another made of it.
    names += [judge_slug(name) for name in names if judge_slug(name) not in names]
    slugs = [judge_slug(name) for name in names]
    assert all(one != other for one, other in itertools.combinations(slugs, 2))


@pytest.mark.parametrize(
    ("api_model", "path"),
    [
        ("gpt-4", "out/koala_wrap_reviews_gpt4.json"),
        ("gpt-3.5-turbo", "out/koala_wrap_reviews_gpt3.5.json"),
        ("m", "out/koala_wrap_reviews_m.json"),
    ],
)
def test_reviews_lie_beside_the_wrap_file(api_model: str, path: str) -> None:
    assert review_path("out/koala_wrap.json", api_model) == path


ROW = {"prompt": "Why?", "Answer1": "So.", "Answer2": "No."}
ROW |= {"review": "8 9\nGood.", "scores": "[8.0, 9.0]", "review_reverse": "7 6", "scores_reverse": "[7.0, 6.0]"}


def write_reviews(path: Path, *rows: Any) -> Path:
    return write_json(path, {"Meta_Info": {"dataset_name": "mine"}, "data": list(rows)})


@pytest.mark.parametrize("judge", ["gpt4", "gpt3.5"])
@pytest.mark.parametrize(("name", "num"), [("vicuna", 80), ("koala", 180)])
def test_files_of_the_original_tool_are_read(name: str, num: int, judge: str, real_data_dir: Path) -> None:
    file = read_review_file(str(real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json"))
    assert (file.dataset_name, len(file.reviews)) == (name, num)
    assert all(review.scores and review.scores_reverse for review in file.reviews)


@pytest.mark.parametrize(
    ("stored", "scores"),
    [
        ("[8.0, 9.0]", (8, 9)),
        ([8, 9.5], (8, 9.5)),
        ("[0, 10]", (0, 10)),
        (None, None),
        ("[-1, -1]", None),
        ([-1, -1], None),
        ("[8, 11]", None),
        ("[NaN, 8]", None),
        ("[8]", None),
        ("[8, 9, 7]", None),
        ([], None),
    ],
)
def test_stored_scores_of_every_form(stored: Any, scores: tuple[float, float] | None, tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.json", ROW | {"review": "Both are good.", "scores": stored})
    assert read_review_file(str(path)).reviews[0].scores == scores


def test_null_is_the_last_word_of_our_own_judging(tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.json", ROW | {"review": "8 9", "scores": None})
    assert read_review_file(str(path)).reviews[0].scores is None


@pytest.mark.parametrize("stored", ["[-1, -1]", [12, 13]])
def test_scores_that_say_nothing_are_looked_for_in_the_review(stored: Any, tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.json", ROW | {"review_reverse": "**5/10 and 6/10**", "scores_reverse": stored})
    assert read_review_file(str(path)).reviews[0].scores_reverse == (5, 6)


@pytest.mark.parametrize("field", ["review", "scores", "review_reverse", "scores_reverse"])
def test_a_missing_field_names_file_pair_and_field(field: str, tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.json", ROW, {key: value for key, value in ROW.items() if key != field})
    with pytest.raises(UserError, match=re.escape(f"{path}: pair 1: field '{field}' is missing; it must be ")):
        read_review_file(str(path))


@pytest.mark.parametrize(
    "stored",
    ["8 9", "", "[8, 9", "{}", "true", '["8", "9"]', "[true, false]", ["8", "9"], [None, 8], {"a": 8}, 8, True],
)
def test_scores_of_another_kind_are_an_error(stored: Any, tmp_path: Path) -> None:
    path = write_reviews(tmp_path / "r.json", ROW | {"scores_reverse": stored})
    with pytest.raises(UserError, match=r"pair 0: field 'scores_reverse' is .*; it must be two numbers"):
        read_review_file(str(path))


def test_a_review_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pair 0: field 'review' is null; it must be a string"):
        read_review_file(str(write_reviews(tmp_path / "r.json", ROW | {"review": None})))


def test_cut_reviews_are_counted_and_their_last_line_is_not_read(tmp_path: Path) -> None:
    old = ROW | {"review": "9 1", "scores": [-1, -1], "finish_reason": "length", "finish_reason_reverse": "stop"}
    path = write_reviews(tmp_path / "r.json", old, old | {"review": "9 1\nThe fir"}, ROW | {"finish_reason": None})
    reviews = read_review_file(str(path)).reviews
    assert [(review.num_cut, review.scores) for review in reviews] == [(1, None), (1, (9, 1)), (0, (8, 9))]
    assert judge_pairs(reviews).cut == 2
