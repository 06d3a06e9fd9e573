"""A server in this process that answers with any bytes: for what a real judge's server would never send."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Response:
    """What is sent. With `chunks` the body has no announced length and ends with the connection."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Callable[[], Iterator[bytes]] | None = None


# From the number of a request and its headers to what it gets.
Answer = Callable[[int, Any], Response]


def completion_of(text: str, usage: str = '{"prompt_tokens": 100, "completion_tokens": 10}', **fields: Any) -> bytes:
    """A completion that says a text; `usage` is JSON as it stands."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    content = json.dumps({"model": "judge-1", "choices": [choice]} | fields)
    return f'{content[:-1]}, "usage": {usage}}}'.encode()


@contextlib.contextmanager
def raw_server(answer: Answer) -> Iterator[str]:
    """Serve on this machine and yield the address, with /v1."""
    lock, numbers = threading.Lock(), iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                number = next(numbers)
            response = answer(number, self.headers)
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.chunks is None:
                self.send_header("Content-Length", str(len(response.body)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have had enough
                self.wfile.write(response.body)
                for chunk in response.chunks() if response.chunks else ():
                    self.wfile.write(chunk)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
