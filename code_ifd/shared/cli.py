"""What every script shares at its edges: how it fails, how it stops, and the argument types that argparse lacks."""

from shared.start import run as run  # for scripts that must find this folder first

import argparse
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NoReturn

from shared.texts import escaped

if TYPE_CHECKING:
    from tqdm import tqdm


class UserError(Exception):
    """Something that the user can put right.

    Its text is one line: what, where, what was seen, what was wanted, the remedy.
    """


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a line for the user that says what was kept and how to go on."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line, like that of any other mistake.

    The value after a flag may begin with a dash: `--data_path -x.json` is that file.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Return the flags, and what is none."""
        return super().parse_known_args(self._joined(list(sys.argv[1:] if args is None else args)), namespace)

    def _joined(self, args: list[str]) -> list[str]:
        """Return the arguments with a value that begins with a dash where argparse takes it for one."""
        flags, joined = self._option_string_actions, list[str]()
        for index, value in enumerate(args):
            if "--" in args[:index]:
                joined.append(value)
                continue
            before = flags.get(args[index - 1]) if index else None
            is_value = value[:1] == "-" and value[:2] not in ("-", "--") and value.partition("=")[0] not in flags
            if before and is_value and before.nargs is None:
                joined[-1] += f"={value}"
            elif before and is_value and before.nargs == "+" and before.type is None:
                joined.append(os.path.join(os.curdir, value))
            else:
                joined.append(value)
        return joined

    def error(self, message: str) -> NoReturn:
        """Print the complaint and leave with exit code 2."""
        self.exit(2, f"error: {escaped(message, keep='')}; see {self.prog} --help\n")


def prepare_stdout() -> None:
    """Let a terminal that has no Chinese show a question mark for it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def tell(line: str) -> None:
    """Print one line to stderr, an error, a warning or a note, with its line ends and control characters escaped."""
    print(escaped(line, keep=""), file=sys.stderr)


def missing_package(name: str, purpose: str) -> UserError:
    """Return the error for an optional package that is not installed."""
    return UserError(
        f"{purpose} needs the package {name}, which is not installed here; activate the environment that has it "
        f"(`source .venv/bin/activate`), or run `pip install '{name}'`"
    )


def say(text: str) -> None:
    """Print to stdout at once, and leave when that fails: silently when its reader has gone, else with code 2."""
    try:
        print(escaped(text, keep="\n"), flush=True)
    except OSError as error:
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `... | head` has read enough
            sys.exit(141)  # as the shell reports a program that a closed pipe has ended
        raise UserError(f"the summary could not be printed: {error.strerror}; the files are written") from None


def new_bar(total: int, initial: int) -> "tqdm":
    """Return a progress bar over records; there is none where stderr is no terminal."""
    from tqdm import tqdm  # here: most scripts draw none

    return tqdm(total=total, initial=initial, unit=" records", disable=None, dynamic_ncols=True)


def new_parser(docstring: str | None) -> Parser:
    """Return a parser that shows the script's docstring, fitted to 80 columns, and accepts no abbreviated flag."""
    paragraphs = (docstring or "").strip().split("\n\n")
    # A command stands as it is; its first line calls python.
    fitted = [
        part if "python " in part.partition("\n")[0] else textwrap.fill(part, 80, break_on_hyphens=False)
        for part in paragraphs
    ]
    return Parser(
        description="\n\n".join(fitted), formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1; argparse reports the rest."""
    return _whole_number(text, least=1)


def non_negative_int(text: str) -> int:
    """Parse a whole number of at least 0; argparse reports the rest."""
    return _whole_number(text, least=0)


def non_empty(text: str) -> str:
    """Return a name as it stands; argparse reports one that is empty or white space."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it must not be empty")
    return text


def decimal_number(text: str) -> Decimal:
    """Parse a finite decimal number exactly: 0.1 stays one tenth, which a float is not."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def rate(text: str) -> Decimal:
    """Parse a share in (0, 1] exactly."""
    value = decimal_number(text)
    # The exponent too: exact arithmetic on 1e-99999999 would take a hundred million digits.
    if not (0 < value <= 1 and value.adjusted() > -20):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and at most 1 (0.1 keeps a tenth)")
    return value


def _whole_number(text: str, least: int) -> int:
    value = int(text) if text.strip().lstrip("+").isdecimal() else -1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return value
