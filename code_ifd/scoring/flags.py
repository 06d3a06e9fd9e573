"""What step 1 is told, whichever script runs it: its flags, and their values as one object."""

import argparse
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from models.sequences import TEMPLATES
from models.source import add_device_flag, add_revision_flag, add_trust_flag, may_be_on_hub
from records.conversations import Fields, add_fields_flag
from records.dataset_files import DATASET_HELP
from records.hub_name import add_hub_flags, dataset_path, parse_hub_name
from selection.flags import add_key_name_flag, add_selection_flags
from shared.cli import positive_int


@dataclass(frozen=True)
class ScoringSettings:
    """The values of step 1's flags, under the flags' names. `dtype` is never `auto`."""

    data_path: str
    save_path: str
    model_name_or_path: str
    revision: str
    trust_remote_code: bool
    max_length: int
    start_idx: int
    end_idx: int
    prompt: str
    chat_date: str | None
    fields: Fields
    dtype: str
    device: str
    tokens_per_batch: int | None
    records_per_chunk: int | None
    sample_rate: Decimal
    sample_num: int | None
    filter_threash: Decimal
    key_name: str
    group_by: str | None
    check_selection: bool


def scoring_settings(flags: Mapping[str, Any]) -> ScoringSettings:
    """Return the settings among the values of a script's flags, by name; a dtype of `auto` becomes float32.

    `data_path` has the values of the flags for a Hub dataset in it. Raises UserError when they contradict it.
    """
    values = {field.name: flags[field.name] for field in fields(ScoringSettings)}
    revision = flags["data_revision"]
    name = parse_hub_name(values["data_path"])
    # Where the model is not from the Hub, --revision can mean nothing but the dataset's.
    if not revision and name and not name.revision and not may_be_on_hub(values["model_name_or_path"]):
        revision = values["revision"] if values["revision"] != "main" else None
    values["data_path"] = dataset_path(values["data_path"], flags["config"], flags["split"], revision)
    if values["dtype"] == "auto":
        values["dtype"] = "float32"  # published scores are
    return ScoringSettings(**values)


def date(text: str) -> str:
    """Parse a date; argparse reports the rest."""
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-26") from None


def add_scoring_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of step 1."""
    parser.add_argument("--data_path", required=True, help=f"dataset to score: {DATASET_HELP}")
    add_hub_flags(parser)
    parser.add_argument("--save_path", required=True, help="score file to write, or to go on with (.jsonl)")
    parser.add_argument(
        "--model_name_or_path",
        default="gpt2",
        help="causal language model: a Hub id, a local folder, or smollm2-135m, from PyPI (default: %(default)s)",
    )
    add_revision_flag(parser)
    add_trust_flag(parser)
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
        help="prompt template: none (the published scores), alpaca, vicuna, wiz, or chat, the tokenizer's own "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--chat_date",
        type=date,
        metavar="YYYY-MM-DD",
        help="what a chat template that asks for the date is told (default: the day on which the score file is begun)",
    )
    add_fields_flag(parser)
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16", "mixed"),
        default="auto",
        help="number format of the matrix products; auto is float32, as in the published scores. mixed: bfloat16, and "
        "float32 for every record whose rank could change what --sample_rate, --filter_threash and --key_name select "
        "(default: %(default)s)",
    )
    add_device_flag(parser)
    parser.add_argument(
        "--tokens_per_batch",
        type=positive_int,
        help="tokens in a batch, padding included: the memory limit; halved when memory runs out "
        "(default: 512 on a CPU, 16384 on a GPU)",
    )
    parser.add_argument(
        "--records_per_chunk",
        "--records_per_window",
        type=positive_int,
        help="records scored and saved at once; a kill costs those, and the next ones begun (default: as the score "
        "file was begun; for a new one 128, or 1024 where there is an NVIDIA GPU)",
    )
    selection = parser.add_argument_group("what step 3 will select; --dtype mixed must know it")
    add_selection_flags(selection)
    add_key_name_flag(selection)
    selection.add_argument(
        "--group_by", metavar="KEY", help="with --check_selection: the key that step 3 will group records by"
    )
    selection.add_argument(
        "--check_selection",
        action="store_true",
        help="stop before scoring when step 3 could select nothing: a share of no record, a record without the key of "
        "--group_by",
    )
