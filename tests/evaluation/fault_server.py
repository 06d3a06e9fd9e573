"""A judge's server on this machine that fails on demand, and keeps a ledger of what it was asked and what it served.

python fault_server.py '{"latency_seconds": 0.05, "fault_rate": 0.05, "ledger": "ledger.jsonl"}' prints its port and
serves until it is ended. Plain asyncio: it takes a fraction of the processor time of the client that is being measured.
"""

import asyncio
import email.utils
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MIXED_FAULTS = ["500", "503", "429", "cut", "cut_mid", "html", "broken", "null_content", "no_choices"]


@dataclass
class Plan:
    """What the server does. A fault is the name of one in `responses`; the first rule that applies wins.

    `by_text`: faults by a text in the prompt. `script`: what the first requests get, in order of arrival. `rate_limit`:
    requests a second that are let through. `fault_rate`: share of the others that fail with one of `faults`.
    """

    by_text: dict[str, str] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    rate_limit: int = 0
    fault_rate: float = 0.0
    faults: list[str] = field(default_factory=lambda: MIXED_FAULTS)
    otherwise: str = "ok"
    seed: int = 0
    latency_seconds: float = 0.0
    slow_text: str = ""  # prompts with it take slow_seconds
    slow_seconds: float = 0.0
    models: list[str] = field(default_factory=lambda: ["judge-1"])
    ledger: str = ""


def completion(text: str | None, body: bytes, model: str, reason: str = "stop", usage: bool = True) -> bytes:
    """A completion that says `text`; its token counts are those of words."""
    answer: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 0, "model": model}
    answer["choices"] = [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}]
    if usage:
        num_in, num_out = len(body.split()), len((text or "").split())
        answer["usage"] = {"prompt_tokens": num_in, "completion_tokens": num_out, "total_tokens": num_in + num_out}
    return json.dumps(answer).encode()


def verdict(body: bytes) -> str:
    """Scores and a reason that depend on the request alone."""
    digest = hashlib.sha256(body).digest()
    return f"{digest[0] % 10 + 1} {digest[1] % 10 + 1}\nBecause of {digest.hex()}." + " It was weighed with care." * 20


def error(message: str, code: str | None = None) -> bytes:
    """An error as OpenAI words it."""
    return json.dumps({"error": {"message": message, "type": "an_error", "param": None, "code": code}}).encode()


def responses(fault: str, body: bytes, key: str, model: str) -> tuple[int, dict[str, str], bytes]:
    """The response for a fault, or for none: status, headers, body. `cut`, `cut_mid` and `hang` are not responses."""
    name, _, value = fault.partition(":")
    if name == "max_tokens" and b'"max_tokens"' in body:
        return (
            400,
            {},
            error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead."
            ),
        )
    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    failures: dict[str, tuple[int, dict[str, str], bytes]] = {
        "400": (400, {}, error("Unknown parameter: 'frobnicate'.")),
        "401": (
            401,
            {},
            error(f"Incorrect API key provided: {key}. You can find your key on the page of keys.", "invalid_api_key"),
        ),
        "403": (403, {}, error("Your country is not supported.")),
        "404": (404, {}, error("The model `judge-0` does not exist.", "model_not_found")),
        "quota": (429, {}, error("You exceeded your current quota, please check your plan.", "insufficient_quota")),
        "context": (400, {}, error("This model's maximum context length is 8192 tokens.", "context_length_exceeded")),
        "moved": (301, {"Location": "http://127.0.0.1/elsewhere"}, b""),
        "429": (429, {"Retry-After": value} if value else {}, error("Rate limit reached.", "rate_limit_exceeded")),
        "429date": (429, {"Retry-After": date}, error("Rate limit reached.")),
        "500": (500, {}, error("The server had an error.")),
        "503": (503, {}, b"<html>busy</html>"),
        "html": (200, {}, b"<html><body>Welcome to the hotel's network</body></html>"),
        "broken": (200, {}, b'{"choices": [{"message"'),
        "empty": (200, {}, b""),
        "null_choices": (200, {}, b'{"choices": null}'),
        "no_choices": (200, {}, b'{"choices": []}'),
        "error200": (200, {}, error("The provider is overloaded.")),
        "null_content": (200, {}, completion(None, body, model)),
    }
    if name in failures:
        return failures[name]
    texts = {
        "say": value,
        "prose": "Both are good.",
        "length": "7 8\nThe first one",
        "filter": "",
        "echo": f"5 6\n{key}",
    }
    reason = {"length": "length", "filter": "content_filter"}.get(name, "stop")
    return 200, {}, completion(texts.get(name, verdict(body)), body, model, reason, usage=name != "no_usage")


