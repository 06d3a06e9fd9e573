"""A judge's server on this machine whose every byte a test decides."""

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Headers = dict[str, str]
Response = tuple[int, Headers, bytes]
Respond = Callable[[dict[str, Any], Headers], Response]


def said(text: str | None, reason: str | None = "stop", usage: Any = None, **fields: Any) -> bytes:
    """A completion that says `text`."""
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text} | fields}
    usage = {"prompt_tokens": 300, "completion_tokens": 20} if usage is None else usage
    return json.dumps({"model": "judge-1", "choices": [choice], "usage": usage}).encode()


def error(message: str, **fields: Any) -> bytes:
    """An error as OpenAI words it."""
    return json.dumps({"error": {"message": message} | fields}).encode()


class RawServer:
    """The server in a thread, as a context manager. `respond` gets the parsed body and the headers of each request.

    `bodies`, `paths` and `headers` are what it was asked, in order of arrival.
    """

    def __init__(self, respond: Respond) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[Headers] = []
        state = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                state.bodies.append(body)
                state.paths.append(self.path)
                state.headers.append(headers)
                status, sent, content = respond(body, headers)
                try:
                    self.send_response(status)
                    for name, value in ({"Content-Length": str(len(content))} | sent).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:  # the client has read enough
                    self.close_connection = True

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exception(), OSError):  # a client that has hung up
                    super().handle_error(request, client_address)

        self._http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> "RawServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def shown_text(body: dict[str, Any]) -> str:
    """All texts of a request."""
    return "\n".join(message["content"] for message in body["messages"])
