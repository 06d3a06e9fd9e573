"""Debian's Chromium with the network off, for tests of the pages. conftest.py makes its two fixtures known to all."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Opened:
    """A page in the browser (playwright's `Page`), what it asked the network for, and what it complained of."""

    page: object
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


OpenPage = Callable[..., Opened]


# Not of the session: while playwright runs, no other test of this process could run an event loop of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A headless Chromium; a test that needs it is skipped where it is not installed."""
    executable = shutil.which("chromium")
    if not executable:
        pytest.skip("Chromium is not installed: no browser to open the page in")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: nothing to drive the browser with"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: object) -> Iterator[OpenPage]:
    """Open an HTML file from disk, offline; anything that it asks for beside itself is refused and noted."""
    contexts = []

    def open_file(path: Path, width: int = 1400, height: int = 900, color_scheme: str = "light") -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=color_scheme, offline=True
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        url = path.resolve().as_uri()

        def answer(route) -> None:
            if route.request.url == url:
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        opened.page.route(lambda asked: not asked.startswith("data:"), answer)
        opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on(
            "dialog", lambda dialog: (opened.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        opened.page.goto(url)
        return opened

    yield open_file
    for context in contexts:
        context.close()
