"""Requests to the judge.

The key of one is a hash of all that decides its answer, so that no answer is paid for twice.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from answering.wrap_file import Pair
from judging.prompts import CRITERIA, EARLIER_CRITERIA, Messages, ask_again_messages, judge_messages
from shared.texts import shorten


@dataclass(frozen=True)
class Judge:
    """Who judges and how. `temperature` is None where the server's own is wanted.

    `has_earlier_prompt` is true for reviews that an earlier version of this tool has begun with its own prompt. Without
    `has_system_role` the system text is the beginning of the user's turn. `extra_body` are more parameters of requests.
    """

    api_model: str
    max_tokens: int
    temperature: float | None
    show_input: bool
    has_earlier_prompt: bool = False
    has_system_role: bool = True
    seed: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def criteria(self) -> str:
        """The part of the prompt that says how to judge."""
        return EARLIER_CRITERIA if self.has_earlier_prompt else CRITERIA

    @property
    def meta(self) -> dict[str, Any]:
        """What a review file says about its judge; the prompt only where it is not the published one."""
        meta: dict[str, Any] = {
            "api_model": self.api_model,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "judge_input": "on" if self.show_input else "off",
        }
        if self.has_earlier_prompt:
            meta["prompt"] = "a space before two line breaks"
        if not self.has_system_role:
            meta["system_role"] = "user"
        if self.seed is not None:
            meta["seed"] = self.seed
        return meta | ({"extra_body": dict(self.extra_body)} if self.extra_body else {})


@dataclass(frozen=True)
class JudgeRequest:
    """One request. `where` names it in messages; it has no part in the key."""

    judge: Judge
    messages: Messages
    where: str

    @cached_property
    def content(self) -> bytes:
        """Judge, parameters and messages as canonical JSON.

        It is what is sent, unless the server has its own name for max_tokens.
        """
        return self.content_with("max_tokens")

    @cached_property
    def key(self) -> str:
        """SHA-256 of `content`, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_follow_up(self) -> bool:
        """True where the conversation goes on after an answer."""
        return len(self.messages) > 2

    def content_with(self, limit_name: str, limit: int | None = None, sends_temperature: bool = True) -> bytes:
        """Return `content` with another name for max_tokens, another limit, or without a temperature."""
        body: dict[str, Any] = {
            "model": self.judge.api_model,
            "messages": self.messages,
            limit_name: limit or self.judge.max_tokens,
        }
        if self.judge.temperature is not None and sends_temperature:
            body["temperature"] = self.judge.temperature
        if self.judge.seed is not None:
            body["seed"] = self.judge.seed
        body |= self.judge.extra_body
        # As ASCII: half of a surrogate pair, which a data set may hold, has no UTF-8 form.
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")

    def ask_again(self, text: str) -> "JudgeRequest":
        """Return the request that follows an answer whose scores cannot be read."""
        return JudgeRequest(self.judge, ask_again_messages(self.messages, text), f"{self.where}, asked again")


@dataclass(frozen=True)
class PairRequests:
    """The two requests of a pair: the answers as they stand, and the second one first."""

    forward: JudgeRequest
    reverse: JudgeRequest


def pair_requests(pairs: list[Pair], judge: Judge) -> list[PairRequests]:
    """Return the requests of every pair, in file order."""
    requests = []
    for index, pair in enumerate(pairs):
        where = f"pair {index}" if pair.id == index else f"pair {index} (id {shorten(pair.id)})"
        forward, reverse = (
            JudgeRequest(
                judge,
                judge_messages(pair, order == 2, judge.show_input, judge.criteria, judge.has_system_role),
                f"{where}, order {order}",
            )
            for order in (1, 2)
        )
        requests.append(PairRequests(forward, reverse))
    return requests
