"""A file that one process at a time may write, and what is written is on the disk, whole, or not there."""

import os
from pathlib import Path

from filelock import lock_descriptor

from shared.cli import UserError


def open_locked(path: str, flag: str = "--save_path") -> int:
    """Return a descriptor of the file, made when it is not there, and locked against other processes until it is closed.

    `flag` is what the messages tell the user to change. Raises UserError when it cannot be opened or is locked.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another {flag}") from None
    # The lock is the kernel's: it ends with the process, however that ends. The other run may have removed the file
    # between our open and our lock; then we would hold one that nobody sees, or that is not the one now there.
    if not lock_descriptor(fd, blocking=False) or not _is_at(path, fd):
        os.close(fd)
        raise UserError(f"{path}: another process is writing it; wait for it, or give {flag} another name")
    return fd


def write_durably(fd: int, data: bytes, offset: int) -> None:
    """Write at the end of a file, `offset` bytes from its start, and return when the disk has it.

    On OSError, which is raised on, the file is cut back to where it was.
    """
    rest, position = memoryview(data), offset
    try:
        while rest:
            written = os.pwrite(fd, rest, position)
            rest, position = rest[written:], position + written
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, offset)
        raise


def _is_at(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False
