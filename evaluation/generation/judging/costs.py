"""Tokens and money: what a run may cost before it starts, and never more than --max_cost while it runs."""

from dataclasses import dataclass
from decimal import Decimal

from judging.outcomes import MAX_BYTES_PER_TOKEN, JudgeAnswer, is_count
from judging.requests import JudgeRequest
from shared.cli import UserError

# A tokenizer adds a few tokens around every message, and a few around the whole.
EXTRA_TOKENS = 8


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens of the prompt and of the answer."""

    per_million_in: Decimal
    per_million_out: Decimal

    def cost(self, num_in: int, num_out: int) -> Decimal:
        """Return the price of tokens, exact."""
        return (num_in * self.per_million_in + num_out * self.per_million_out) / 1_000_000


def estimated_tokens(request: JudgeRequest) -> int:
    """Return about how many tokens a prompt has.

    English text has four bytes a token, most other text fewer characters.
    """
    return sum(len(message["content"].encode("utf-8", "replace")) // 4 + EXTRA_TOKENS for message in request.messages)


def most_tokens(request: JudgeRequest) -> int:
    """Return more tokens than a prompt can have: a token holds at least one byte."""
    return sum(len(message["content"].encode("utf-8", "surrogatepass")) + EXTRA_TOKENS for message in request.messages)


def most_tokens_of(requests: list[JudgeRequest]) -> tuple[int, int]:
    """Return more tokens of prompts and of answers than requests can come to, the second questions included.

    An answer without scores is part of the prompt that asks for them once more.
    """
    num_in = num_out = 0
    for request in requests:
        first, limit = most_tokens(request), request.judge.max_tokens
        second = 0 if request.is_follow_up else limit + most_tokens(request.ask_again(""))
        num_in += first + second
        num_out += limit if request.is_follow_up else 2 * limit
    return num_in, num_out


class Budget:
    """What is spent, and what the requests in flight may come to. Without prices everything is affordable."""

    def __init__(self, prices: Prices | None, max_cost: Decimal | None) -> None:
        self.prices = prices
        self.max_cost = max_cost
        self.spent = Decimal(0)
        self._reserved: dict[str, Decimal] = {}

    def reserve(self, request: JudgeRequest) -> bool:
        """Set aside the worst price of a request that is about to be sent. False when it does not fit."""
        if self.prices is None or self.max_cost is None:
            return True
        worst = self._worst(request)
        if self.spent + sum(self._reserved.values()) + worst > self.max_cost:
            return False
        self._reserved[request.key] = worst
        return True

    def settle(self, request: JudgeRequest, answer: JudgeAnswer | None, charged: bool) -> None:
        """Give back what was set aside and add what was spent.

        That is what was reported, or the worst price where nothing was and it may be charged.
        """
        self._reserved.pop(request.key, None)
        if self.prices is None or not charged:
            return
        least_in = -(-most_tokens(request) // MAX_BYTES_PER_TOKEN)  # fewer cannot be true
        num_in, num_out = (answer.prompt_tokens, answer.completion_tokens) if answer else (None, None)
        if num_in is None or num_out is None or not is_count(num_in, least_in) or not is_count(num_out):
            self.spent += self._worst(request)
        else:
            self.spent += self.prices.cost(num_in, num_out)

    def release(self) -> None:
        """Give back all that was set aside: it is accounted for otherwise."""
        self._reserved.clear()

    def refusal(self) -> UserError:
        """Return the error for a request that does not fit."""
        return UserError(
            f"--max_cost {self.max_cost}: up to {self.spent:.4f} USD are spent, and the next request could pass the "
            "limit: raise it to go on"
        )

    def add_charge(self, num_in: int, num_out: int) -> None:
        """Add tokens that an earlier run may have been charged for."""
        if self.prices is not None:
            self.spent += self.prices.cost(num_in, num_out)

    @property
    def is_limited(self) -> bool:
        """True where --max_cost is given."""
        return self.prices is not None and self.max_cost is not None

    def _worst(self, request: JudgeRequest) -> Decimal:
        assert self.prices is not None
        return self.prices.cost(most_tokens(request), request.judge.max_tokens)
