"""The flags that say how much to select: the same in steps 1 and 3."""

import argparse
from decimal import Decimal

import pytest

from selection.flags import add_selection_flags, wanted_number
from shared.cli import UserError


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_selection_flags(parser)
    return parser.parse_args(flags)


def test_defaults_are_a_tenth_below_one() -> None:
    args = parse()
    assert (args.sample_rate, args.sample_num, args.filter_threash) == (Decimal("0.1"), None, Decimal(1))
    assert wanted_number(None, args.sample_rate, 999) == 99


def test_number_goes_before_the_rate() -> None:
    assert wanted_number(parse("--sample_num", "7").sample_num, Decimal("0.1"), 999) == 7


def test_both_spellings_of_the_threshold_are_one_flag() -> None:
    assert (
        parse("--filter_threshold", "0.9").filter_threash
        == parse("--filter_threash", "0.9").filter_threash
        == Decimal("0.9")
    )


def test_rate_that_leaves_nothing_is_a_users_error() -> None:
    with pytest.raises(UserError, match="of 9 records that is none"):
        wanted_number(None, Decimal("0.1"), 9)
