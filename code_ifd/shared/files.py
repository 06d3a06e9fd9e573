"""How files are read and written: UTF-8, strict JSON, whole or not at all.

A file is written to a temporary one in the same folder, which then takes its place: a reader finds the old file or the
new one, never half of one.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from shared.cli import UserError

STRICT_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def atomic_writer(path: str) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the place of `path` on success and disappears on any failure.

    Where `path` is a symbolic link, the file that it leads to is replaced, and the permissions of a file that was there
    are kept. Raises UserError when the folder cannot be made or written, the disk is full, or `path` is a device or a
    pipe.
    """
    target = Path(os.path.realpath(path))
    # A random name keeps two runs apart, on two machines that share a folder too; a run that was killed leaves its file
    # behind, never a broken target.
    temporary = target.with_name(f".{target.name[:20]}.{secrets.token_hex(8)}.tmp")
    opened = renamed = False
    try:
        _check_reachable(target)
        # A file would take its place: root would lose /dev/null, or the link /dev/stdout.
        if "/dev" in (os.path.realpath(Path(path).parent), str(target.parent)) or (
            target.exists() and not target.is_file() and not target.is_dir()
        ):
            raise UserError(f"{path}: is a device or a pipe; give the output the name of a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            opened = True
            if target.exists():
                _give_mode(file.fileno(), target.stat())
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        renamed = True
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written, nothing was changed: {error.strerror}; free space or choose another place"
        ) from None
    finally:
        if opened and not renamed:
            temporary.unlink(missing_ok=True)


def _check_reachable(target: Path) -> None:
    """Raise OSError for a name that is too long, or a link that leads to itself, which `exists` would not tell."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.stat(target)


def _give_mode(fd: int, former: os.stat_result) -> None:
    """Give a file the owner, where this user may, and the mode of another."""
    own = os.fstat(fd)
    if (former.st_uid, former.st_gid) != (own.st_uid, own.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(fd, former.st_uid, former.st_gid)
    os.fchmod(fd, stat.S_IMODE(former.st_mode))


def make_folder(path: str) -> None:
    """Make a folder for output, unless it is there. Raises UserError when it cannot be made or written into."""
    try:
        os.makedirs(path, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"{path}: cannot be written into: {error.strerror}; choose another folder") from None


def in_folder(folder: str, name: str) -> str:
    """Return where an output lies that people may give a path, or a bare name, which lies in a folder of its kind."""
    is_path = os.path.dirname(name) or name in (os.curdir, os.pardir)
    return name if is_path else os.path.join(folder, name)


def refuse_overwriting(save_path: str, *inputs: str) -> None:
    """Raise UserError when the output of a step is one of its inputs, by whatever name."""
    for path in inputs:
        is_same = os.path.realpath(save_path) == os.path.realpath(path)
        if is_same or (os.path.exists(save_path) and os.path.exists(path) and os.path.samefile(save_path, path)):
            raise UserError(
                f"{save_path}: the output would overwrite an input of this step; give the output another name"
            )


def refuse_special(path: str | Path) -> None:
    """Raise UserError for a pipe, a device or a socket, which cannot be read twice and may never end."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise UserError(f"{path}: is a device or a pipe; save what it gives as a file, and give that")


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex. Raises UserError if the file cannot be read."""
    digest = hashlib.sha256()
    refuse_special(path)
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def read_text(path: str) -> str:
    """Return a file's text, without a byte-order mark. Raises UserError if it is missing, unreadable or not UTF-8."""
    return decode(read_bytes(path), path)


def read_bytes(path: str) -> bytes:
    """Return a file's bytes. Raises UserError if it cannot be read."""
    refuse_special(path)
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # the last for a name that no file can have
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def decode(data: bytes, path: str, offset: int = 0) -> str:
    """Return the text of a file's bytes from `offset` on, without a byte-order mark.

    Raises UserError if it is not UTF-8.
    """
    try:
        return data.decode("utf-8" if offset else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 at byte {offset + error.start}: {error.reason}; convert it to UTF-8"
        ) from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs, as object_pairs_hook of json. Raises ValueError where a key is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"the key {doubled_key(pairs)!r} is there twice")
    return found


def doubled_key(pairs: list[tuple[str, Any]]) -> str:
    """Return the first key that is there twice."""
    counts = Counter(key for key, _ in pairs)
    return next(key for key, count in counts.items() if count > 1)


def encode_json(value: Any) -> bytes:
    """Return one line of strict JSON in UTF-8, without the line end. Raises ValueError for NaN and Infinity."""
    text = STRICT_JSON.encode(value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8 form; its \u escape is valid JSON and reads back as the same string.
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")


def open_locked(path: str, flag: str = "--save_path") -> int:
    """Return a descriptor of the file, made when it is not there, and locked against other processes.

    Closing it ends the lock. `flag` is what the messages tell the user to change. Raises UserError when it cannot be
    opened or is locked.
    """
    from filelock import lock_descriptor  # here: steps 2 and 3 lock nothing, and it takes as long to import as all else

    refuse_special(path)
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
