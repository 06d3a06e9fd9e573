"""--dtype mixed: the selection of float32 at nearly the price of bfloat16.

All records are scored in bfloat16 into <save_path>.bfloat16, a score file like any other. Those whose place could change
the selection are scored again in float32, in rounds, into <save_path>.float32. Both survive a kill, and go when the
score file is whole.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from records.dataset import Fetcher
from records.record import Record
from scoring.chunks import ChunkScorer
from scoring.rescoring import RISK, RoughScore, next_to_rescore
from scoring.score_file import meta_path
from scoring.score_journal import ScoreJournal
from shared.cli import UserError, say
from shared.files import atomic_writer, encode_json, sha256_of

Line = dict[str, Any]


def score_mixed(
    journal: ScoreJournal, records: Iterable[Record], chunks: ChunkScorer, threshold: float, num_wanted: int
) -> None:
    """Write the lines of all records into the journal and say how many were scored again.

    Selection keeps the `num_wanted` highest IFD below `threshold`.
    """
    rough_meta = {key: value for key, value in journal.meta.items() if key != "selection"} | {"dtype": "bfloat16"}
    with ScoreJournal(rough_path(journal.path), rough_meta) as rough:
        chunks.score_rest(rough, records, "bfloat16")
        fetcher = Fetcher(records)
        lines, num_rescored = rescore(
            read_lines(rough.path),
            RescoredFile(rescored_path(journal.path), rough.path),
            lambda chosen: chunks.lines(fetcher.fetch(chosen), "float32"),
            threshold,
            num_wanted,
            chunks.records_per_chunk,
        )
        for start in range(journal.num_done, len(lines), chunks.records_per_chunk):
            journal.append(lines[start : start + chunks.records_per_chunk])
    remove_parts(journal.path)
    say(
        f"{num_rescored} of {len(lines)} records scored again in float32; "
        f"the chance that float32 throughout would select others is below {RISK:.0%}"
    )


class RescoredFile:
    """Score lines of chosen records. One line of the file is one chunk, so a torn chunk is a torn line, and is dropped.

    The first line holds the hash of the rounded scores; a file that was begun with others is begun anew.
    """

    def __init__(self, path: str, rough_path: str) -> None:
        self.path = path
        header = {"rough_sha256": sha256_of(rough_path)}
        self.chunks: dict[tuple[int, ...], list[Line]] = {}
        found = _whole_lines(path)
        if found[:1] == [header]:
            self.chunks = {tuple(chunk["records"]): chunk["lines"] for chunk in found[1:]}
        else:
            found = [header]
        # Without a torn last line; by a rename, so that a kill here loses none of the others.
        with atomic_writer(path) as file:
            file.writelines(encode_json(line) + b"\n" for line in found)

    def append(self, records: list[int], lines: list[Line]) -> None:
        """Add a chunk and return when it is on the disk. Raises UserError when it cannot be."""
        try:
            with open(self.path, "ab") as file:
                file.write(encode_json({"records": records, "lines": lines}) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(
                f"{self.path}: writing failed: {error.strerror}; what is done is kept, and the same command goes on from there "
                "once there is space"
            ) from None
        self.chunks[tuple(records)] = lines


def rescore(
    lines: list[Line],
    rescored: RescoredFile,
    score: Callable[[list[int]], list[Line]],
    threshold: float,
    num_wanted: int,
    per_chunk: int,
) -> tuple[list[Line], int]:
    """Return the lines with float32 scores where they could matter, and the number of records scored again.

    `score` returns the float32 lines of some records. It is not asked for chunks that `rescored` has already.
    """
    lines = list(lines)
    scores = {
        record: RoughScore(_log_ifd(line), line["tokens"][0], is_exact=line["dtype"] == "float32")
        for record, line in enumerate(lines)
        if "loss" in line
    }
    num_rescored = 0
    while chosen := next_to_rescore(scores, threshold, num_wanted):
        for start in range(0, len(chosen), per_chunk):
            chunk = chosen[start : start + per_chunk]
            if tuple(chunk) not in rescored.chunks:
                rescored.append(chunk, score(chunk))
            for record, line in zip(chunk, rescored.chunks[tuple(chunk)], strict=True):
                lines[record] = line
                if "loss" in line:
                    exact = _log_ifd(line)
                    scores[record] = RoughScore(
                        exact, line["tokens"][0], is_exact=True, error=scores[record].value - exact
                    )
                else:
                    del scores[record]
        num_rescored += len(chosen)
    return lines, num_rescored


def rough_path(save_path: str) -> str:
    """Return where the bfloat16 scores lie while a run is under way."""
    return f"{save_path}.bfloat16"


def rescored_path(save_path: str) -> str:
    """Return where the float32 scores lie while a run is under way."""
    return f"{save_path}.float32"


def remove_parts(save_path: str) -> None:
    """Remove the files of a run that is done."""
    for path in (rough_path(save_path), meta_path(rough_path(save_path)), rescored_path(save_path)):
        Path(path).unlink(missing_ok=True)


def read_lines(path: str) -> list[Line]:
    """Return the lines of a whole score file as they stand."""
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def _log_ifd(line: Line) -> float:
    return line["loss"][3] - line["loss"][1]


def _whole_lines(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with contextlib.suppress(FileNotFoundError, ValueError), open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            found.append(json.loads(line))
    return found
