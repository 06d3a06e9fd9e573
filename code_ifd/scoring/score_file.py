"""Score files: what step 1 writes and step 2 reads.

`scores.jsonl` has one line a record: the two perplexities and losses, or the reason why there are none.
`scores.jsonl.meta.json` says what they are scores of: model, data, settings.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from records.record import Result, Score, Skipped
from shared.cli import UserError
from shared.files import decode, encode_json, read_text, refuse_special, unique_keys
from shared.texts import describe, json_type, shorten


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


STRICT_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=unique_keys)
META_FORMAT = 1
NUMBER_TYPES = {int, float}
# Two runs whose meta differ in one of these would not give the same numbers for the same line.
# `selection` is only in files of --dtype mixed: the flags of step 3 that decided which records are scored in float32.
# `fields` is only there where --fields named the keys of the records, `chat_date` where the chat template asks for the
# date, `reading` where the dataset has other records than plain ones of the usual keys.
SCORING_KEYS = (
    "format",
    "reading",
    "model_fingerprint",
    "dtype",
    "selection",
    "max_length",
    "prompt",
    "chat_date",
    "fields",
    "data_sha256",
)
# A run that resumes must also cut the same records into the same chunks, with the same software.
# records_per_window, the first name of a chunk, is kept so that runs begun under it can be finished.
RESUME_KEYS = (*SCORING_KEYS, "start_idx", "end_idx", "records_per_window", "versions")
META_TYPES = {
    "format": int,
    "model_fingerprint": str,
    "dtype": str,
    "max_length": int,
    "prompt": str,
    "data_path": str,
    "data_sha256": str,
    "num_records": int,
    "start_idx": int,
    "end_idx": int,
    "records_per_window": int,
    "versions": dict,
}
# Of the keys that not every run has.
OPTIONAL_TYPES = {"selection": dict, "fields": dict, "chat_date": str, "reading": int, "model": str, "data_commit": str}
SELECTION_TYPES = {"num_wanted": int, "filter_threash": str}


class ScoreFile:
    """A score file with its meta, None for a file of the original tool. Iterate it for one Result a line.

    Raises UserError for a damaged meta, and while it is iterated for a line that is no score line, naming it.
    """

    def __init__(self, path: str) -> None:
        refuse_special(path)
        self.path = path
        self.meta = read_meta(path)

    def __iter__(self) -> Iterator[Result]:
        # A file of ours never holds anything but finite scores and reasons; the original tool wrote {}, 0 and NaN too.
        parse: Callable[[str], Result] = parse_original_line if self.meta is None else parse_line
        for number, line in enumerate(self._lines(), start=1):
            try:
                score = parse(line)
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{self.path}: line {number}: not a score line: {error}; score this dataset again"
                ) from None
            yield score

    def _lines(self) -> Iterator[str]:
        offset = 0
        try:
            with open(self.path, "rb") as file:
                for data in file:
                    # The original tool's last line may lack its end.
                    if not data.endswith(b"\n") and self.meta is not None:
                        raise UserError(
                            f"{self.path}: its last line is torn, so step 1 has not finished; "
                            "run it again with the same flags"
                        )
                    yield decode(data, self.path, offset)
                    offset += len(data)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from None


def score_line(
    loss_direct: float, loss_conditioned: float, num_direct: int, num_conditioned: int, se: float | None = None
) -> dict[str, Any]:
    """Return the line of a scored record from its losses (nats per token) and its numbers of scored tokens.

    `se` is the standard error of the mean gain, in nats; None where there are too few tokens for one.
    """
    # exp overflows above 709.78; no loss that large is a real one.
    if not (0 <= loss_direct < 709 and 0 <= loss_conditioned < 709):
        return skipped_line("non_finite")
    return {
        "ppl": [0, math.exp(loss_direct), 0, math.exp(loss_conditioned)],
        "loss": [0, loss_direct, 0, loss_conditioned],
        "tokens": [num_direct, num_conditioned],
        "se": se,
    }


def turns_line(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the line of a conversation from those of the assistant's turns, in order."""
    return {"turns": lines}


def skipped_line(reason: str) -> dict[str, str]:
    """Return the line of a record that has no score."""
    return {"skipped": reason}


def meta_path(score_path: str) -> str:
    """Return where the meta file of a score file lies."""
    return f"{score_path}.meta.json"


