"""How much to select, and below which score: the flags of step 3, which step 1 needs for --dtype mixed."""

import argparse
from decimal import Decimal

from selection.ifd import num_selected
from shared.cli import UserError, decimal_number, positive_int, rate

# A parser, or a group of its flags.
FlagHolder = argparse.ArgumentParser | argparse._ArgumentGroup


def add_selection_flags(parser: FlagHolder) -> None:
    """Add --sample_rate or --sample_num, and --filter_threash."""
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--sample_rate",
        type=rate,
        metavar="RATE",
        default=Decimal("0.1"),
        help="share of ALL records to keep, skipped ones included, above 0 and at most 1 (default: %(default)s)",
    )
    amount.add_argument(
        "--sample_num", type=positive_int, metavar="NUM", help="number of records to keep, instead of a share"
    )
    add_threshold_flag(parser)


def add_threshold_flag(parser: FlagHolder) -> None:
    """Add --filter_threash."""
    parser.add_argument(
        "--filter_threash",
        "--filter_threshold",
        type=decimal_number,
        default=Decimal(1),
        help="keep only scores strictly below this; 1 and above mean that the prompt does not help "
        "(default: %(default)s)",
    )


def add_key_name_flag(parser: FlagHolder) -> None:
    """Add --key_name."""
    parser.add_argument(
        "--key_name",
        choices=("ifd_ppl", "ifd_loss"),
        default="ifd_ppl",
        help="which score: the ratio of perplexities, or of losses (default: %(default)s)",
    )


def wanted_number(sample_num: int | None, sample_rate: Decimal, num_records: int) -> int:
    """Return how many records to keep at most. Raises UserError when the rate leaves none."""
    return number_of(sample_num, sample_rate, num_records, "sample")


def number_of(num: int | None, share: Decimal, num_records: int, flag: str) -> int:
    """Return `num`, or that share of the records where it is None.

    Raises UserError, naming --<flag>_rate, when the share is less than one record.
    """
    if num is not None:
        return num
    num_wanted = num_selected(share, num_records)
    if num_wanted == 0:
        raise UserError(
            f"--{flag}_rate {share}: of {num_records} records that is none; give a higher rate or --{flag}_num"
        )
    return num_wanted
