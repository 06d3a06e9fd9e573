"""What of a judge's words is its review: the text after its thinking, the lines that are whole, in plain digits.

A model that thinks writes drafts of its verdict first. They are no review, wherever they end.
"""

import re
from typing import Any

# As several families of models write them.
_OPENING_TAGS = ("<think>", "<thinking>", "[THINK]", "\u25c1think\u25b7")
_CLOSING_TAGS = ("</think>", "</thinking>", "[/THINK]", "\u25c1/think\u25b7")
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
# The names that servers give the end of an answer at its limit of tokens.
_CUT_REASONS = {"length", "max_tokens", "max_output_tokens", "model_length"}
# The marks between which the published prompt shows a question and its answers, wherever they stand in an answer; the
# short ones are words of their own but on a line.
_PROMPT_MARKS = re.compile(
    r"\[\s*the\s+(start|end)\s+of\s+assistant\s*\d?\s*['\u2019]?s?\s+answer\s*\]|^[ \t]*\[(question|system)\][ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# The wide forms of East Asian keyboards, for digits and what stands between them.
_WIDE = {0xFF00 + code - 0x20: chr(code) for code in map(ord, "0123456789:,/.=()[]+-")} | {0x3000: " "}


def after_thinking(text: str) -> str | None:
    """Return what follows the last closing tag of the thinking, or None where a tag opens and none closes after it.

    A text without tags is returned whole. A tag in quotes is talked about and is none.
    """
    opened, closed = (max(_end_of_last(tag, text) for tag in tags) for tags in (_OPENING_TAGS, _CLOSING_TAGS))
    if closed > opened:
        return text[closed:]
    return text if opened < 0 else None


def is_cut(finish_reason: str | None) -> bool:
    """Tell whether an answer ended at its limit of tokens (`--max_tokens`), by the server's word for why it ended."""
    return finish_reason is not None and finish_reason.casefold() in _CUT_REASONS


def whole_lines(text: str) -> str:
    """Return the lines of a cut text that a line break ended: "9 1" may be the beginning of "9 10"."""
    return text[: text.rfind("\n") + 1]


def plain_digits(text: str) -> str:
    """Return a text with ASCII digits and colons in place of their wide forms; other scripts' digits stay."""
    return text.translate(_WIDE)


def joined_text(content: Any) -> str | None:
    """Return the text of a message's content: a string, or a list of parts, of which those of text count.

    None where it is something else. Parts of thinking, or of any other type, say nothing to the verdict.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, str | dict) for part in content):
        return None
    texts = [part if isinstance(part, str) else _part_text(part) for part in content]
    return "".join(text for text in texts if text is not None)


def holds_prompt_marks(answer: str) -> bool:
    """Tell whether an answer holds marks of the judge's prompt, with which it may end itself and speak to the judge."""
    return _PROMPT_MARKS.search(answer) is not None


def _part_text(part: dict[str, Any]) -> str | None:
    text = part.get("text")
    return text if part.get("type", "text") in ("text", "output_text") and isinstance(text, str) else None


def _end_of_last(tag: str, text: str) -> int:
    """Return where the last such tag ends that is not in quotes, -1 where there is none."""
    begin = text.rfind(tag)
    while begin >= 0 and _is_quoted(text, begin, begin + len(tag)):
        begin = text.rfind(tag, 0, begin)
    return begin + len(tag) if begin >= 0 else -1


def _is_quoted(text: str, begin: int, end: int) -> bool:
    before, after = text[max(begin - 1, 0) : begin], text[end : end + 1]
    return before in _QUOTES and _QUOTES[before] == after
