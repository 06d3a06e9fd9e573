"""Money: exact sums, the worst case set aside, never more than the limit."""

from decimal import Decimal

from judging.costs import EXTRA_TOKENS, Budget, Prices, estimated_tokens, most_tokens
from judging.outcomes import JudgeAnswer
from judging.requests import Judge, JudgeRequest

PRICES = Prices(Decimal(30), Decimal(60))


def request(text: str) -> JudgeRequest:
    return JudgeRequest(Judge("m", 100, 0.0, True), [{"role": "user", "content": text}], "here")


def test_prices_are_exact() -> None:
    assert Prices(Decimal("0.1"), Decimal("0.2")).cost(1, 1) == Decimal("0.0000003")


def test_tokens_of_a_prompt_are_between_a_quarter_of_its_bytes_and_all_of_them() -> None:
    assert estimated_tokens(request("a" * 400)) == 100 + EXTRA_TOKENS
    assert most_tokens(request("\u6c49" * 100)) == 300 + EXTRA_TOKENS
    assert most_tokens(request("\ud83d")) == 3 + EXTRA_TOKENS


def worst(text: str) -> Decimal:
    return PRICES.cost(most_tokens(request(text)), 100)


def test_what_is_in_flight_counts_at_its_worst() -> None:
    budget = Budget(PRICES, worst("a") + worst("b"))
    assert [budget.reserve(request(text)) for text in "abc"] == [True, True, False]


def test_an_answer_gives_back_what_it_did_not_need() -> None:
    budget = Budget(PRICES, worst("a"))
    assert budget.reserve(request("a"))
    budget.settle(request("a"), JudgeAnswer("8 9", None, None, 1, 0), charged=True)
    assert budget.spent == PRICES.cost(1, 0)
    assert not budget.reserve(request("b"))


def test_unreported_tokens_count_at_their_worst() -> None:
    budget = Budget(PRICES, None)
    budget.settle(request("a"), JudgeAnswer("8 9", None, None, None, None), charged=True)
    budget.settle(request("a"), None, charged=True)  # timed out: maybe paid
    budget.settle(request("a"), None, charged=False)  # never sent
    assert budget.spent == 2 * worst("a")


def test_without_a_limit_everything_is_affordable() -> None:
    assert Budget(None, None).reserve(request("a"))
