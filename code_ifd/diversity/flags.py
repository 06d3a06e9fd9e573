"""The flags of the selection for diversity."""

import argparse
from collections.abc import Sequence

from diversity.candidates import EMB_TYPES, PUBLISHED_LOWER, PUBLISHED_NUM
from models.pip_models import MINILM
from models.sequences import TEMPLATES
from models.source import add_device_flag, add_revision_flag, add_trust_flag
from records.conversations import add_fields_flag
from records.dataset_files import DATASET_HELP
from records.outputs import add_overwrite_flag
from selection.flags import add_key_name_flag
from shared.cli import decimal_number, new_parser, non_negative_int, positive_int, rate


def parse_args(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags; `candidate_rule` says which of them do not go together."""
    parser = new_parser(docstring)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument(
        "--json_save_path",
        required=True,
        help="where to write the chosen records: .json, .jsonl, .jsonl.gz, .jsonl.zst, .parquet",
    )
    add_candidate_flags(parser.add_argument_group("first, by IFD"))
    add_choice_flags(parser.add_argument_group("then, by facility location"))
    add_embedding_flags(parser.add_argument_group("the embeddings"))
    parser.add_argument(
        "--keep_order", action="store_true", help="write in dataset order instead of the order of choice"
    )
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def add_candidate_flags(parser: argparse._ArgumentGroup) -> None:
    """Add the flags that say which records are candidates, and how many of them are chosen."""
    parser.add_argument(
        "--ifd_num",
        type=non_negative_int,
        help="number of candidates, the best by IFD as in step 3; 0 takes all above --ifd_lower "
        f"(default: {PUBLISHED_NUM})",
    )
    parser.add_argument("--ifd_rate", type=rate, help="instead: a share of ALL records, above 0 and at most 1")
    parser.add_argument(
        "--ifd_lower",
        type=decimal_number,
        help="all records with a score strictly above this are candidates, where --ifd_num is 0 or is not given "
        f"(default: {PUBLISHED_LOWER})",
    )
    parser.add_argument(
        "--ifd_lupper",
        "--ifd_upper",
        type=decimal_number,
        help="candidates have scores strictly below this; 0 is no bound (default: 1)",
    )
    parser.add_argument(
        "--filter_threash",
        "--filter_threshold",
        type=decimal_number,
        help="the same bound under its name in step 3, where 0 is 0",
    )
    add_key_name_flag(parser)


def add_choice_flags(parser: argparse._ArgumentGroup) -> None:
    """Add the flags of facility location."""
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--fla_num", type=positive_int, default=100, help="number of candidates to choose (default: %(default)s)"
    )
    amount.add_argument("--fla_rate", type=rate, help="instead: a share of ALL records, above 0 and at most 1")
    parser.add_argument(
        "--dedup",
        type=cosine,
        metavar="COSINE",
        help="first remove candidates with the text of a better one, or whose embedding has at least this cosine with "
        "that of a better one; 0.95 is usual (default: off)",
    )
    parser.add_argument(
        "--seed",
        type=non_negative_int,
        default=0,
        help="draws the random subset to compare with (default: %(default)s)",
    )
    parser.add_argument(
        "--memory_gb",
        type=positive_number,
        default=1.0,
        help="GB for lists of near pairs, beside some 500 MB for all else; less is slower, and chooses the same "
        "(default: %(default)s)",
    )


def add_embedding_flags(parser: argparse._ArgumentGroup) -> None:
    """Add the flags of the sentence model and its text."""
    parser.add_argument(
        "--emb_model",
        default="sentence-transformers/all-MiniLM-L6-v2",
        help=f"sentence model: a Hub id, a local folder, or {MINILM.name}, from PyPI (default: %(default)s)",
    )
    add_revision_flag(parser)
    add_trust_flag(parser)
    parser.add_argument(
        "--emb_type",
        choices=EMB_TYPES,
        default="whole",
        help="the text: prompt and output, the prompt, or the output (default: %(default)s)",
    )
    parser.add_argument(
        "--prompt",
        choices=[name for name in TEMPLATES if name != "chat"],
        default="none",
        help="prompt template of the text: none (instruction and input) as in step 1 (default: %(default)s)",
    )
    add_fields_flag(parser)
    parser.add_argument(
        "--max_length",
        type=positive_int,
        help="tokens of a text that are read; the rest is cut off (default: as many as the model's tokenizer allows, "
        "512 for all-MiniLM-L6-v2)",
    )
    parser.add_argument(
        "--batch_size",
        type=positive_int,
        help="texts of --max_length tokens, or of 512, in a batch; of shorter ones it takes more "
        "(default: 8 on a CPU, 64 on a GPU)",
    )
    add_device_flag(parser)


def cosine(text: str) -> float:
    """Parse a cosine in (0, 1]; argparse reports the rest."""
    value = decimal_number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and at most 1 (0.95 is usual)")
    return float(value)


def positive_number(text: str) -> float:
    """Parse a number above 0; argparse reports the rest."""
    value = float(decimal_number(text))
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value
