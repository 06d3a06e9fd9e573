"""The openai package, set up for many small requests from one processor core.

It takes a second to import: import it where it is used.
"""

import aiohttp
import httpx2
import openai

# What `ChatConnection.post` raises when there is no response, and what is below it when nothing could be sent.
ERRORS = (openai.APIError, httpx2.RequestError, aiohttp.ClientError, OSError)
NOT_CONNECTED = aiohttp.ClientConnectorError


class ChatConnection:
    """Sends requests for completions. The package prepares the first one: address, key, headers.

    The others differ in their content alone: they are copies of it, sent through the same HTTP client. To prepare each
    anew takes half the processor time of a request.
    """

    def __init__(self, api_base: str, api_key: str, timeout_seconds: float) -> None:
        # aiohttp below it takes half the processor time of the default. A redirect would lose what is posted.
        self._http = openai.DefaultAioHttpClient(timeout=timeout_seconds, follow_redirects=False)
        self._client = openai.AsyncOpenAI(
            api_key=api_key, base_url=api_base, max_retries=0, timeout=timeout_seconds, http_client=self._http
        )
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
                "/chat/completions",
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
