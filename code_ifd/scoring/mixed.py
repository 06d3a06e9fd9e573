"""--dtype mixed: the selection of float32 at nearly the price of bfloat16.

All records are scored in bfloat16 into <save_path>.bfloat16, a score file like any other. Those whose place could
change the selection are scored again in float32, in rounds, into <save_path>.float32. Both survive a kill, and go when
the score file is whole.
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
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
        with open_rescored(rescored_path(journal.path), rough.path) as rescored:
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


def open_rescored(path: str, rough_path: str) -> LineJournal:
    """Return the journal of the lines scored again: each entry has a chunk's `records` and their `lines`.

    Its header holds the hash of the rounded scores; a journal that was begun with others is begun anew. Raises
    UserError when the file is in use or cannot be written.
    """
    header = {"rough_sha256": sha256_of(rough_path)}
    with contextlib.suppress(OSError), open(path, "rb") as file:
        # What cannot be read is the journal's to report.
        if file.readline() != encode_json(header) + b"\n":
            Path(path).unlink()
    return LineJournal(path, header, "--save_path")


def rescore(
    lines: list[Line],
    rescored: LineJournal,
    score: Callable[[list[int]], list[Line]],
    threshold: float,
    num_wanted: int,
    per_chunk: int,
) -> tuple[list[Line], int]:
    """Return the lines with float32 scores where they could matter, and the number of records scored again.

    `score` returns the float32 lines of some records. It is not asked for chunks that `rescored` has already.
    """
    lines = list(lines)
    known = {tuple(entry["records"]): entry["lines"] for entry in rescored.entries}
    scores = {
        record: RoughScore(_log_ifd(line), line["tokens"][0], is_exact=line["dtype"] == "float32")
        for record, line in enumerate(lines)
        if "loss" in line
    }
    num_rescored = 0
    while chosen := next_to_rescore(scores, threshold, num_wanted):
        for start in range(0, len(chosen), per_chunk):
            chunk = chosen[start : start + per_chunk]
            if tuple(chunk) not in known:
                known[tuple(chunk)] = score(chunk)
                rescored.append([{"records": chunk, "lines": known[tuple(chunk)]}])
            for record, line in zip(chunk, known[tuple(chunk)], strict=True):
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
