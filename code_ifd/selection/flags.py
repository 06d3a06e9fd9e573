"""How much to select, and below which score: the flags of step 3, which step 1 needs for --dtype mixed."""

import argparse
from decimal import Decimal

from records.conversations import add_fields_flag
from selection.ifd import num_selected
from shared.cli import UserError, decimal_number, non_negative_int, positive_int, rate

# A parser, or a group of its flags.
FlagHolder = argparse.ArgumentParser | argparse._ArgumentGroup
SCORES = ("ifd_ppl", "ifd_loss", "ifd_upper")
# Choices to compare with, which need no score.
BASELINES = ("random", "longest")
# A group has a line in a table, and shares are worked out group by group.
MAX_GROUPS = 1000


def add_selection_flags(parser: FlagHolder, with_tokens: bool = False) -> None:
    """Add --sample_rate or --sample_num, and --filter_threash; where it is known, a number of tokens too."""
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--sample_rate",
        type=rate,
        metavar="RATE",
        default=Decimal("0.1"),
        help="share of ALL records to keep, skipped ones included, above 0 and at most 1 (default: %(default)s)",
    )
    amount.add_argument(
        "--sample_num", type=positive_int, metavar="N", help="number of records to keep, instead of a share"
    )
    if with_tokens:
        amount.add_argument(
            "--sample_tokens",
            type=positive_int,
            metavar="N",
            help="response tokens (ifd_tokens) to keep at most, instead of a share of the records: the best records "
            "until the next one does not fit",
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


def add_key_name_flag(parser: FlagHolder, with_baselines: bool = False) -> None:
    """Add --key_name; `with_baselines` lets it name a choice that needs no score."""
    baselines = (
        "; or, to compare with, a choice without score and threshold: random records, or those with the longest "
        "responses, of the records that have a score"
    )
    parser.add_argument(
        "--key_name",
        choices=SCORES + BASELINES if with_baselines else SCORES,
        default="ifd_ppl",
        help="which score: ifd_ppl, the ratio of perplexities; ifd_loss, that of losses; ifd_upper, the upper end of "
        f"a 95 percent interval of ifd_ppl{baselines if with_baselines else ''} (default: %(default)s)",
    )


def add_share_flags(parser: FlagHolder) -> None:
    """Add --length_groups, --group_by, --fields and --seed."""
    parser.add_argument(
        "--length_groups",
        type=group_number,
        metavar="N",
        help="cut the records into so many groups of equal size by the length of their responses and keep the best of "
        "each, so that the selection is as long as the data (default: none)",
    )
    parser.add_argument(
        "--group_by",
        metavar="KEY",
        help="keep the best of each value of this key of the records, in proportion to how many records have it; "
        "meta.source is the key source in the object meta (default: none)",
    )
    add_fields_flag(parser)
    parser.add_argument(
        "--seed",
        type=non_negative_int,
        help="of --key_name random: another seed draws other records (default: 0)",
    )


def group_number(text: str) -> int:
    """Parse a number of groups; argparse reports the rest."""
    value = positive_int(text)
    if value > MAX_GROUPS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {MAX_GROUPS:,} groups")
    return value


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
