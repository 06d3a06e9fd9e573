"""A file that one process at a time may write, and what happens between opening and locking it."""

import os
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from shared.cli import UserError
from shared.files import open_locked


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
