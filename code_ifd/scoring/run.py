"""A run of step 1, whichever script does it: what it scores, the meta that says so, and the summary at its end."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from models.source import ModelSource, find_model, installed_versions
from records.conversations import READING, check_records
from records.dataset import Dataset, RecordRange
from records.outputs import refuse_among_data
from records.record import Skipped
from scoring.chat_check import check_chat
from scoring.flags import ScoringSettings
from scoring.mixed import rescored_path, rough_path
from scoring.score_file import META_FORMAT, ScoreFile, meta_path, read_meta, skipped_summary
from selection.flags import wanted_number
from selection.groups import ValueColumn
from selection.score_summary import summarize
from shared.cli import UserError, say, tell
from shared.files import refuse_overwriting


@dataclass(frozen=True)
class ScoringRun:
    """Records to score, the model to score them with, how, and the meta that says so."""

    settings: ScoringSettings
    records: RecordRange
    source: ModelSource
    meta: dict[str, Any]


def prepare_run(settings: ScoringSettings) -> ScoringRun:
    """Check every record and find the model; return the run. Raises UserError for whatever cannot be scored.

    With --prompt chat every record is rendered too: what the template refuses is said before anything is scored.
    """
    dataset = Dataset(settings.data_path)
    for path in outputs_of(settings.save_path):
        refuse_overwriting(path, *dataset.files)
        refuse_among_data(path, dataset)
    checked = check_records(dataset.records(), settings.data_path, settings.fields)
    num_records, first_talk = checked.num_records, checked.first_talk
    start, end = resolve_range(settings.start_idx, settings.end_idx, num_records)
    if settings.check_selection:
        check_selection(dataset, settings, num_records)
    if first_talk is not None and settings.prompt not in ("none", "chat"):
        raise UserError(
            f"--prompt {settings.prompt}: has room for one question, and {settings.data_path} has conversations; "
            f"choose none or chat (record {first_talk} is one: it has turns, a system text or a history)"
        )
    if first_talk is not None and settings.dtype == "mixed":
        raise UserError(
            f"--dtype mixed: cannot tell which conversations of {settings.data_path} step 3 will select; "
            f"choose bfloat16 or float32 (record {first_talk} is one: it has turns, a system text or a history)"
        )
    if settings.dtype == "mixed" and settings.key_name == "ifd_loss":
        raise UserError(
            "--dtype mixed --key_name ifd_loss: what rounding does to a ratio of losses is not known; "
            "choose ifd_ppl or ifd_upper, or --dtype bfloat16 or float32"
        )
    if settings.dtype == "mixed" and end - start < num_records:
        raise UserError(
            "--dtype mixed needs the whole dataset to know what will be selected; leave out --start_idx and --end_idx, "
            "or score shards with --dtype bfloat16 or float32"
        )
    source = find_model(settings.model_name_or_path, settings.revision)
    records = RecordRange(dataset, start, end)
    date = check_chat(settings, source, records) if settings.prompt == "chat" else None
    settings = replace(settings, chat_date=date, records_per_chunk=choose_chunk(settings))
    meta = describe_run(settings, source, start, end, dataset, num_records)
    if not checked.is_usual:
        meta["reading"] = READING
    return ScoringRun(settings, records, source, meta)


def outputs_of(save_path: str) -> list[str]:
    """Return all files that step 1 writes, those that are gone when it is done too."""
    scores = (save_path, rough_path(save_path))
    return [*scores, *map(meta_path, scores), rescored_path(save_path)]


def check_selection(dataset: Dataset, settings: ScoringSettings, num_records: int) -> None:
    """Raise UserError where step 3 could not select: a share of no record, a record without the key of --group_by."""
    wanted_number(settings.sample_num, settings.sample_rate, num_records)
    if settings.group_by:
        values = ValueColumn(dataset.path, settings.group_by, dataset.is_table)
        for block in dataset.blocks():
            values.add(block)


def choose_chunk(settings: ScoringSettings) -> int:
    """Return the number of records of a chunk: as asked for, else as the score file was begun, else by the device.

    1,024 short records fill a few large batches of a GPU, and a chunk takes it seconds.
    """
    if settings.records_per_chunk:
        return settings.records_per_chunk
    if begun := read_meta(settings.save_path):
        return int(begun["records_per_window"])
    import torch  # takes seconds: not before the records are checked

    return 1024 if settings.device in ("auto", "cuda") and torch.cuda.is_available() else 128


def resolve_range(start_idx: int, end_idx: int, num_records: int) -> tuple[int, int]:
    """Return the records to score as [start, end); -1 stands for the end of the dataset. Raises UserError."""
    end = num_records if end_idx == -1 else end_idx
    if not 0 <= start_idx < end <= num_records:
        raise UserError(
            f"--start_idx {start_idx} --end_idx {end_idx}: the dataset has records 0 to {num_records - 1}; "
            f"wanted 0 <= start_idx < end_idx <= {num_records} (end_idx is not included; -1 is the end)"
        )
    return start_idx, end


def describe_run(
    settings: ScoringSettings, source: ModelSource, start: int, end: int, dataset: Dataset, num_records: int
) -> dict[str, Any]:
    """Return the meta of this run: all that decides its numbers beyond rounding."""
    meta = {
        "format": META_FORMAT,
        "model": source.name,
        "model_fingerprint": source.fingerprint,
        "dtype": settings.dtype,
        "max_length": settings.max_length,
        "prompt": settings.prompt,
        # Of a Hub dataset with the commit, so that step 2 reads the same.
        "data_path": str(dataset.hub.name) if dataset.hub else settings.data_path,
        "data_sha256": dataset.sha256(),
        "num_records": num_records,
        "start_idx": start,
        "end_idx": end,
        # The key of the first score files, whose runs can still be finished.
        "records_per_window": settings.records_per_chunk,
        "versions": installed_versions(),
    }
    if dataset.hub:
        meta["data_commit"] = dataset.hub.commit
    if settings.fields:
        meta["fields"] = settings.fields
    if settings.chat_date:
        meta["chat_date"] = settings.chat_date
    if settings.dtype == "mixed":
        # Runs that were begun before there was a choice of keys were for ifd_ppl, and say nothing of it.
        key = {} if settings.key_name == "ifd_ppl" else {"key_name": settings.key_name}
        meta["selection"] = {
            "num_wanted": wanted_number(settings.sample_num, settings.sample_rate, num_records),
            "filter_threash": str(settings.filter_threash),
            **key,
        }
    return meta


def report(settings: ScoringSettings, num_new: int, seconds: float) -> None:
    """Print what the score file holds, and warn when most prompts did not help."""
    num_scored = num_misaligned = num_older = 0
    reasons: Counter[str] = Counter()
    for result in ScoreFile(settings.save_path):
        summary = summarize(result, "mean")
        if isinstance(summary, Skipped):
            reasons[summary.reason] += 1
        else:
            num_scored += 1
            num_misaligned += summary["ifd_ppl"] is not None and summary["ifd_ppl"] >= 1
            num_older += summary["ifd_tokens"] is None
    rate = num_new / seconds if num_new else 0.0
    speed = (
        f"{num_new} in {seconds:.1f} s, {rate:.{1 if rate >= 1 else 2}f} records/s"
        if num_new
        else "all of them done before"
    )
    summary_line = f"{num_scored + reasons.total()} records ({speed}), {skipped_summary(num_scored, reasons)}"
    say(f"{summary_line}\n-> {settings.save_path}")
    if num_older:
        tell(
            f"note: {num_older} of these scores were made by an earlier version, which wrote no standard error: they "
            f"get no ifd_upper; to have it, remove {settings.save_path} and score again"
        )
    if num_misaligned * 2 > num_scored:
        other = "none" if settings.prompt != "none" else "chat (instruction-tuned models) or alpaca"
        tell(
            f"warning: for {num_misaligned} of {num_scored} scored records the prompt does not help the response "
            f"(IFD >= 1). Usually the prompt template is wrong for this model: --prompt is {settings.prompt}, "
            f"compare with {other}. A model that cannot read the language of the data looks the same."
        )
