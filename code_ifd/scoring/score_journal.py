"""Write a score file chunk by chunk so that a run may be killed at any instant and go on later.

A chunk's lines are appended and fsynced at once, so only the last chunk can be torn. Reopening cuts the file back to
its last whole chunk: a chunk is scored as one, and scoring half of it anew would round differently.
"""

import contextlib
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from scoring.score_file import RESUME_KEYS, differences, encode_lines, meta_path, parse_line, read_meta
from shared.cli import UserError
from shared.files import atomic_writer, encode_json, open_locked, read_bytes, write_durably

# A score line takes about 200 bytes.
BYTES_PER_LINE = 230


class ScoreJournal:
    """An open score file, locked against other processes. `num_done` lines are safe on disk.

    Use it in a `with` statement. Raises UserError when the file belongs to another run (the message names the
    difference), is in use, is damaged, or cannot be written.
    """

    def __init__(self, path: str, meta: dict[str, Any]) -> None:
        self.path = path
        self.meta = meta
        self.num_records = meta["end_idx"] - meta["start_idx"]
        self.num_done = 0
        self._size = 0  # bytes of the finished chunks
        # What this run makes, it removes when nothing was done.
        self._made = [name for name in (path, meta_path(path)) if not os.path.lexists(name)]
        self._former_meta: bytes | None = None
        self._fd = open_locked(path)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(os.close, self._fd)
            on_failure.callback(self._clean_up)
            self._resume()
            on_failure.pop_all()

    def __enter__(self) -> "ScoreJournal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._clean_up()
        os.close(self._fd)

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Add the lines of one chunk and return when they are on the disk. Raises UserError when they cannot be."""
        self.append_encoded(encode_lines(lines), len(lines))

    def append_encoded(self, data: bytes, num_lines: int) -> None:
        """Do as `append` does, with lines that `encode_lines` has made elsewhere."""
        try:
            write_durably(self._fd, data, self._size)
        except OSError as error:
            raise UserError(
                f"{self.path}: writing failed: {error.strerror}; "
                f"the first {self.num_done} of {self.num_records} records "
                "are kept, and the same command goes on from there once there is space"
            ) from None
        self._size += len(data)
        self.num_done += num_lines

    def progress(self) -> str:
        """Return what is done and how to go on, for the user who has stopped the run."""
        return f"{self.num_done} of {self.num_records} records are in {self.path}; the same command goes on from there"

    def _clean_up(self) -> None:
        if self.num_done == 0 and os.fstat(self._fd).st_size == 0:
            for name in filter(os.path.exists, self._made):
                Path(name).unlink()
            if self._former_meta is not None:
                self._write_meta(self._former_meta)

    def _resume(self) -> None:
        size = os.fstat(self._fd).st_size
        if size:
            self._check_same_run()
            self._find_whole_chunks()
            if self._size < size:
                os.ftruncate(self._fd, self._size)
        free = shutil.disk_usage(Path(self.path).parent).free
        needed = (self.num_records - self.num_done) * BYTES_PER_LINE
        if free < needed:
            raise UserError(
                f"{self.path}: the disk has {free:,} bytes free and the scores need about {needed:,}; free some space"
            )
        if not size:
            # One that is there without scores is of a run that was killed; read_meta refuses any other file.
            if read_meta(self.path) is not None:
                self._former_meta = read_bytes(meta_path(self.path))
            self._write_meta(encode_json(self.meta) + b"\n")

    def _write_meta(self, content: bytes) -> None:
        with atomic_writer(meta_path(self.path)) as file:
            file.write(content)

    def _check_same_run(self) -> None:
        meta = read_meta(self.path)
        if meta is None:
            raise UserError(
                f"{self.path}: exists, but {meta_path(self.path)} does not, so nothing says what it holds scores of; "
                "give --save_path another name, or remove it"
            )
        difference = differences(meta, self.meta, RESUME_KEYS)
        if difference:
            raise UserError(
                f"{self.path}: holds scores of another run ({difference}); go on with what it was begun with, "
                "remove it to score again, or give another --save_path (--output_dir of run_pipeline.sh)"
            )

    def _find_whole_chunks(self) -> None:
        per_chunk = self.meta["records_per_window"]
        num_lines = offset = 0
        with open(self.path, "rb") as file:
            for line in file:
                if num_lines == self.num_records or not _is_whole(line):
                    break
                num_lines += 1
                offset += len(line)
                if num_lines % per_chunk == 0 or num_lines == self.num_records:
                    self.num_done, self._size = num_lines, offset
            file.seek(self._size)
            num_torn = sum(1 for _ in file)
        if num_torn > per_chunk or self.num_done + num_torn > self.num_records:
            raise UserError(
                f"{self.path}: damaged at line {num_lines + 1}: only a last chunk of {per_chunk} lines can be torn, "
                f"and {num_torn} lines follow the last whole one; remove the file and score again"
            )


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        parse_line(line)
    except (ValueError, RecursionError):
        return False
    return True
