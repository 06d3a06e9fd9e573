"""The openai package, set up for many small requests from one processor core.

It takes a second to import: import it where it is used.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import httpx2
import openai

from judging.bounded_response import MAX_BYTES, UnreadableError, bound_response

# What `ChatConnection.post` raises when there is no response, and what is below it when nothing could be sent.
ERRORS = (openai.APIError, httpx2.RequestError, aiohttp.ClientError, OSError, UnreadableError)
StatusError, Response = openai.APIStatusError, httpx2.Response
NOT_CONNECTED = aiohttp.ClientConnectorError
# The two that are decompressed here, step by step: another could unfold to any size before it is looked at.
ENCODINGS = "gzip, deflate"


def new_client(
    api_base: str,
    api_key: str | None,
    headers: Mapping[str, str],
    timeout_seconds: float,
    query: str = "",
    max_bytes: int = MAX_BYTES,
) -> tuple["openai.AsyncOpenAI", httpx2.AsyncClient]:
    """Return the package's client, and the HTTP client under it, whose answers are bounded.

    Without a key there is no `Authorization` header but one of `headers`. `query` goes behind every path.
    """
    # aiohttp below it takes half the processor time of the default. A redirect would lose what is posted.
    hooks: dict[str, list[Any]] = {"response": [partial(bound_response, max_bytes=max_bytes)]}
    if api_key is None and "authorization" not in headers:
        hooks["request"] = [_without_key]  # the package sends no request without one
    http = openai.DefaultAioHttpClient(timeout=timeout_seconds, follow_redirects=False, event_hooks=hooks)
    client = openai.AsyncOpenAI(
        api_key=api_key or "no-key",
        base_url=api_base,
        default_query=dict(parse_qsl(query, keep_blank_values=True)),
        max_retries=0,
        timeout=timeout_seconds,
        http_client=http,
        default_headers={"Accept-Encoding": ENCODINGS, **headers},
    )
    return client, http


async def _without_key(request: httpx2.Request) -> None:
    request.headers.pop("authorization", None)


class ChatConnection:
    """Sends requests for completions. The package prepares the first one: address, key, headers.

    The others differ in their content alone: they are copies of it, sent through the same HTTP client. To prepare each
    anew takes half the processor time of a request.
    """

    def __init__(
        self,
        api_base: str,
        api_key: str | None,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> None:
        self._client, self._http = new_client(api_base, api_key, headers or {}, timeout_seconds)
        self._url = f"{api_base}/chat/completions" + (f"?{query}" if query else "")
        self._prepared: httpx2.Request | None = None

    async def post(self, content: bytes) -> httpx2.Response:
        """Send the JSON of one request and return the response, read whole, whatever its status.

        Raises one of ERRORS.
        """
        if self._prepared is None:
            return await self._post_first(content)
        first = self._prepared
        return await self._http.send(
            httpx2.Request(first.method, first.url, headers=first.headers, content=content, extensions=first.extensions)
        )

    async def _post_first(self, content: bytes) -> httpx2.Response:
        try:
            response = await self._client.post(
                self._url,
                cast_to=httpx2.Response,
                content=content,
                options={"headers": {"Content-Type": "application/json"}},
            )
        except openai.APIStatusError as error:
            response = error.response
        self._prepared = response.request
        self._prepared.headers.pop("content-length", None)  # each has its own
        return response

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def words_of(error: BaseException) -> tuple[str, list[BaseException]]:
    """Return what an error says and all that it was caused by.

    The package's own error says no more than that there is one.
    """
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    telling = next((link for link in chain if not isinstance(link, openai.OpenAIError)), error)
    # aiohttp names its TLS setting, also where there is no TLS.
    return str(telling).replace(" ssl:default", "") or type(telling).__name__, chain
