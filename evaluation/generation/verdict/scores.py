"""The two scores in a judge's review, or none: a score is never guessed.

Only what follows the judge's thinking is read. First its first line that says anything: two numbers and nothing else,
as the judge was asked for, with a heading such as "Scores:" before them at most. Failing that, scores that carry the
name of their assistant, anywhere. A bare number beside a name may count facts or mistakes: it is a score where it is
called one, where it is out of 10, or where the review says nothing else.
"""

import re

from verdict.review_text import after_thinking, is_cut, plain_digits, whole_lines

Scores = tuple[float, float]

# 0 to 10 in ASCII digits, without sign or exponent. Every repeat in these patterns has a bound or a text without
# repeated white space: a judge that has lost its way can fill a megabyte with one character.
_NUMBER = r"(10(?:\.0{1,9})?|[0-9](?:\.[0-9]{1,9})?)"
_OUT_OF_TEN = r"(?:[ \t]*/[ \t]*10|[ \t]+out[ \t]+of[ \t]+10)?"
_SEPARATOR = r"(?:[ \t]*,[ \t]*(?:and[ \t]+)?|[ \t]+and[ \t]+|[ \t]+)"
_TWO_NUMBERS = re.compile(rf"{_NUMBER}{_OUT_OF_TEN}{_SEPARATOR}{_NUMBER}{_OUT_OF_TEN}\.?", re.IGNORECASE)
_SCORES_FIRST = re.compile(
    r"(?:(?:the|my|final|overall|total)[ \t]+){0,2}(?:scores?|ratings?)(?:[ \t]*\(out of 10\))?[ \t]*[:=][ \t]*",
    re.IGNORECASE,
)
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
_LABELLED = re.compile(rf"{_NUMBER}(?!\.?[0-9])( ?/ ?10(?![\w/])| out of 10(?![\w/]))?", re.ASCII | re.IGNORECASE)
_SCORE_LABEL = re.compile(r"score|rating", re.IGNORECASE)
_NOTHING_MORE = re.compile(r"[ ,;.|)&>\u2022-]{0,9}(?:and|vs)?[ ,;.|(>\u2022-]{0,9}", re.IGNORECASE)

_NEXT_WORD = re.compile(r" ?([^\W\d_]+)")
_AFTER_A_SCORE = {
    *("and", "as", "assistant", "because", "but", "compared", "due", "for", "overall", "point", "points", "since"),
    *("so", "vs", "whereas", "while", "with"),
}
_WORD = re.compile(r"\w+")
_SCORE_WORDS = {"score", "scores", "rating", "ratings"}
_HEADING_WORDS = _SCORE_WORDS | {
    *("a", "and", "are", "as", "assistant", "assistants", "both", "each", "final", "follows", "for", "from", "here"),
    *("is", "my", "of", "on", "out", "overall", "scale", "the", "to", "total", "vs", "0", "1", "10"),
}


def parse_scores(text: str, finish_reason: str | None = None) -> Scores | None:
    """Return the scores of the answers shown as Assistant 1 and Assistant 2, or None where they are not clear.

    "8 9", "8.5, 9", "**8/10 and 9/10**", "Scores: 8 9" on the first non-empty line; or "Assistant 1: 7/10 ... Assistant
    2: 8/10" with exactly one distinct value for each. Where the answer was cut (`finish_reason` is "length"), a line
    counts only if a line break ended it. Takes time linear in the length of the text.
    """
    review = after_thinking(text)
    if review is None:
        return None
    review = plain_digits(review.replace("\r", "\n"))
    if cut := is_cut(finish_reason):
        review = whole_lines(review)
    return _first_line_scores(review) or _labelled_scores(review, cut)


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
    line = line[_end_of(_SCORES_FIRST, line) :]
    if line[:1] + line[-1:] in ("[]", "()"):
        line = line[1:-1].strip(" \t")
    match = _TWO_NUMBERS.fullmatch(line)
    return (float(match[1]), float(match[2])) if match else None


def _labelled_scores(text: str, cut: bool) -> Scores | None:
    values: dict[str, set[float]] = {"1": set(), "2": set()}
    labels = list(_ASSISTANT.finditer(text))
    if len(labels) > _MAX_LABELS:
        return None
    begins = [*(label.start() for label in labels), len(text)]
    said, named_scores = [text[: begins[0]]], False  # what is neither label nor number
    for label, next_begin in zip(labels, begins[1:], strict=True):
        line_end = _line_end(text, label.end(), next_begin)
        label_words, value = _after_label(text[label.end() : line_end])
        if value is None or not (value[:1].isnumeric() or value[:1] in tuple("+-.\u2212")):
            said.append(text[label.end() : next_begin])  # the assistant is talked about, not scored
            continue
        match = _LABELLED.match(value)
        if not match or not _ends_there(value[match.end() :], out_of_ten=bool(match[2])):
            return None
        named_scores |= bool(match[2]) or bool(_SCORE_LABEL.search(label_words)) or _names_scores(_last_line(said[-1]))
        values[label[1]].add(float(match[1]))
        said.append(text[line_end:next_begin])
    if len(values["1"]) != 1 or len(values["2"]) != 1:
        return None
    if cut:  # it may be thinking without its tags, or would have said later what its numbers count
        is_clear = named_scores and not _says_more(said[0])
    else:
        is_clear = named_scores or not any(map(_says_more, said))
    return (values["1"].pop(), values["2"].pop()) if is_clear else None


def _after_label(text: str) -> tuple[str, str | None]:
    """Return the words between "Assistant 1" and its colon, and what follows; None where no colon follows."""
    text = " ".join(_EMPHASIS.sub(" ", text).split())
    match = _LABEL_END.match(text)
    return (match[0], text[match.end() :]) if match else ("", None)


def _ends_there(rest: str, out_of_ten: bool) -> bool:
    """Tell whether a labelled number is the whole score.

    Words may follow "7/10", but not a bare 7. Neither a number nor what is counted ("3/10 facts") may follow either.
    """
    if not out_of_ten:
        return bool(_NOTHING_MORE.fullmatch(rest))
    word = _NEXT_WORD.match(rest)
    is_counted = word is not None and word[1].islower() and word[1] not in _AFTER_A_SCORE
    return not is_counted and not any(char.isnumeric() for char in rest)


def _last_line(text: str) -> str:
    """Return the line that a text ends with, or the last one that says anything before it."""
    text = text.rstrip(" \t\n*_`~#>\u2022-")
    return text[text.rfind("\n") + 1 :]


def _names_scores(line: str) -> bool:
    """Tell whether a line is a heading of scores: "Final scores (out of 10):", "Score for"."""
    words = _WORD.findall(line.casefold()) if len(line) <= _MAX_LINE else []
    return not _SCORE_WORDS.isdisjoint(words) and _HEADING_WORDS.issuperset(words)


def _says_more(text: str) -> bool:
    """Tell whether a text beside labels and numbers has other words than a heading of scores has."""
    return any(word not in _HEADING_WORDS for word in _WORD.findall(text.casefold()))


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def _line_end(text: str, begin: int, end: int) -> int:
    found = text.find("\n", begin, end)
    return end if found < 0 else found