def read_meta(score_path: str) -> dict[str, Any] | None:
    """Return a score file's meta, or None when there is none. Raises UserError for one that is damaged."""
    path = meta_path(score_path)
    if not os.path.exists(path):
        return None
    try:
        meta = json.loads(read_text(path), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: broken JSON: {error}; remove it and its score file, and score again") from None
    wrong = _what_is_wrong(meta)
    if wrong:
        raise UserError(
            f"{path}: not the meta file of a score file: {wrong}; remove it and its score file, and score again"
        )
    return meta


def _what_is_wrong(meta: Any) -> str | None:
    """Return what makes a value no meta, None for a meta."""
    if not isinstance(meta, dict):
        return f"it holds {json_type(meta)}"
    selection = meta.get("selection")
    optional = {key: kind for key, kind in OPTIONAL_TYPES.items() if key in meta}
    parts: list[tuple[dict[str, Any], dict[str, type]]] = [(meta, META_TYPES | optional)]
    if isinstance(selection, dict):
        parts.append((selection, SELECTION_TYPES | ({"key_name": str} if "key_name" in selection else {})))
    for part, kinds in parts:
        for key, kind in kinds.items():
            if type(part.get(key)) is not kind:
                return f"{key!r} is {describe(part[key]) if key in part else 'missing'}"
    if not (0 <= meta["start_idx"] <= meta["end_idx"] <= meta["num_records"] and meta["records_per_window"] > 0):
        return f"records {shorten(meta['start_idx'])} to {shorten(meta['end_idx'])} of {shorten(meta['num_records'])}"
    return None


def differences(
    one: dict[str, Any], other: dict[str, Any], keys: tuple[str, ...], names: tuple[str, str] = ("there", "now")
) -> str:
    """Return what differs between two metas as text, empty when nothing does: `dtype: float32 there, float16 now`."""
    found = []
    for key in keys:
        if one.get(key) != other.get(key):
            # Two hashes tell a reader nothing; the data's names might.
            shown = "data_path" if key == "data_sha256" else key
            name = "records_per_chunk" if key == "records_per_window" else shown  # as the flag is called
            note = ", and their contents differ" if key == "data_sha256" else ""
            found.append(
                f"{name}: {shorten(one.get(shown), 80)} {names[0]}, {shorten(other.get(shown), 80)} {names[1]}{note}"
            )
    return "; ".join(found)


def skipped_summary(num_scored: int, reasons: Counter[str]) -> str:
    """Return the numbers of records with a score, and without by reason: `97 with a score; skipped: long_prompt 3`."""
    skipped = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
    return f"{num_scored} with a score; skipped: {skipped}"


def parse_line(line: str | bytes) -> Result:
    """Return what a line that this tool wrote says of its record. Raises ValueError."""
    value = STRICT_DECODER.decode(line if isinstance(line, str) else line.decode())
    if isinstance(value, dict) and set(value) == {"turns"} and isinstance(value["turns"], list):
        return [_result_of(turn) for turn in value["turns"]]
    return _result_of(value)


def _result_of(value: Any) -> Score | Skipped:
    if isinstance(value, dict) and set(value) == {"skipped"} and isinstance(value["skipped"], str):
        return Skipped(value["skipped"])
    score = _score_of(value)
    numbers = (score.ppl_direct, score.ppl_conditioned, score.loss_direct, score.loss_conditioned)
    if not all(map(math.isfinite, numbers)) or min(numbers[:2]) < 1:
        raise ValueError(f"a perplexity that is none in {shorten(value)}")
    return score


def parse_original_line(line: str) -> Score | Skipped:
    """Return the score of a line that the original tool wrote.

    It is skipped as `not_scored` for {} and 0, or as `non_finite`.

    A perplexity is at least 1; the original tool wrote 0 where scoring had failed. Raises ValueError.
    """
    value = json.loads(line, object_pairs_hook=unique_keys)
    if value == {}:
        return Skipped("not_scored")
    if isinstance(value, dict) and isinstance(value.get("skipped"), str):
        return Skipped(value["skipped"])  # a file of ours that has lost its meta
    score = _score_of(value)
    numbers = (score.ppl_direct, score.ppl_conditioned, score.loss_direct, score.loss_conditioned)
    if not all(map(math.isfinite, numbers)):
        return Skipped("non_finite")
    return score if min(score.ppl_direct, score.ppl_conditioned) > 0 else Skipped("not_scored")


def encode_lines(lines: list[dict[str, Any]]) -> bytes:
    """Return score lines as the bytes of a file."""
    return b"".join(encode_json(line) + b"\n" for line in lines)


def _score_of(value: Any) -> Score:
    if not isinstance(value, dict):
        raise ValueError(f"{shorten(value)} is {json_type(value)}, not an object")
    for key in ("ppl", "loss"):
        numbers = value.get(key)
        if not (isinstance(numbers, list) and len(numbers) == 4 and NUMBER_TYPES.issuperset(map(type, numbers))):
            raise ValueError(f"{key!r} is {shorten(numbers)}, not four numbers")
    ppl, loss = value["ppl"], value["loss"]
    se, num_tokens = _certainty_of(value) if "se" in value else (None, None)
    try:
        return Score(float(ppl[1]), float(ppl[3]), float(loss[1]), float(loss[3]), se, num_tokens)
    except OverflowError as error:
        raise ValueError(str(error)) from None


def _certainty_of(value: dict[str, Any]) -> tuple[float | None, int]:
    se, tokens = value["se"], value.get("tokens")
    if se is not None and not (type(se) in NUMBER_TYPES and 0 <= se < math.inf):
        raise ValueError(f"'se' is {shorten(se)}, neither a standard error nor null")
    if not (isinstance(tokens, list) and len(tokens) == 2 and all(type(num) is int and num >= 1 for num in tokens)):
        raise ValueError(f"'tokens' is {shorten(tokens)}, not two numbers of tokens")
    return None if se is None else float(se), tokens[0]
