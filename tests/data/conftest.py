"""Shared by the tests of downloads: the server that misbehaves."""

from collections.abc import Iterator

import pytest

import verified_fetch
from file_server import CONTENT, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that has /file; the pauses between attempts are short, and no proxy is asked."""
    monkeypatch.setattr(verified_fetch, "PAUSES_SECONDS", (0.001,) * len(verified_fetch.PAUSES_SECONDS))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server({"/file": CONTENT})
    yield server
    server.close()
