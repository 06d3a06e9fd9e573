"""The flags of eval.py."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from judging.server_address import DEFAULT_BASE, api_header
from shared.cli import decimal_number, new_parser, non_empty, positive_int
from shared.texts import json_type

# What --extra_body may not change.
OWN_PARAMETERS = {
    *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream", "n", "tools"),
}


def parse_args(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line. Flags that contradict each other end the script as a wrong flag does."""
    parser = new_parser(docstring)
    parser.add_argument(
        "--wraped_file",
        "--wrapped_file",
        required=True,
        metavar="PATH",
        help="wrap file: the pairs to judge (X_wrap.json)",
    )
    _add_judge(parser.add_argument_group("the judge"))
    _add_traffic(parser.add_argument_group("traffic"))
    _add_costs(parser.add_argument_group("costs"))
    args = parser.parse_args(argv)
    if args.max_cost is not None and (args.price_in is None or args.price_out is None):
        parser.error("--max_cost needs --price_in and --price_out: without prices nothing says what a token costs")
    if (args.price_in is None) != (args.price_out is None):
        parser.error("--price_in and --price_out go together")
    return args


def _add_judge(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--api_model",
        type=non_empty,
        default="gpt-4",
        metavar="NAME",
        help="the judge, by the name that its server knows (default: %(default)s)",
    )
    group.add_argument(
        "--api_base",
        type=_address,
        default="",
        metavar="URL",
        help="address of any OpenAI-compatible server, up to and with /v1 (default: OPENAI_BASE_URL, or else "
        f"{DEFAULT_BASE})",
    )
    group.add_argument(
        "--api_key",
        "--api-key",
        metavar="KEY",
        help="better leave it in the environment variable OPENAI_API_KEY (the default): other users of the machine "
        "see a "
        "command line. A server on this machine needs none",
    )
    group.add_argument(
        "--max_tokens",
        type=positive_int,
        default=1024,
        help="tokens that an answer may have; sent as max_completion_tokens to a server that asks for it (default: "
        "%(default)s; a judge that thinks first needs more, 8192 say)",
    )
    group.add_argument(
        "--temperature",
        type=_temperature,
        default=0.0,
        help="0 to 2, or the word default to send none, as some models want it (default: %(default)s; published "
        "reviews: 0.2)",
    )
    group.add_argument(
        "--api_header",
        type=api_header,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="header of every request, such as api-key=... of Azure or what a gateway wants; may be given more than "
        "once; a header that opens the server makes a key unnecessary (default: none)",
    )
    group.add_argument(
        "--system_role",
        choices=("system", "user"),
        default="system",
        help="where the system text goes; user puts it first in the user's turn, for judges without a system role "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--seed",
        type=_seed,
        help="whole number that the server may draw from; answers have it in their key (default: none)",
    )
    group.add_argument(
        "--extra_body",
        type=_extra_body,
        default={},
        metavar="JSON",
        help='object with more parameters of every request, such as \'{"reasoning_effort": "low"}\'; answers have it '
        "in their key (default: none)",
    )
    group.add_argument(
        "--judge_input",
        choices=("on", "off"),
        default="on",
        help="show a question's input to the judge; off asks with the published prompt in every case (default: "
        "%(default)s)",
    )


def _add_traffic(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--batch_size", type=positive_int, default=10, help="requests in flight at once (default: %(default)s)"
    )
    group.add_argument(
        "--batch_api",
        action="store_true",
        help="ask through the Batch endpoints of the server, at half the price with OpenAI, for answers within a day: "
        "stop and run it again at any time, nothing is paid twice (default: off)",
    )
    group.add_argument(
        "--poll_seconds",
        type=_seconds,
        default=30.0,
        help="with --batch_api: seconds between two looks at the batch (default: %(default)g)",
    )
    group.add_argument(
        "--max_retries",
        type=_count,
        default=6,
        help="times that a failed request is sent again before the run leaves it (default: %(default)s)",
    )
    group.add_argument(
        "--timeout_seconds",
        type=_seconds,
        default=120.0,
        help="seconds that an answer may take, all in all (default: %(default)g)",
    )
    group.add_argument(
        "--cut_answers",
        choices=("stop", "keep"),
        default="stop",
        help="when the first answers are all cut at --max_tokens before their scores: stop ends the run, keep pays for "
        "the others too (default: %(default)s)",
    )
    group.add_argument(
        "--refused_prompts",
        choices=("stop", "skip"),
        default="stop",
        help="prompts that the server refuses, as too long or for what they say, while it answers others: stop writes "
        "no review file and ends with an error once the others are answered; skip writes them without scores "
        "(default: %(default)s)",
    )


def _add_costs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--price_in", type=_money, metavar="USD", help="price of a million tokens of the prompts (default: none)"
    )
    group.add_argument(
        "--price_out", type=_money, metavar="USD", help="price of a million tokens of the answers (default: none)"
    )
    group.add_argument(
        "--max_cost",
        type=_money,
        metavar="USD",
        help="never spend more on this review file, what was paid for it before included: a request is sent only when "
        "the "
        "worst case of it and of those in flight fits (default: no limit)",
    )
    group.add_argument(
        "--dry_run", action="store_true", help="print what would be asked and what it may cost, and stop (default: off)"
    )


def _seed(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _extra_body(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{json_type(value)}, not an object such as {{"top_p": 1}}')
    if own := sorted(OWN_PARAMETERS.intersection(value)):
        raise argparse.ArgumentTypeError(f"{own[0]} is set by a flag of its own, or must stay as it is")
    return value


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _address(text: str) -> str:
    # An empty one stands for the default, as in the original tool.
    return text or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE


def _money(text: str) -> Decimal:
    value = decimal_number(text)
    exponent = value.as_tuple().exponent  # a letter for what is no number
    if not isinstance(exponent, int) or value < 0 or value.adjusted() > 12 or exponent < -20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a sum of dollars")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _seconds(text: str) -> float:
    value = decimal_number(text)
    if not 0 < value < 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return float(value)


def _temperature(text: str) -> float | None:
    if text == "default":
        return None
    value = decimal_number(text)
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 2, nor the word default")
    return float(value)
