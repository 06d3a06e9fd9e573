"""What can come of a request: an answer, or a failure of a known class.

Pure: bytes in, outcomes out. server_errors.py reads what has another status than 200.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from shared.texts import one_line
from verdict.review_text import is_cut, joined_text

# Whether the same request may succeed later, no request can, or only this one cannot. "rejected" is one of the last
# two: that one if the server answers others.
FailureClass = Literal["retry", "fatal", "refused", "rejected"]

MAX_TOKENS_REPORTED = 10**9
# No token of text holds more bytes: a count that is lower than that says nothing of what will be charged.
MAX_BYTES_PER_TOKEN = 256


@dataclass(frozen=True)
class JudgeAnswer:
    """What the judge said. `model` is the name that the server reports.

    Token counts are None where it reports none that can be true.
    """

    text: str
    model: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Failure:
    """Why there is no answer: its class, its cause in few words (retries are counted by it), the server's words.

    `retry_after` is the pause that the server asks of everyone, in seconds; `charged` is true where it may have been
    paid. `parameter` is what of the request the server names as wrong.
    """

    kind: FailureClass
    cause: str
    words: str = ""
    status: int | None = None
    retry_after: float | None = None
    charged: bool = False
    parameter: str | None = None

    def __str__(self) -> str:
        return f"{self.cause}: {self.words}" if self.words else self.cause


def read_completion(body: bytes) -> JudgeAnswer | Failure:
    """Return the answer in the body of a response with status 200, or what it is instead."""
    try:
        completion = json.loads(body, parse_int=bounded_int)
    except (ValueError, RecursionError):
        start = body.lstrip()[:80].decode("utf-8", "replace")
        kind = "HTML" if start.startswith("<") else "broken JSON" if start else "an empty body"
        return _no_completion(kind, start)
    if not isinstance(completion, dict):
        return _no_completion("JSON of another kind", "")
    choices = completion.get("choices")
    if completion.get("error") and not choices:
        return _no_completion("an error", error_words(completion)[0])
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return _no_completion("no choices", "")
    return _read_choice(choice, completion)


def _read_choice(choice: dict[str, Any], completion: dict[str, Any]) -> JudgeAnswer | Failure:
    reason, message = _string(choice.get("finish_reason")), choice.get("message")
    fields = message if isinstance(message, dict) else {}
    text = joined_text(fields.get("content"))  # reasoning lies in fields of its own, and is no review
    if not text and isinstance(fields.get("refusal"), str):
        text = fields["refusal"]
    if not text and reason and reason.casefold() not in ("stop", "end_turn", "eos") and not is_cut(reason):
        return Failure("refused", f"prompt refused ({one_line(reason, 60)})", "no text came", 200, charged=True)
    if not isinstance(message, dict):
        return _no_completion("no choices", "")
    if text is None and is_cut(reason):
        text = ""  # cut before its first word: asking once more gives the same
    if text is None:
        return _no_completion("null content", "")
    prompt_tokens, completion_tokens = _usage(completion.get("usage"), text)
    return JudgeAnswer(text, _string(completion.get("model")), reason, prompt_tokens, completion_tokens)


def bounded_int(digits: str) -> int | None:
    """Parse a whole number of JSON; None for one that is larger than any count."""
    return int(digits) if len(digits) < 20 else None


def error_words(content: Any) -> tuple[str, set[str]]:
    """Return the words of an error and its codes, from any of the shapes that servers give it."""
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return str(error), set()
    words = next((error[name] for name in ("message", "detail", "error") if error.get(name)), "") or json.dumps(error)
    return str(words), {error[name] for name in ("code", "type") if isinstance(error.get(name), str)}


def _no_completion(what: str, words: str) -> Failure:
    return Failure("retry", f"not a completion ({what})", one_line(words), 200, charged=True)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _usage(usage: Any, text: str) -> tuple[int | None, int | None]:
    """The tokens of prompt and answer; both None where one is missing, none at all, or too few for the text."""
    fields = usage if isinstance(usage, dict) else {}
    num_in, num_out = fields.get("prompt_tokens"), fields.get("completion_tokens")
    least_out = -(-len(text.encode("utf-8", "replace")) // MAX_BYTES_PER_TOKEN)
    if not is_count(num_in, 1) or not is_count(num_out, least_out):
        return None, None
    return num_in, num_out


def is_count(value: Any, least: int = 0) -> bool:
    """Tell whether a value is a number of tokens that a server can mean."""
    return type(value) is int and least <= value <= MAX_TOKENS_REPORTED
