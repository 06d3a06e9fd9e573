"""--dtype mixed: the selection of float32 at nearly the price of bfloat16.

All records are scored in bfloat16 into <save_path>.bfloat16, a score file like any other. Those whose place could
change the selection are scored again in float32, in rounds, into <save_path>.float32. Both survive a kill, and go when
the score file is whole.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.dataset import Fetcher
from records.journal import LineJournal
from records.record import Record
from scoring.chunks import ChunkScorer
from scoring.rescoring import RISK, RoughScore, next_to_rescore
from scoring.score_file import meta_path, parse_line
from scoring.score_journal import ScoreJournal
from shared.cli import UserError, say
from shared.files import encode_json, refuse_special, sha256_of

Line = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What step 3 will select: the `num_wanted` highest `key_name`, ifd_ppl or ifd_upper, below `threshold`."""

    num_wanted: int
    threshold: float
    key_name: str

    def log_score(self, line: Line) -> float | None:
        """Return the logarithm of a line's score; None for a line that has none."""
        if "loss" not in line:
            return None
        log_ifd = line["loss"][3] - line["loss"][1]
        if self.key_name == "ifd_ppl":
            return log_ifd
        return None if line["se"] is None else log_ifd + 2 * line["se"]


def score_mixed(journal: ScoreJournal, records: Iterable[Record], chunks: ChunkScorer, wanted: Wanted) -> None:
    """Write the lines of all records into the journal and say how many were scored again."""
    rough_meta = {key: value for key, value in journal.meta.items() if key != "selection"} | {"dtype": "bfloat16"}
    with ScoreJournal(rough_path(journal.path), rough_meta) as rough:
        chunks.score_rest(rough, records, "bfloat16")
        lines = read_lines(rough.path)
        if wanted.key_name == "ifd_upper" and any("loss" in line and "se" not in line for line in lines):
            raise UserError(
                f"{rough.path}: was begun by an earlier version, without the standard errors that --key_name ifd_upper "
                "needs; remove it, and the same command scores again"
            )
        fetcher = Fetcher(records)
        with open_rescored(rescored_path(journal.path), rough.path) as rescored:
            lines, num_rescored = rescore(
                lines,
                rescored,
                lambda chosen: chunks.lines(fetcher.fetch(chosen), "float32"),
                wanted,
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
    UserError when the file is in use, is no such journal, or cannot be written.
    """
    header = {"rough_sha256": sha256_of(rough_path)}
    if _is_of_other_scores(path, header):
        Path(path).unlink()
    journal = LineJournal(path, header, "--save_path")
    if not all(_is_chunk(entry) for entry in journal.entries):
        raise UserError(f"{path}: damaged: not the scores of --dtype mixed; remove it, and the same command goes on")
    return journal


def _is_of_other_scores(path: str, header: Line) -> bool:
    """Tell whether a journal of rescored lines is there, begun with other rounded scores. No other file is one."""
    refuse_special(path)
    try:
        with open(path, "rb") as file:
            found = json.loads(file.readline(1 << 10))
    except (OSError, ValueError, RecursionError):
        return False  # what cannot be read is the journal's to report
    return isinstance(found, dict) and set(found) == set(header) and found != header


def _is_chunk(entry: Line) -> bool:
    """Tell whether an entry has the numbers of some records, and a score line for each."""
    records, lines = entry.get("records"), entry.get("lines")
    if not (isinstance(records, list) and isinstance(lines, list) and len(records) == len(lines)):
        return False
    try:
        return all(
            type(record) is int and parse_line(encode_json(line)) for record, line in zip(records, lines, strict=True)
        )
    except (ValueError, RecursionError):
        return False


def rescore(
    lines: list[Line],
    rescored: LineJournal,
    score: Callable[[list[int]], list[Line]],
    wanted: Wanted,
    per_chunk: int,
) -> tuple[list[Line], int]:
    """Return the lines with float32 scores where they could matter, and the number of records scored again.

    `score` returns the float32 lines of some records. It is not asked for chunks that `rescored` has already.
    """
    lines = list(lines)
    known = {tuple(entry["records"]): entry["lines"] for entry in rescored.entries}
    scores = {
        record: RoughScore(score_of_line, line["tokens"][0], is_exact=line["dtype"] == "float32")
        for record, line in enumerate(lines)
        if (score_of_line := wanted.log_score(line)) is not None
    }
    num_rescored = 0
    while chosen := next_to_rescore(scores, wanted.threshold, wanted.num_wanted):
        for start in range(0, len(chosen), per_chunk):
            chunk = chosen[start : start + per_chunk]
            if tuple(chunk) not in known:
                known[tuple(chunk)] = score(chunk)
                rescored.append([{"records": chunk, "lines": known[tuple(chunk)]}])
            for record, line in zip(chunk, known[tuple(chunk)], strict=True):
                lines[record] = line
                exact = wanted.log_score(line)
                if exact is not None:
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