class Server:
    """Decides what each request gets, and writes the ledger."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.num_requests = self.num_in_flight = 0
        self.chunk, self.num_in_chunk = 0, 0
        self.ledger = os.open(plan.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if plan.ledger else None

    def note(self, body: bytes, outcome: str, event: str) -> None:
        """Add a line to the ledger: a request that has arrived, or one that is being served."""
        if self.ledger is not None:
            digest = hashlib.sha256(body).hexdigest()
            entry = {
                "body": digest,
                "num_words": len(body.split()),
                "outcome": outcome,
                "event": event,
                "time": time.time(),
                "in_flight": self.num_in_flight,
            }
            os.write(self.ledger, json.dumps(entry).encode() + b"\n")

    def outcome(self, body: bytes) -> str:
        """Choose what a request gets."""
        plan, number = self.plan, self.num_requests
        self.num_requests += 1
        for text, fault in plan.by_text.items():
            if text.encode() in body:
                return fault
        if number < len(plan.script):
            return plan.script[number]
        if plan.rate_limit:
            chunk = int(time.time())
            self.num_in_chunk = self.num_in_chunk + 1 if chunk == self.chunk else 1
            self.chunk = chunk
            if self.num_in_chunk > plan.rate_limit:
                return "429:1"
        if self.random.random() < plan.fault_rate:
            return self.random.choice(plan.faults)
        return plan.otherwise


class Connection(asyncio.Protocol):
    """HTTP/1.1 for requests with a content length, one at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        headers = {name.decode().lower(): value.decode() for name, value in fields.items()}
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return
        body, self.buffer = rest[:size], rest[size:]
        server, plan = self.server, self.server.plan
        server.num_in_flight += 1
        outcome = server.outcome(body)
        server.note(body, outcome, "arrived")
        slow = plan.slow_text and plan.slow_text.encode() in body
        key = headers.get("authorization", "").removeprefix("Bearer ")
        if outcome != "hang":
            asyncio.get_running_loop().call_later(
                plan.slow_seconds if slow else plan.latency_seconds, self.serve, body, outcome, key
            )

    def serve(self, body: bytes, outcome: str, key: str) -> None:
        server = self.server
        if self.transport.is_closing():  # the client has gone
            server.note(body, outcome, "left")
            server.num_in_flight -= 1
            return
        server.note(body, outcome, "served")
        server.num_in_flight -= 1
        model = server.plan.models[server.num_requests % len(server.plan.models)]
        status, headers, content = responses("ok" if outcome.startswith("cut") else outcome, body, key, model)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        response = f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
        if outcome == "cut_mid":
            self.transport.write(response[:-20])
        elif outcome != "cut":
            self.transport.write(response)
        if outcome.startswith("cut"):
            self.transport.close()


class FaultServer:
    """The server in a process of its own, as a context manager. `url` is its address, with /v1."""

    def __init__(self, ledger: Path | None = None, **plan: Any) -> None:
        self.ledger_path = ledger
        content = json.dumps(asdict(Plan(ledger=str(ledger or ""), **plan)))
        self.process = subprocess.Popen([sys.executable, __file__, content], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def __enter__(self) -> "FaultServer":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def ledger(self, event: str = "served") -> list[dict[str, Any]]:
        """The ledger's lines of an event: arrived, served, or left (the client had gone)."""
        assert self.ledger_path is not None
        lines = map(json.loads, self.ledger_path.read_text().splitlines()) if self.ledger_path.exists() else []
        return [line for line in lines if line["event"] == event]


async def serve(plan: Plan, on_start: Callable[[int], object]) -> None:
    """Serve on a free port of this machine until cancelled."""
    shared = Server(plan)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shared), "127.0.0.1", 0, backlog=1024)
    on_start(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Plan(**json.loads(sys.argv[1])), lambda port: print(port, flush=True)))
