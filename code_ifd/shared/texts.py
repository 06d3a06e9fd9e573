"""How values and texts are shown to people: in one line, cut, and free of what a terminal would obey."""

import json
import unicodedata
from typing import Any

TERMINAL_COLUMNS = 80
# What is shown as its escape: control characters, line ends of Unicode, halves of surrogate pairs, and format
# characters, those that turn the direction of a text among them. Joiners are part of emoji and of some scripts, and
# turn nothing.
ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"


def escaped(text: str, keep: str = "\n\t") -> str:
    r"""Return a text for a terminal: what it would obey, or hide, as its escape (`\x1b`, `\u202e`).

    Line ends and tabs stay, unless `keep` is another set of characters, and so do the joiners of emoji and scripts.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in ESCAPED and char not in keep and char not in JOINERS
        else char
        for char in text
    )


def json_type(value: Any) -> str:
    """Return what a Python value is in JSON, with its article."""
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        bytes: "bytes that are no text",
    }
    return names.get(type(value), "null")


def describe(value: Any) -> str:
    """Return a value and its JSON type, for messages: `7 (a number)`."""
    return "null" if value is None else f"{shorten(value)} ({json_type(value)})"


def shorten(value: Any, num_chars: int = 40) -> str:
    """Return a value as ASCII JSON of at most `num_chars` characters, for messages."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= num_chars else text[: num_chars - 3] + "..."


def is_encodable(text: str) -> bool:
    """Tell whether a text has a UTF-8 form: half of a surrogate pair has none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def one_line(text: str, num_chars: int = 300) -> str:
    """Return a text as one printable line of at most `num_chars` characters, for messages."""
    line = "".join(char for char in " ".join(text.split()) if char.isprintable())
    return line if len(line) <= num_chars else line[: num_chars - 3] + "..."


def printable(text: str) -> str:
    """Return a text with a mark in place of each character that cannot be shown, such as a line end."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def shorten_middle(name: str, num_chars: int) -> str:
    """Return a printable name of at most `num_chars` characters, cut in the middle: its end tells more."""
    name = printable(name)
    if len(name) <= num_chars:
        return name
    return f"{name[: num_chars // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - (num_chars - num_chars // 2 - 1) :]}"


def num_columns(text: str) -> int:
    """Return how many terminal columns a text takes: Chinese, Japanese and Korean characters and emoji take two."""
    from rich.cells import cell_len  # here: most messages need none

    return cell_len(text)


def fit_columns(value: Any, width: int) -> str:
    """Return a value as text on one line of at most `width` terminal columns, without control characters."""
    # No text needs more characters than this for its columns; the longest instructions have tens of thousands.
    text = str(value)[: 8 * width]
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if num_columns(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, width - len("...")).rstrip() + "..."
