"""The openai package, set up for many small requests from one processor core. Takes a second to import: import it where used."""

from typing import Any

import httpx2
import openai


class AsyncOpenAI(openai.AsyncOpenAI):
    """The class of the same name (it names itself to servers), which builds address and headers once: its requests differ in their content alone.

    The package builds each anew, a third of the processor time of a request. Should it rename the method that is
    overridden here, its own is used again: slower, with the same requests.
    """

    _template: httpx2.Request | None = None

    def _build_request(self, options: Any, **rest: Any) -> httpx2.Request:
        template = self._template
        if template is None:
            template = self._template = super()._build_request(options, **rest)
            del template.headers["content-length"]
        return httpx2.Request(
            template.method, template.url, headers=template.headers, content=options.content, extensions=template.extensions
        )


def new_client(api_base: str, api_key: str, timeout_seconds: float) -> openai.AsyncOpenAI:
    """Return a client without retries of its own. It follows no redirect: those lose what is posted."""
    # aiohttp below it takes half the processor time of the default.
    http_client = openai.DefaultAioHttpClient(timeout=timeout_seconds, follow_redirects=False)
    return AsyncOpenAI(api_key=api_key, base_url=api_base, max_retries=0, timeout=timeout_seconds, http_client=http_client)


async def post_chat(client: openai.AsyncOpenAI, content: bytes) -> httpx2.Response:
    """Send one request for a completion and return the response, read whole, whatever its status.

    Raises openai.APIError, aiohttp.ClientError or OSError when there is none.
    """
    try:
        return await client.post(
            "/chat/completions", cast_to=httpx2.Response, content=content, options={"headers": {"Content-Type": "application/json"}}
        )
    except openai.APIStatusError as error:
        return error.response
