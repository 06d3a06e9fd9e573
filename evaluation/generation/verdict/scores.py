"""The two scores in a judge's review, or none: a score is never guessed.

First the first line that says anything: two numbers and nothing else, as the judge was asked for. Failing that, scores
that carry the name of their assistant, anywhere. Words on the first line ("Scores: 8 9") make it prose, which is not
read.
"""

import re

Scores = tuple[float, float]

# 0 to 10 in ASCII digits, without sign or exponent. Every repeat in these patterns has a bound or a text without
# repeated white space: a judge that has lost its way can fill a megabyte with one character.
_NUMBER = r"(10(?:\.0{1,9})?|[0-9](?:\.[0-9]{1,9})?)"
_OUT_OF_TEN = r"(?:[ \t]*/[ \t]*10)?"
_SEPARATOR = r"(?:[ \t]*,[ \t]*(?:and[ \t]+)?|[ \t]+and[ \t]+|[ \t]+)"
_TWO_NUMBERS = re.compile(rf"{_NUMBER}{_OUT_OF_TEN}{_SEPARATOR}{_NUMBER}{_OUT_OF_TEN}\.?", re.IGNORECASE)
# Nobody pads two numbers to more than this; a bound keeps the work on a long first line small.
_MAX_LINE = 200
# A text that names the assistants more often is no review, but a judge that goes in circles.
_MAX_LABELS = 1000

_LINE_MARKS = re.compile(r"(?:(?:#+|[-+*>\u2022])[ \t]+)*")
_EMPHASIS = re.compile(r"[*_`~]+")
_EMPHASIS_IN_NUMBER = re.compile(r"[0-9][*_`~]+[0-9]")
_MARKS_AND_SPACE = re.compile(r"[\s*_`~#>\u2022\ufeff-]*")

_ASSISTANT = re.compile(r"\bassistant[ \t]{0,3}#?([12])\b", re.IGNORECASE)
_LABEL_END = re.compile(r"(?:['\u2019]s)? ?(?:(?:overall|final|total) )?(?:score|rating)? ?[:=] ?", re.IGNORECASE)
_LABELLED = re.compile(rf"{_NUMBER}(?!\.?[0-9])( ?/ ?10(?![\w/]))?", re.ASCII)
_NOTHING_MORE = re.compile(r"[ ,;.|)&>\u2022-]{0,9}(?:and|vs)?[ ,;.|(>\u2022-]{0,9}", re.IGNORECASE)


def parse_scores(text: str) -> Scores | None:
    """Return the scores of the answers shown as Assistant 1 and Assistant 2, or None where they are not clear.

    "8 9", "8.5, 9", "**8/10 and 9/10**" on the first non-empty line; or "Assistant 1: 7/10 ... Assistant 2: 8/10" with
    exactly one distinct value for each. Takes time linear in the length of the text.
    """
    text = text.replace("\r", "\n")
    return _first_line_scores(text) or _labelled_scores(text)


def format_scores(scores: Scores) -> str:
    """Return scores as review files hold them: "[8.0, 9.0]"."""
    return str([float(score) for score in scores])


def _first_line_scores(text: str) -> Scores | None:
    # Lines of markdown alone, such as the opening of a code block, say nothing.
    begin = _end_of(_MARKS_AND_SPACE, text)
    line = text[text.rfind("\n", 0, begin) + 1 : _line_end(text, begin, len(text))].strip(" \t\ufeff")
    if len(line) > _MAX_LINE or _EMPHASIS_IN_NUMBER.search(line):
        return None
    line = _EMPHASIS.sub(" ", line[_end_of(_LINE_MARKS, line) :]).strip(" \t")
    if line[:1] + line[-1:] in ("[]", "()"):
        line = line[1:-1].strip(" \t")
    match = _TWO_NUMBERS.fullmatch(line)
    return (float(match[1]), float(match[2])) if match else None


def _labelled_scores(text: str) -> Scores | None:
    values: dict[str, set[float]] = {"1": set(), "2": set()}
    labels = list(_ASSISTANT.finditer(text))
    if len(labels) > _MAX_LABELS:
        return None
    begins = [*(label.start() for label in labels), len(text)]
    for label, next_begin in zip(labels, begins[1:], strict=True):
        value = _after_label(text[label.end() : _line_end(text, label.end(), next_begin)])
        if value is None or not (value[:1].isnumeric() or value[:1] in tuple("+-.\u2212")):
            continue  # the assistant is talked about, not scored
        match = _LABELLED.match(value)
        if not match or not _ends_there(value[match.end() :], out_of_ten=bool(match[2])):
            return None
        values[label[1]].add(float(match[1]))
    if len(values["1"]) != 1 or len(values["2"]) != 1:
        return None
    return values["1"].pop(), values["2"].pop()


def _after_label(text: str) -> str | None:
    """Return what follows "Assistant 1" and its colon, or None where no colon follows."""
    text = " ".join(_EMPHASIS.sub(" ", text).split())
    match = _LABEL_END.match(text)
    return text[match.end() :] if match else None


def _ends_there(rest: str, out_of_ten: bool) -> bool:
    """Tell whether a labelled number is the whole score.

    Words may follow "7/10", but not a bare 7, and a number may follow neither.
    """
    if out_of_ten:
        return not any(char.isnumeric() for char in rest)
    return bool(_NOTHING_MORE.fullmatch(rest))


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _line_end(text: str, begin: int, end: int) -> int:
    found = text.find("\n", begin, end)
    return end if found < 0 else found
