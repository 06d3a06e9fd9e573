"""A web server on loopback that gives files, and misbehaves as it is told."""

import contextlib
import hashlib
import random
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = random.Random(0).randbytes(300_000)


@dataclass
class Answer:
    """How the server answers one request."""

    status: int = 200
    body: bytes | None = None  # None: the file
    stop_after: int | None = None  # body bytes before the connection is cut, or stalls
    stalls: bool = False
    ranges: bool = True  # whether it heeds Range
    says_length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """A web server on loopback that gives the next of `answers`, then proper ones.

    `sent` has [path, first byte, bytes sent] for each request.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.answers: list[Answer] = []
        self.sent: list[list] = []
        self.seconds_per_block = 0.0
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def num_sent(self) -> int:
        return sum(num_bytes for _, _, num_bytes in self.sent)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                owner._answer(self, owner.answers.pop(0) if owner.answers else Answer())

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = answer.body if answer.body is not None else self.files.get(request.path)
        status, start, headers = answer.status, 0, dict(answer.headers)
        if body is None:
            status, body = 404, b"<html>no such file</html>"
        asked = request.headers.get("Range")
        if asked and answer.ranges and status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(body) else 416
            headers.setdefault(
                "Content-Range",
                f"bytes {start}-{len(body) - 1}/{len(body)}" if status == 206 else f"bytes */{len(body)}",
            )
        entry = [request.path, start, 0]
        self.sent.append(entry)
        request.send_response(status)
        if answer.says_length:
            headers["Content-Length"] = str(max(0, len(body) - start))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        part = body[start:][: answer.stop_after]
        with contextlib.suppress(ConnectionError):
            for first in range(0, len(part), 8192):
                block = part[first : first + 8192]
                entry[2] += len(block)
                request.wfile.write(block)
                time.sleep(self.seconds_per_block)
        if answer.stalls:
            self.closing.wait(20)


def blob_id_of(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


BLOB_ID = blob_id_of(CONTENT)
