"""Responses of a bounded size, before and after they are decompressed: a gzip file of spaces unfolds a thousandfold."""

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx2

# No answer of a judge is a tenth as long.
MAX_BYTES = 16 << 20
# wbits of zlib: gzip and zlib headers are told apart.
_WBITS = {"gzip": 47, "x-gzip": 47, "deflate": 47}
_STEP = 1 << 16


class UnreadableError(Exception):
    """A response is larger than anything that a judge says, or packed in a way that nobody asked for."""


async def bound_response(response: httpx2.Response, max_bytes: int = MAX_BYTES) -> None:
    """Let a response be read up to `max_bytes` only, decompressed on the way. A hook of the HTTP client.

    Reading it raises UnreadableError where it is larger.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().casefold()
    packed = encoding not in ("", "identity")
    if packed and encoding not in _WBITS:
        await response.aclose()
        raise UnreadableError(f"the response is packed as {encoding[:40]}, which was not asked for")
    if packed:
        del response.headers["content-encoding"]
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _BoundedStream(
        response.stream, zlib.decompressobj(_WBITS[encoding]) if packed else None, max_bytes
    )


class _BoundedStream(httpx2.AsyncByteStream):
    """The bytes of a stream, decompressed where there is a decompressor, up to `max_bytes`."""

    def __init__(self, stream: httpx2.AsyncByteStream, unpacker: "zlib._Decompress | None", max_bytes: int) -> None:
        self._stream, self._unpacker, self._max_bytes = stream, unpacker, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_in = num_out = 0
        async for chunk in self._stream:
            num_in += len(chunk)
            for piece in self._unpacked(chunk):
                num_out += len(piece)
                if max(num_in, num_out) > self._max_bytes:
                    raise UnreadableError(f"the response has more than {self._max_bytes >> 20} MB")
                yield piece

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield chunk
            return
        while chunk:
            try:
                yield self._unpacker.decompress(chunk, _STEP)
            except zlib.error as error:
                raise UnreadableError(f"the response cannot be unpacked: {error}") from None
            chunk = self._unpacker.unconsumed_tail

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
