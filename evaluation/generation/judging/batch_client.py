"""The Batch endpoints of an OpenAI-compatible server: files go up, a batch is made of one, results come down.

Every call is tried again after a passing failure. Raises UserError where the server does not do its part.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from judging.bounded_response import MAX_BYTES
from judging.client import ServerAccess
from judging.outcomes import Failure
from judging.retry_policy import RetryLimits
from judging.secrets_hiding import SHORTEST_IN_ERRORS
from judging.server_errors import classify_status, remedy_for
from shared.cli import UserError
from shared.texts import one_line

ENDPOINT: Final = "/v1/chat/completions"
# No batch of ours is further back in a server's list.
MAX_PAGES = 20
# A result is an answer and what the server says about it.
MAX_BYTES_PER_RESULT = 1 << 18
Object = dict[str, Any]
Answer = TypeVar("Answer")


class BatchClient:
    """The Batch endpoints of one server. Use it in an `async with` statement; imports the openai package."""

    def __init__(self, access: ServerAccess, limits: RetryLimits, max_results: int) -> None:
        from judging import openai_client

        self._openai_client = openai_client
        self._client, _ = openai_client.new_client(
            access.address.base,
            access.api_key,
            access.all_headers,
            access.timeout_seconds,
            access.address.query,
            MAX_BYTES + max_results * MAX_BYTES_PER_RESULT,
        )
        self._secrets, self._limits = access.secrets, limits

    async def __aenter__(self) -> "BatchClient":
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.close()

    async def upload(self, name: str, content: bytes) -> str:
        """Send a file of requests and return its id."""
        file = (name, content, "application/jsonl")
        return _id(
            await self._object(
                "upload", lambda: self._client.files.with_raw_response.create(file=file, purpose="batch")
            )
        )

    async def create(self, file_id: str, token: str) -> Object:
        """Make a batch of a file, once: where the answer to the first try was lost, the batch that it made is found.

        Raises NotCreatedError where the server refuses the first try: there is no batch then.
        """
        num_failed = 0
        while True:
            try:
                return await self._try_object(lambda: self._create(file_id, token))
            except _CallError as failed:
                if num_failed == 0 and failed.failure.kind != "retry":
                    raise NotCreatedError(_refusal("create a batch", failed.failure)) from None
                num_failed += 1
                await self._pause("create a batch", failed.failure, num_failed)
            if found := await self.find(token):
                return found

    async def find(self, token: str) -> Object | None:
        """Return the batch that was made with this token, None where there is none."""
        after = ""
        for _ in range(MAX_PAGES):
            page = await self._object("list batches", partial(self._list, after))
            batches = [batch for batch in page.get("data") or [] if isinstance(batch, dict)]
            for batch in batches:
                if isinstance(batch.get("metadata"), dict) and batch["metadata"].get("token") == token:
                    return batch
            if not page.get("has_more") or not batches:
                return None
            after = _id(batches[-1])
        return None

    async def retrieve(self, batch_id: str) -> Object:
        """Return how far a batch is."""
        return await self._object("look at a batch", lambda: self._client.batches.with_raw_response.retrieve(batch_id))

    async def lines(self, file_id: str) -> list[bytes]:
        """Return the lines of a file of results."""
        call = partial(self._client.files.with_raw_response.content, file_id)
        return (await self._retried("download results", lambda: self._try(call))).splitlines()

    def _create(self, file_id: str, token: str) -> Awaitable[Any]:
        return self._client.batches.with_raw_response.create(
            input_file_id=file_id,
            endpoint=ENDPOINT,
            completion_window="24h",
            metadata={"token": token},
            extra_headers={"Idempotency-Key": token},
        )

    def _list(self, after: str) -> Awaitable[Any]:
        more = {"after": after} if after else {}
        return self._client.get(
            "/batches", cast_to=cast(Any, self._openai_client.Response), options={"params": {"limit": 100, **more}}
        )

    async def _object(self, what: str, call: Callable[[], Awaitable[Any]]) -> Object:
        return await self._retried(what, lambda: self._try_object(call))

    async def _retried(self, what: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        num_failed = 0
        while True:
            try:
                return await attempt()
            except _CallError as failed:
                num_failed += 1
                await self._pause(what, failed.failure, num_failed)

    async def _try_object(self, call: Callable[[], Awaitable[Any]]) -> Object:
        content = await self._try(call)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            words = one_line(self._secrets.hide(content[:2000].decode("utf-8", "replace"), SHORTEST_IN_ERRORS), 80)
            raise _CallError(Failure("retry", "not JSON of a batch", words))
        return cast(Object, self._secrets.hide_in(value))

    async def _try(self, call: Callable[[], Awaitable[Any]]) -> bytes:
        try:
            response = await call()
        except self._openai_client.StatusError as error:
            response = error.response
            text = self._secrets.hide(response.content.decode("utf-8", "replace"), SHORTEST_IN_ERRORS)
            raise _CallError(classify_status(response.status_code, response.headers, text.encode())) from None
        except (TimeoutError, *self._openai_client.ERRORS) as error:
            words, _ = self._openai_client.words_of(error)
            raise _CallError(Failure("retry", "connection failed", one_line(self._secrets.hide(words), 200))) from None
        return cast(bytes, getattr(response, "http_response", response).content)

    async def _pause(self, what: str, failure: Failure, num_failed: int) -> None:
        """Wait before the next try. Raises UserError when there is none."""
        if failure.kind != "retry" or num_failed > self._limits.max_retries:
            raise UserError(_refusal(what, failure))
        await asyncio.sleep(max(self._limits.pause(num_failed), failure.retry_after or 0.0))


class NotCreatedError(UserError):
    """The server has refused to make a batch: there is none, and nothing was paid."""


class _CallError(Exception):
    """One call has failed; it never leaves this module."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def _refusal(what: str, failure: Failure) -> str:
    is_missing = failure.status in (404, 405, 501)
    hint = "; its Batch endpoints may be missing: leave out --batch_api" if is_missing else remedy_for(failure)
    return f"the judge's server does not {what}: {failure}{hint}"


def _id(value: Object) -> str:
    if not isinstance(value.get("id"), str):
        raise UserError("the judge's server gives no id for a file or a batch; leave out --batch_api")
    return cast(str, value["id"])
