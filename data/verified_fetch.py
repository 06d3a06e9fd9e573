"""One file over HTTP: resumed where it was cut, and put in its place only when its content is the one that is wanted.

Content is named as Git names it, by the SHA-1 of b"blob <size>\\0" + content; GitHub shows that id for each of its
files. The bytes gather in `<name>.part` beside the target, and any later attempt or run goes on from there. Nothing
about the server's version of the file has to be remembered: parts that do not fit together fail the check in the end.

On urllib, because no library here or on PyPI that we know both resumes and knows Git's ids: it would save nothing.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from shared.cli import UserError
from shared.texts import shorten

PAUSES_SECONDS = (1.0, 2.0, 4.0)  # before the second, third and fourth attempt
BLOCK_BYTES = 1 << 16


class UnreachableError(UserError):
    """The server cannot be talked to at all: none of its files will come."""


class CutError(Exception):
    """Why an attempt has ended early; another one may go on from there."""


def is_in_place(target: Path, blob_id: str) -> bool:
    """Return whether the wanted file is there. Raises UserError when another one is, or when it cannot be read."""
    try:
        seen = git_blob_id(target)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"{target}: cannot be read: {error.strerror}; choose another --output_dir") from None
    if seen != blob_id:
        remedy = "it was left alone: move it away to have the published one, or leave this file out with --only"
        raise UserError(
            f"{target}: is there, but is not the published file (Git blob id {seen}, wanted {blob_id}); {remedy}"
        )
    return True


@dataclass(frozen=True)
class Limits:
    """How long to wait for a connection or for more bytes, how long for a whole file, and how large one may be."""

    timeout_seconds: float
    file_seconds: float
    max_bytes: int


def fetch(url: str, target: Path, blob_id: str, limits: Limits) -> None:
    """Fetch a file into its place, within the limits.

    Raises UserError when the file cannot be had or written, when
    its content is not the wanted one (nothing of it is kept then), or when another file has taken its place meanwhile.
    """
    partial = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _complete(url, partial, blob_id, limits)
        is_in_place(target, blob_id)
        os.replace(partial, target)
    except OSError as error:
        remedy = (
            f"free space or choose another --output_dir; {partial.name}, if there is one, is what the same "
            "command goes on from"
        )
        raise UserError(f"{target}: cannot be written: {error.strerror}; {remedy}") from None


def git_blob_id(path: Path) -> str:
    """Return the id that Git gives to a file's content, in hex. Raises OSError."""
    with open(path, "rb") as file:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size, usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _complete(url: str, partial: Path, blob_id: str, limits: Limits) -> None:
    """Make `partial` the wanted file, in a few attempts."""
    end = time.monotonic() + limits.file_seconds
    for pause_seconds in (*PAUSES_SECONDS, None):
        try:
            _attempt(url, partial, blob_id, limits, end)
            return
        except CutError as cut:
            if pause_seconds is None:
                raise UserError(
                    f"{url}: {cut}, after {len(PAUSES_SECONDS) + 1} attempts; what came is kept, and the same command "
                    "goes on from there"
                ) from None
            print(f"note: {url}: {cut}; trying again in {pause_seconds:g} s", file=sys.stderr)
            time.sleep(pause_seconds)


def _attempt(url: str, partial: Path, blob_id: str, limits: Limits, end: float) -> None:
    offset = partial.stat().st_size if partial.exists() else 0
    # A run may have been killed between the last byte and the renaming.
    if offset and git_blob_id(partial) == blob_id:
        return
    offset = _transfer(url, partial, offset, limits, end)
    seen = git_blob_id(partial)
    if seen == blob_id:
        return
    size = partial.stat().st_size
    with open(partial, "rb") as file:
        beginning = shorten(file.read(60).decode("utf-8", "replace"), 60)
    partial.unlink()
    if offset:
        raise CutError("the end that came does not fit the beginning that was there")
    raise UserError(
        f"{url}: not the wanted file: {size} bytes with Git blob id {seen}, wanted {blob_id}; nothing is kept. "
        "Usually the "
        f"publisher has changed the file, or a proxy has sent a page of its own; it begins with {beginning}"
    )


def _transfer(url: str, partial: Path, offset: int, limits: Limits, end: float) -> int:
    """Add what is missing to `partial` and return the offset at which that began.

    It is 0 when the server sends only whole files. Raises UserError for more bytes, or a longer time, than the limits
    allow.
    """
    with _open(url, partial, offset, limits.timeout_seconds) as response:
        # A server may ignore the range (200), or send another one.
        if not (response.headers.get("Content-Range") or "").startswith(f"bytes {offset}-"):
            offset = 0
        total = None if response.length is None else offset + response.length
        if total is not None and total > limits.max_bytes:
            raise _too_large(url, f"{total} bytes", limits.max_bytes)
        bar = tqdm(
            desc=partial.stem,
            total=total,
            initial=offset,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
            dynamic_ncols=True,
        )
        with bar, open(partial, "r+b" if offset else "wb") as file:
            file.seek(offset)
            num_bytes = offset
            for block in _blocks(response):
                num_bytes += len(block)
                if num_bytes > limits.max_bytes:
                    partial.unlink()
                    raise _too_large(url, "no end to its bytes", limits.max_bytes)
                if time.monotonic() > end:
                    raise UserError(
                        f"{url}: not whole after {limits.file_seconds:g} s; what came is kept, and the same command "
                        "goes on from there; give --file_seconds more, or --base_url a faster mirror"
                    )
                file.write(block)
                file.flush()  # a killed run keeps all that came
                bar.update(len(block))
            os.fsync(file.fileno())
    return offset


def _too_large(url: str, seen: str, max_bytes: int) -> UserError:
    return UserError(
        f"{url}: not the wanted file: {seen}, and the published one has at most {max_bytes}; nothing is kept"
    )


def _open(url: str, partial: Path, offset: int, timeout_seconds: float) -> HTTPResponse:
    headers = {"User-Agent": "superfiltering"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        return urlopen(Request(url, headers=headers), timeout=timeout_seconds)
    except HTTPError as error:
        error.close()
        if error.code == 416 and offset:
            partial.unlink()
            raise CutError("the part that was there is longer than the file") from None
        if error.code == 429 or error.code >= 500:
            raise CutError(f"the server answered {error.code}") from None
        raise UserError(
            f"{url}: the server answered {error.code}; see whether the file is there, or give --base_url a mirror"
        ) from None
    except URLError as error:
        if isinstance(error.reason, ConnectionError) and not isinstance(error.reason, ConnectionRefusedError):
            raise CutError(f"connecting failed: {error.reason}") from None
        raise UnreachableError(
            f"{url}: the server cannot be reached: {error.reason}; check the network, or give --base_url a mirror"
        ) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: sent on to an address that is none
        raise CutError(f"no answer: {error or type(error).__name__}") from None


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it comes. Raises CutError when it ends before its length, or nothing comes in time."""
    missing = response.length  # in bytes; None when the server does not say
    try:
        # read1 gives what there is: read would lose what came before a cut.
        while missing != 0 and (block := response.read1(BLOCK_BYTES)):
            yield block
            if missing is not None:
                missing -= len(block)
    except (OSError, HTTPException) as error:
        raise CutError(f"the transfer stopped: {error or type(error).__name__}") from None
    if missing:
        raise CutError(f"the connection was cut {missing} bytes before the end")
