"""--dtype mixed: the selection of float32 at nearly the price of bfloat16.

All records are scored in bfloat16 into <save_path>.bfloat16, a score file like any other. Those whose place could
change the selection are scored again in float32, in rounds, into <save_path>.float32. Both survive a kill, and go when
the score file is whole.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from records.dataset import Fetcher
from records.journal import LineJournal
from records.record import Record
from scoring.chunks import ChunkScorer
from scoring.rescoring import RISK, RoughScore, next_to_rescore
from scoring.score_file import meta_path
from scoring.score_journal import ScoreJournal
from shared.cli import say
from shared.files import encode_json, sha256_of

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
        with RescoredLines(rescored_path(journal.path), rough.path) as rescored:
            lines, num_rescored = rescore(
                read_lines(rough.path),
                rescored,
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


class RescoredLines:
    """Score lines of chosen records, by chunk, in a journal: a kill tears its last line at most, and so its last chunk.

    The journal's first line holds the hash of the rounded scores; a file that was begun with others is begun anew. Use
    it in a `with` statement. Raises UserError when the file is in use or cannot be written.
    """

    def __init__(self, path: str, rough_path: str) -> None:
        header = {"rough_sha256": sha256_of(rough_path)}
        if not _begins_with(path, header):
            Path(path).unlink(missing_ok=True)
        self._journal = LineJournal(path, header, "--save_path")
        self.chunks = {tuple(entry["records"]): entry["lines"] for entry in self._journal.entries}

    def __enter__(self) -> "RescoredLines":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._journal.__exit__(kind, error, trace)

    def append(self, records: list[int], lines: list[Line]) -> None:
        """Add a chunk and return when it is on the disk. Raises UserError when it cannot be."""
        self._journal.append([{"records": records, "lines": lines}])
        self.chunks[tuple(records)] = lines


def _begins_with(path: str, header: dict[str, str]) -> bool:
    """Tell whether a journal's first line is this header."""
    try:
        with open(path, "rb") as file:
            return file.readline() == encode_json(header) + b"\n"
    except OSError:
        return False


def rescore(
    lines: list[Line],
    rescored: RescoredLines,
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
