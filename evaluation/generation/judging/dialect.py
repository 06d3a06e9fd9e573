"""What a server wants otherwise than it was asked, found out from its refusals: names and limits of parameters.

Only what a server says in so many words is changed, and only for as long as it helps: the key of a request stays that
of what was asked for.
"""

import re

from judging.outcomes import Failure, JudgeAnswer
from judging.requests import JudgeRequest
from judging.server_errors import LIMIT_TOO_LARGE, is_too_long, room_for_answer

MAX_COMPLETION_TOKENS = "max_completion_tokens"
# "Use 'max_completion_tokens' instead", and not "'max_tokens' or 'max_completion_tokens' is too large".
_WANTS_OTHER_NAME = re.compile(
    r"(use|try|with|replaced? (by|with)|in favou?r of|instead,?)\W{1,3}(the\W{1,3})?max_completion_tokens|"
    r"max_completion_tokens\W{1,3}instead",
    re.IGNORECASE,
)
_REFUSES_TEMPERATURE = re.compile(
    r"temperature\W.{0,60}?(not support|unsupported|deprecat|not allowed|not permitted|only the default|unknown)|"
    r"(unsupported|unknown|unrecognized|unexpected|not support|deprecated|extra).{0,60}?\btemperature\b",
    re.IGNORECASE | re.DOTALL,
)
# An answer with less room than this part of what was asked for would mostly be cut: the prompt is refused instead.
LEAST_ROOM_DIVISOR = 4


class Dialect:
    """How requests are worded for one server; it changes while a run goes on.

    `changes` says each change once, for the user.
    """

    def __init__(self) -> None:
        self.limit_name = "max_tokens"
        self.sends_temperature = True
        self.changes: list[str] = []
        self._limits: dict[str, int] = {}  # by the keys of requests

    @property
    def wording(self) -> tuple[str, bool, int]:
        """What changes when another wording is kept."""
        return self.limit_name, self.sends_temperature, len(self._limits)

    def content(self, request: JudgeRequest) -> bytes:
        """Return the JSON of a request as this server wants it."""
        limit = self._limits.get(request.key)
        if self.limit_name == "max_tokens" and self.sends_temperature and limit is None:
            return request.content
        return request.content_with(self.limit_name, limit, self.sends_temperature)

    def variant(self, request: JudgeRequest, failure: Failure) -> "Variant | None":
        """Return what may be sent instead after a refusal, None where its words ask for nothing else."""
        if failure.status not in (400, 422):
            return None
        words = failure.words
        if LIMIT_TOO_LARGE.search(words) or is_too_long(words):
            room, asked = room_for_answer(words), request.judge.max_tokens
            fits = room is not None and asked // LEAST_ROOM_DIVISOR <= room < asked and request.key not in self._limits
            return Variant(self, request, limit=room) if fits and room else None
        if self.limit_name != MAX_COMPLETION_TOKENS and _WANTS_OTHER_NAME.search(words):
            return Variant(self, request, limit_name=MAX_COMPLETION_TOKENS)
        has_temperature = self.sends_temperature and request.judge.temperature is not None
        if has_temperature and (failure.parameter == "temperature" or _REFUSES_TEMPERATURE.search(words)):
            return Variant(self, request, sends_temperature=False)
        return None

    def _say(self, change: str) -> None:
        if change not in self.changes:
            self.changes.append(change)


class Variant:
    """One other way to word a request. `keep` makes it the dialect's, once the server has taken it."""

    def __init__(
        self,
        dialect: Dialect,
        request: JudgeRequest,
        limit_name: str | None = None,
        limit: int | None = None,
        sends_temperature: bool = True,
    ) -> None:
        self._dialect, self._request, self._limit = dialect, request, limit
        self._limit_name = limit_name or dialect.limit_name
        self._sends_temperature = sends_temperature and dialect.sends_temperature

    @property
    def content(self) -> bytes:
        """The JSON of the request."""
        limit = self._limit or self._dialect._limits.get(self._request.key)
        return self._request.content_with(self._limit_name, limit, self._sends_temperature)

    def keep(self) -> None:
        """Word requests in this way from now on; a smaller limit is for this request alone."""
        dialect = self._dialect
        if self._limit:
            dialect._limits[self._request.key] = self._limit
            dialect._say(
                f"{self._request.where}: the server has room for {self._limit} tokens of an answer, fewer than "
                f"--max_tokens {self._request.judge.max_tokens}; it was asked for as many"
            )
        if not self._sends_temperature and dialect.sends_temperature:
            dialect.sends_temperature = False
            dialect._say(
                f"the server refuses --temperature {self._request.judge.temperature:g}; it is left out, and the "
                "server's own is used"
            )
        dialect.limit_name = self._limit_name


def is_taken(outcome: JudgeAnswer | Failure, before: Failure) -> bool:
    """Tell whether a server has taken another wording: it answers, or complains of something else."""
    return not isinstance(outcome, Failure) or (outcome.status, outcome.words) != (before.status, before.words)
