"""One request to the judge over HTTP: an answer or a failure, never an exception.

The openai package speaks to any server of its protocol; its own retries are off. The key goes into a header of the
requests and nowhere else: it is taken out of whatever a server says.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType

from judging.dialect import Dialect, is_taken
from judging.outcomes import Failure, JudgeAnswer, read_completion
from judging.requests import JudgeRequest
from judging.secrets_hiding import SHORTEST_IN_ERRORS, Secrets
from judging.server_address import ServerAddress
from judging.server_errors import classify_status
from shared.texts import one_line


@dataclass(frozen=True)
class ServerAccess:
    """What opens a server: its address, a key or None, headers of the user's own; seconds that an answer may take.

    `secrets` are taken out of what it says.
    """

    address: ServerAddress
    api_key: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout_seconds: float
    secrets: Secrets

    @property
    def all_headers(self) -> dict[str, str]:
        """The user's headers, and that of a user and a password in the address."""
        own = {"authorization": self.address.authorization} if self.address.authorization else {}
        return own | dict(self.headers)


class JudgeClient:
    """A connection to the judge's server. Use it in an `async with` statement; imports the openai package."""

    def __init__(self, access: ServerAccess) -> None:
        # The package takes a second to import: a mistake in a flag should not wait for it.
        from judging import openai_client

        self._openai_client = openai_client
        self._connection = openai_client.ChatConnection(
            access.address.base, access.api_key, access.timeout_seconds, access.all_headers, access.address.query
        )
        self._secrets = access.secrets
        self._timeout_seconds = access.timeout_seconds
        self.dialect = Dialect()

    async def __aenter__(self) -> "JudgeClient":
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._connection.close()

    async def ask(self, request: JudgeRequest) -> JudgeAnswer | Failure:
        """Send a request once and return what comes of it; a server that wants it worded otherwise gets it so."""
        outcome = await self._send(self.dialect.content(request))
        for _ in range(3):  # a name, a temperature and a limit
            if not isinstance(outcome, Failure) or not (variant := self.dialect.variant(request, outcome)):
                break
            before, outcome = outcome, await self._send(variant.content)
            if not is_taken(outcome, before):
                break
            variant.keep()
        return outcome

    async def _send(self, content: bytes) -> JudgeAnswer | Failure:
        try:
            # The client's own timeout is for each read; a server that sends a byte a minute would never end.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._connection.post(content)
        except (TimeoutError, *self._openai_client.ERRORS) as error:
            return self._connection_failure(error)
        if response.is_success:
            return read_hidden(response.content, self._secrets)
        headers = {name: self._hidden(value) for name, value in response.headers.items()}
        return classify_status(response.status_code, headers, self._hidden_bytes(response.content))

    def _connection_failure(self, error: BaseException) -> Failure:
        # The layers between call most failures a timeout; the one below them all says which it was.
        words, chain = self._openai_client.words_of(error)
        words = one_line(self._hidden(words), 200)
        if any(isinstance(link, self._openai_client.NOT_CONNECTED) for link in chain):
            return Failure("retry", "cannot connect", words)
        if any(isinstance(link, TimeoutError) for link in chain):
            return Failure("retry", "timeout", f"no answer within {self._timeout_seconds:g} s", charged=True)
        if any(isinstance(link, self._openai_client.UnreadableError) for link in chain):
            return Failure("retry", "not a completion (unreadable)", words, charged=True)
        return Failure("retry", "connection cut", words, charged=True)

    def _hidden(self, text: str) -> str:
        return self._secrets.hide(text, SHORTEST_IN_ERRORS)

    def _hidden_bytes(self, data: bytes) -> bytes:
        return self._hidden(data.decode("utf-8", "replace")).encode("utf-8", "replace")


def read_hidden(body: bytes, secrets: Secrets) -> JudgeAnswer | Failure:
    """Return what the body of a response with status 200 is, without the secrets in any text of it."""
    outcome = read_completion(body)
    if isinstance(outcome, Failure):  # before its words are cut: half a key is hidden too
        text = secrets.hide(body.decode("utf-8", "replace"), SHORTEST_IN_ERRORS)
        return read_completion(text.encode("utf-8", "replace"))
    return replace(
        outcome,
        text=secrets.hide(outcome.text),
        model=outcome.model and secrets.hide(outcome.model),
        finish_reason=outcome.finish_reason and secrets.hide(outcome.finish_reason),
    )
