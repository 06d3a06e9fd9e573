"""Keys of requests: all that decides an answer, and nothing else."""

import dataclasses

import pytest

from answering.wrap_file import Pair
from judging.requests import Judge, pair_requests

JUDGE = Judge("gpt-4", 1024, 0.0, True)
PAIR = Pair(0, None, "Why?", "", "One.", "Two.")


def keys(judge: Judge = JUDGE, pair: Pair = PAIR) -> list[str]:
    (requests,) = pair_requests([pair], judge)
    return [requests.forward.key, requests.reverse.key]


def test_the_same_request_has_the_same_key_whatever_its_place() -> None:
    requests = pair_requests([PAIR, dataclasses.replace(PAIR, id="x", category="c")], JUDGE)
    assert requests[0].forward.key == requests[1].forward.key
    assert requests[0].forward.where == "pair 0, order 1" and requests[1].reverse.where == 'pair 1 (id "x"), order 2'


@pytest.mark.parametrize(
    "change", [{"api_model": "gpt-4o"}, {"max_tokens": 1}, {"temperature": 0.2}, {"temperature": None}]
)
def test_another_judge_has_other_keys(change: dict) -> None:
    assert not set(keys()) & set(keys(dataclasses.replace(JUDGE, **change)))


@pytest.mark.parametrize("change", [{"prompt": "Who?"}, {"answer1": "1."}, {"answer2": "2."}, {"input": "3"}])
def test_another_pair_has_other_keys(change: dict) -> None:
    assert not set(keys()) & set(keys(pair=dataclasses.replace(PAIR, **change)))


def test_the_two_orders_have_different_keys_unless_the_answers_are_equal() -> None:
    assert len(set(keys())) == 2
    assert len(set(keys(pair=dataclasses.replace(PAIR, answer2="One.")))) == 1


def test_the_input_counts_only_where_it_is_shown() -> None:
    off = dataclasses.replace(JUDGE, show_input=False)
    assert keys(off) == keys(off, dataclasses.replace(PAIR, input="3")) == keys(JUDGE)


def test_half_of_a_surrogate_pair_has_a_key() -> None:
    assert len(keys(pair=dataclasses.replace(PAIR, answer1="\ud83d"))[0]) == 64
