"""The flags of the proof: what runs there are, how each trains, and what its arms are drawn from."""

import argparse
from decimal import Decimal

from models.sequences import TEMPLATES
from records.conversations import add_fields_flag
from selection.flags import add_key_name_flag, add_threshold_flag, group_number
from shared.cli import non_negative_int, positive_int, rate
from training.arms import ARMS


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Add --arms and --seeds."""
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=list(ARMS),
        metavar="ARM",
        help="what to train on: "
        + "; ".join(f"{arm}, {text.format(key='--key_name', groups='--length_groups')}" for arm, text in ARMS.items())
        + " (default: each of these)",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=non_negative_int,
        default=[0, 1, 2],
        help="a run of each arm for each seed (default: 0 1 2)",
    )


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Add what decides how a model is trained; one of --tokens_per_step and --batch_size."""
    parser.add_argument(
        "--model_name_or_path", default="smollm2-135m", help="causal language model to train (default: %(default)s)"
    )
    parser.add_argument(
        "--num_steps", type=positive_int, default=60, help="optimiser steps of a run (default: %(default)s)"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--tokens_per_step",
        type=positive_int,
        default=500,
        help="response tokens of a step, on average; whole records, so that all arms see the same number "
        "(default: %(default)s)",
    )
    size.add_argument(
        "--batch_size",
        type=positive_int,
        help="records of a step, instead of a number of tokens: arms with long responses then see more",
    )
    parser.add_argument(
        "--learning_rate", type=rate, default=Decimal("0.001"), help="highest rate of AdamW (default: %(default)s)"
    )
    parser.add_argument(
        "--lora_rank",
        type=non_negative_int,
        default=16,
        help="rank of the adapters; 0 trains all weights (default: %(default)s)",
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=512,
        help="tokens of prompt and response that are read (default: %(default)s)",
    )
    parser.add_argument(
        "--prompt",
        choices=TEMPLATES,
        default="none",
        help="prompt template, best the one that was scored with (default: %(default)s)",
    )


def add_arm_flags(parser: argparse.ArgumentParser) -> None:
    """Add what decides which records are held out, and which an arm has."""
    add_fields_flag(parser)
    parser.add_argument(
        "--sample_rate",
        type=rate,
        default=Decimal("0.1"),
        help="share of the pool that an arm takes, all excepted (default: %(default)s)",
    )
    parser.add_argument(
        "--sample_by",
        choices=("records", "tokens"),
        default="records",
        help="what that is a share of: the number of records, as in step 3, or of response tokens, so that an arm of "
        "short responses has more records and repeats none more often (default: %(default)s)",
    )
    parser.add_argument(
        "--length_groups",
        type=group_number,
        default=10,
        help="groups by length of the arms that are drawn from each (default: %(default)s)",
    )
    add_threshold_flag(parser)
    add_key_name_flag(parser)
    parser.add_argument(
        "--held_out_rate",
        type=rate,
        default=Decimal("0.1"),
        help="share of the records to hold out (default: %(default)s)",
    )
    parser.add_argument(
        "--split_seed",
        type=non_negative_int,
        default=0,
        help="decides which records are held out (default: %(default)s)",
    )
