"""One request to the judge over HTTP: an answer or a failure, never an exception.

The openai package speaks to any server of its protocol; its own retries are off. The key goes into the header of the
requests and nowhere else: it is taken out of whatever a server says.
"""

import asyncio
import ipaddress
from types import TracebackType
from urllib.parse import urlsplit

from judging.outcomes import Failure, JudgeAnswer, classify_status, read_completion
from judging.requests import JudgeRequest
from shared.cli import UserError
from shared.texts import one_line

DEFAULT_BASE = "https://api.openai.com/v1"
# What a server on this machine is sent when there is no key; the openai package wants one.
NO_KEY = "no-key"
# Keys are hidden in what a server says. A short one, made up for a server that wants none, may be a word of an answer.
SHORTEST_KEY_IN_ERRORS = 4
SHORTEST_KEY_IN_ANSWERS = 7


def find_key(api_key: str | None, api_base: str) -> str:
    """Return the key to send. Raises UserError when there is none and the server is not on this machine."""
    key = (api_key or "").strip()
    if not key and _is_loopback(api_base):
        return NO_KEY
    if not key:
        raise UserError(
            f"no key for {shown_base(api_base)}: set the environment variable OPENAI_API_KEY "
            "(any word for a server that wants none), or give --api_base of a server on this machine"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(
            "OPENAI_API_KEY or --api_key: the key holds a space or a character that no key has; copy it again"
        )
    return key


def check_base(api_base: str) -> str:
    """Return an address without its last slash. Raises UserError when it is none."""
    try:
        parts = urlsplit(api_base)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UserError(
            f"--api_base {one_line(api_base, 100)}: not an address like {DEFAULT_BASE} or http://127.0.0.1:8000/v1"
        )
    return api_base.rstrip("/")


def shown_base(api_base: str) -> str:
    """Return the address for messages, without a user and a password in it."""
    parts = urlsplit(api_base)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_loopback(api_base: str) -> bool:
    host = urlsplit(api_base).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class JudgeClient:
    """A connection to the judge's server. Use it in an `async with` statement; imports the openai package."""

    def __init__(self, api_base: str, api_key: str, timeout_seconds: float) -> None:
        # The package takes a second to import: a mistake in a flag should not wait for it.
        from judging import openai_client

        self._openai_client = openai_client
        self._connection = openai_client.ChatConnection(api_base, api_key, timeout_seconds)
        self._key = api_key
        self._timeout_seconds = timeout_seconds
        # Newer models want another name; the first refusal that says so changes it for the rest of the run.
        self._limit_name = "max_tokens"

    async def __aenter__(self) -> "JudgeClient":
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._connection.close()

    async def ask(self, request: JudgeRequest) -> JudgeAnswer | Failure:
        """Send a request once and return what comes of it."""
        limit_name = self._limit_name
        outcome = await self._send(request, limit_name)
        if (
            isinstance(outcome, Failure)
            and outcome.status == 400
            and limit_name == "max_tokens"
            and "max_completion_tokens" in outcome.words
        ):
            self._limit_name = "max_completion_tokens"
            outcome = await self._send(request, self._limit_name)
        return outcome

    async def _send(self, request: JudgeRequest, limit_name: str) -> JudgeAnswer | Failure:
        content = request.content if limit_name == "max_tokens" else request.content_with(limit_name)
        try:
            # The client's own timeout is for each read; a server that sends a byte a minute would never end.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._connection.post(content)
        except (TimeoutError, *self._openai_client.ERRORS) as error:
            return self._connection_failure(error)
        if response.is_success:
            return read_completion(self._without_key(response.content, SHORTEST_KEY_IN_ANSWERS))
        return classify_status(response.status_code, response.headers, self._without_key(response.content))

    def _connection_failure(self, error: BaseException) -> Failure:
        # The layers between call most failures a timeout; the one below them all says which it was.
        words, chain = self._openai_client.words_of(error)
        words = one_line(self._without_key(words.encode("utf-8", "replace")).decode("utf-8", "replace"), 200)
        if any(isinstance(link, self._openai_client.NOT_CONNECTED) for link in chain):
            return Failure("retry", "cannot connect", words)
        if any(isinstance(link, TimeoutError) for link in chain):
            return Failure("retry", "timeout", f"no answer within {self._timeout_seconds:g} s", charged=True)
        return Failure("retry", "connection cut", words, charged=True)

    def _without_key(self, text: bytes, shortest: int = SHORTEST_KEY_IN_ERRORS) -> bytes:
        hidden = self._key != NO_KEY and len(self._key) >= shortest
        return text.replace(self._key.encode("ascii"), b"[key]") if hidden else text
