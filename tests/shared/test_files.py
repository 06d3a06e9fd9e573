"""Files are written whole or not at all, as strict JSON, and some by one process at a time."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest

from shared.cli import UserError
from shared.files import atomic_writer, encode_json, open_locked, sha256_of


def test_second_opening_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a"
    fd = open_locked(str(path))
    with pytest.raises(UserError, match="another process is writing it; wait for it, or give --flag another name"):
        open_locked(str(path), "--flag")
    os.close(fd)
    os.close(open_locked(str(path)))


@pytest.mark.parametrize(
    "change",
    [Path.unlink, lambda path: path.rename(f"{path}.done"), lambda path: (path.rename(f"{path}.done"), path.touch())],
)
def test_a_file_that_left_its_path_before_it_was_locked_is_refused(
    tmp_path: Path, change: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = filelock.lock_descriptor

    def lock_late(*args, **options) -> bool:
        change(tmp_path / "a")
        return lock(*args, **options)

    monkeypatch.setattr(filelock, "lock_descriptor", lock_late)
    with pytest.raises(UserError, match="another process is writing it"):
        open_locked(str(tmp_path / "a"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_encode_json_refuses_what_json_lacks(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json(value)


@pytest.mark.parametrize("kind", ["device", "link", "pipe"])
def test_what_is_no_file_is_not_replaced(kind: str, tmp_path: Path) -> None:
    path = {"device": Path("/dev/null"), "link": Path("/dev/stdout"), "pipe": tmp_path / "pipe"}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    before = os.lstat(path)
    with pytest.raises(UserError, match=f"^{path}: is a device or a pipe"), atomic_writer(str(path)):
        pass
    assert (os.lstat(path).st_ino, os.lstat(path).st_mode) == (before.st_ino, before.st_mode)


def test_sha256_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert (
        sha256_of(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )  # FIPS 180-4
