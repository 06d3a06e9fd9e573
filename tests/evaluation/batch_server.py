"""A server on this machine with the Batch endpoints: files, batches, results; it can kill the client at any of them."""

import json
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fault_server import completion, verdict

Answer = tuple[int, dict[str, Any]]


def default_answer(body: bytes) -> Answer:
    """The status and the body of one result: what the live server would say."""
    return 200, json.loads(completion(verdict(body), body, "judge-1"))


class BatchServer:
    """The server in a thread, as a context manager. `url` is its address, with /v1.

    `answer` makes the result of one request; `statuses` are what a batch says before it is completed; `fail_once` are
    endpoints whose first call does its work and answers 500. `paid` counts the answers that were made, by body.
    `kills` are pairs of an endpoint (upload, create, list, retrieve, content) and a moment (before, done, after): the
    process set by `victim` is killed there, once each, before the work, before the response, or after it.
    """

    def __init__(self, answer: Callable[[bytes], Answer] = default_answer, **options: Any) -> None:
        self.answer = answer
        self.statuses: list[str] = options.get("statuses", ["validating", "in_progress"])
        self.final_status: str = options.get("final_status", "completed")
        self.fail_once: set[str] = set(options.get("fail_once", ()))
        self.kills: list[tuple[str, str]] = list(options.get("kills", ()))
        self.lacks: set[str] = set(options.get("lacks", ()))
        self.num_left_out: int = options.get("num_left_out", 0)
        self.victim: subprocess.Popen | None = None
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.paid: Counter[bytes] = Counter()
        self.calls: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> "BatchServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def kill_at(self, endpoint: str, moment: str) -> None:
        """Kill the client where it was asked for."""
        if self.victim and self.kills and self.kills[0] == (endpoint, moment):
            self.kills.pop(0)
            self.victim.kill()
            self.victim.wait()

    def upload(self, data: bytes) -> Answer:
        name = f"file-{len(self.files)}"
        found = re.search(rb"\r\n\r\n(\{\"custom_id.*?\n)\r?\n?--", data, re.DOTALL)
        assert found, data[:500]
        self.files[name] = found[1]
        return 200, {"id": name, "object": "file"}

    def create(self, data: bytes) -> Answer:
        asked = json.loads(data)
        name = f"batch-{len(self.batches)}"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        self.batches[name] = {
            "id": name,
            "status": "validating",
            "metadata": asked["metadata"],
            "lines": lines,
            "looks": 0,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        self._answer_all(name, lines[: len(lines) - self.num_left_out])
        return 200, self.shown(name)

    def _answer_all(self, name: str, lines: list[dict[str, Any]]) -> None:
        results: dict[bool, list[bytes]] = {True: [], False: []}
        for line in reversed(lines):  # in no order that anybody may count on
            body = json.dumps(line["body"], sort_keys=True, separators=(",", ":")).encode()
            status, content = self.answer(body)
            self.paid[body] += status == 200
            result = {
                "custom_id": line["custom_id"],
                "response": {"status_code": status, "body": content},
                "error": None,
            }
            results[status == 200].append(json.dumps(result).encode() + b"\n")
        self.files[f"out-{name}"], self.files[f"err-{name}"] = b"".join(results[True]), b"".join(results[False])

    def shown(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        shown = {key: value for key, value in batch.items() if key not in ("lines", "looks")}
        looks = batch["looks"]
        if looks < len(self.statuses):
            return shown | {"status": self.statuses[looks]}
        errors = {"data": [{"message": "The file is wrong."}]} if self.final_status == "failed" else None
        outputs = {} if errors else {"output_file_id": f"out-{name}", "error_file_id": f"err-{name}"}
        return shown | {"status": self.final_status, "errors": errors} | outputs

    def respond(self, endpoint: str, path: str, data: bytes) -> tuple[int, bytes]:
        """Do the work of an endpoint and return status and content."""
        if endpoint in self.lacks:
            return 404, b'{"error": {"message": "Not found."}}'
        if endpoint == "content":
            return 200, self.files[path.split("/")[-2]]
        if endpoint == "list":
            names = sorted(self.batches, reverse=True)
            return 200, json.dumps({"data": [self.shown(name) for name in names], "has_more": False}).encode()
        if endpoint == "retrieve":
            name = path.split("/")[-1]
            self.batches[name]["looks"] += 1
            return 200, json.dumps(self.shown(name)).encode()
        status, value = self.upload(data) if endpoint == "upload" else self.create(data)
        return status, json.dumps(value).encode()


class _Handler(BaseHTTPRequestHandler):
    server_state: BatchServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self._serve(
            "content" if path.endswith("/content") else "list" if path.endswith("/batches") else "retrieve", path
        )

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        self._serve("upload" if path.endswith("/files") else "create", path)

    def _serve(self, endpoint: str, path: str) -> None:
        state = self.server_state
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        state.calls[endpoint] += 1
        state.paths.append(self.path)
        state.headers.append({name.lower(): value for name, value in self.headers.items()})
        state.kill_at(endpoint, "before")
        status, content = state.respond(endpoint, path, data)
        state.kill_at(endpoint, "done")
        if endpoint in state.fail_once:
            state.fail_once.remove(endpoint)
            status, content = 500, b'{"error": {"message": "Lost."}}'
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the client was killed
            pass
        state.kill_at(endpoint, "after")
