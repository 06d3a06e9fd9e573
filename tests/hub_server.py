"""A Hugging Face Hub on loopback: as much of its protocol as its client asks for to read a dataset.

A commit's name, its files page by page, small files, and large ones by a redirect to another host, as the real one.
"""

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PAGE = 3  # entries of a listing; the real Hub's pages have a thousand
LARGE = 2000  # bytes; what is larger lies elsewhere, behind a redirect
TOKEN = "hf_verysecrettoken"
Files = dict[str, bytes]


def commit_of(files: Files) -> str:
    """A commit's name, by its content as in git."""
    digest = hashlib.sha1()
    for path in sorted(files):
        digest.update(path.encode() + b"\0" + files[path])
    return digest.hexdigest()


@dataclass
class Repository:
    """A dataset: `commits` by name, `refs` from branches and tags to commits."""

    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, dict[str, str]] | None = None  # status and headers of every answer

    def push(self, files: Files, ref: str = "main") -> str:
        """Let a branch or tag hold these files; its commit."""
        commit = commit_of(files)
        self.commits[commit] = files
        self.refs[ref] = commit
        return commit


class HubServer:
    """The server. `requests` has "METHOD path" of all; `tokens` the access tokens that came with them."""

    def __init__(self) -> None:
        self.datasets: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.cut_after: int | None = None  # bytes of a large file, after which the connection ends
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def push(self, dataset: str, files: Files, ref: str = "main") -> str:
        """Put files on a branch or tag of a dataset; its commit."""
        return self.datasets.setdefault(dataset, Repository()).push(files, ref)

    def paths(self, method: str) -> list[str]:
        return [request.partition(" ")[2] for request in self.requests if request.startswith(f"{method} ")]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                owner._answer(self)

            def do_HEAD(self) -> None:
                owner._answer(self)

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        address = urllib.parse.urlsplit(request.path)
        self.requests.append(f"{request.command} {urllib.parse.unquote(address.path)}")
        self.tokens.add(request.headers.get("Authorization"))
        parts = [urllib.parse.unquote(part) for part in address.path.strip("/").split("/")]
        query = dict(urllib.parse.parse_qsl(address.query))
        if parts[0] == "large":
            _send(request, 200, self._blob(parts[1]), {"ETag": f'"{parts[1]}"'}, self.cut_after)
            return
        is_api = parts[0] == "api"
        dataset = "/".join(parts[2:4] if is_api else parts[1:3])
        repository = self.datasets.get(dataset)
        if repository is None:
            # The real Hub hides what is private and what is not there behind the same answer.
            _send(request, 401, b"{}", {"X-Error-Message": "Invalid username or password."})
            return
        if repository.refusal:
            _send(request, repository.refusal[0], b"{}", repository.refusal[1])
            return
        what, revision = (parts[4], parts[5]) if is_api else (parts[3], parts[4])
        commit = repository.refs.get(revision, revision)
        files = repository.commits.get(commit)
        if files is None:
            _send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif what == "revision":
            siblings = [{"rfilename": path} for path in files]
            _send_json(request, {"id": dataset, "sha": commit, "siblings": siblings})
        elif what == "tree":
            self._send_page(request, files, address.path, query)
        else:
            self._send_file(request, files, commit, "/".join(parts[5:]))

    def _send_page(self, request: BaseHTTPRequestHandler, files: Files, path: str, query: dict[str, str]) -> None:
        folders = sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."})
        entries: list[dict[str, Any]] = [{"type": "directory", "path": name, "oid": "0" * 40} for name in folders]
        for name, content in files.items():
            entry = {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            if len(content) > LARGE:
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
            entries.append(entry)
        first = int(query.get("cursor", 0))
        headers = {}
        if first + PAGE < len(entries):
            following = urllib.parse.urlencode(query | {"cursor": first + PAGE})
            headers["Link"] = f'<{self.url}{path}?{following}>; rel="next"'
        _send_json(request, entries[first : first + PAGE], headers)

    def _send_file(self, request: BaseHTTPRequestHandler, files: Files, commit: str, path: str) -> None:
        content = files.get(path)
        headers = {"X-Repo-Commit": commit}
        if content is None:
            _send(request, 404, b"", headers | {"X-Error-Code": "EntryNotFound"})
        elif len(content) > LARGE:
            digest = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            # To another host, as the client sees it: it follows no redirect of its HEAD there.
            place = self.url.replace("127.0.0.1", "localhost")
            _send(request, 302, b"", headers | {"Location": f"{place}/large/{digest}"})
        else:
            _send(request, 200, content, headers | {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'})

    def _blob(self, digest: str) -> bytes:
        contents = (
            content
            for repository in self.datasets.values()
            for files in repository.commits.values()
            for content in files.values()
        )
        return next(content for content in contents if hashlib.sha256(content).hexdigest() == digest)


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """A Hub without datasets, until the block ends."""
    server = HubServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub that the client in this process asks, with an empty cache and the access token TOKEN."""
    with hub_server() as server:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        reach(monkeypatch, server.url)
        yield server


def reach(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the Hub's client, which has read HF_ENDPOINT already, ask another server."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    # Clients below 1.0 keep it under a name of their own.
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Hub's client ask nobody, as HF_HUB_OFFLINE=1 does."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def _send_json(request: BaseHTTPRequestHandler, value: Any, headers: dict[str, str] | None = None) -> None:
    _send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))


def _send(
    request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut_after: int | None = None
) -> None:
    asked = request.headers.get("Range")
    if asked and status == 200:
        start = int(asked.removeprefix("bytes=").partition("-")[0])
        headers = headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        status, body = 206, body[start:]
    request.send_response(status)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body if cut_after is None else body[:cut_after])
    if cut_after is not None:
        request.close_connection = True
