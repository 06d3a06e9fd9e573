"""Review files: where they lie, and what is read from ours and from the original tool's."""

import itertools
import re

import pytest
from review_file import judge_slug, review_path


@pytest.mark.parametrize(
    ("api_model", "slug"),
    [("gpt-4", "gpt4"), ("gpt-3.5-turbo", "gpt3.5"), ("gpt-4o", "gpt-4o"), ("smollm2-135m", "smollm2-135m"), ("a_b.c", "a_b.c")],
)
def test_slug_of_a_plain_name_is_the_name(api_model: str, slug: str) -> None:
    assert judge_slug(api_model) == slug


@pytest.mark.parametrize("api_model", ["org/model", "GPT-4", "gpt4", "gpt3.5", "../up", "\u5224\u5b98", "", " ", "x" * 300, ".", "a b", "-", "\ud800"])
def test_slug_of_any_other_name_is_a_file_name_with_its_hash(api_model: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,80}-[0-9a-f]{8}", judge_slug(api_model))


def test_no_two_judges_share_a_slug() -> None:
    names = ["gpt-4", "gpt4", "GPT-4", "Gpt-4", "gpt-3.5-turbo", "gpt3.5", "a/b", "a-b", "a b", "a--b", "A-B", "", "judge", "a-b-", "x" * 80, "x" * 81]
    # A judge may be called what the hash of another made of it.
    names += [judge_slug(name) for name in names if judge_slug(name) not in names]
    slugs = [judge_slug(name) for name in names]
    assert all(one != other for one, other in itertools.combinations(slugs, 2))


@pytest.mark.parametrize(
    ("api_model", "path"),
    [("gpt-4", "out/koala_wrap_reviews_gpt4.json"), ("gpt-3.5-turbo", "out/koala_wrap_reviews_gpt3.5.json"), ("m", "out/koala_wrap_reviews_m.json")],
)
def test_reviews_lie_beside_the_wrap_file(api_model: str, path: str) -> None:
    assert review_path("out/koala_wrap.json", api_model) == path
