"""What can come of a request: an answer, or a failure of a known class.

Pure: bytes and status codes in, outcomes out.
"""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.texts import one_line

# Whether the same request may succeed later, no request can, or only this one cannot.
FailureClass = Literal["retry", "fatal", "refused"]

RETRIED_STATUS = {408, 409, 425, 429}
# Codes (and types) of errors by the names that OpenAI and servers like it give them.
QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
PROMPT_CODES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "content_filter",
    "content_policy_violation",
    "invalid_prompt",
}
TOO_LONG = re.compile(r"context.?(length|chunk|size)|(prompt|input|request) (is )?too (long|large)", re.IGNORECASE)
# What to look at first, by the status that the server refuses everything with.
REMEDIES = {
    400: "check --api_model, --max_tokens and --temperature",
    401: "check OPENAI_API_KEY, and that it belongs to --api_base",
    404: "check --api_model, and that --api_base ends as the server wants it (mostly /v1)",
}
# A server that asks for more than this has closed for the day.
LONGEST_PAUSE_SECONDS = 600.0


@dataclass(frozen=True)
class JudgeAnswer:
    """What the judge said. `model` is the name that the server reports; token counts are None where it reports none."""

    text: str
    model: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Failure:
    """Why there is no answer: its class, its cause in few words (retries are counted by it), the server's words.

    `retry_after` is the pause that the server asks of everyone, in seconds; `charged` is true where it may have been
    paid.
    """

    kind: FailureClass
    cause: str
    words: str = ""
    status: int | None = None
    retry_after: float | None = None
    charged: bool = False

    def __str__(self) -> str:
        return f"{self.cause}: {self.words}" if self.words else self.cause


def read_completion(body: bytes) -> JudgeAnswer | Failure:
    """Return the answer in the body of a response with status 200, or what it is instead."""
    try:
        completion = json.loads(body)
    except (ValueError, RecursionError):
        start = body.lstrip()[:80].decode("utf-8", "replace")
        kind = "HTML" if start.startswith("<") else "broken JSON" if start else "an empty body"
        return _no_completion(kind, start)
    if not isinstance(completion, dict):
        return _no_completion("JSON of another kind", "")
    choices = completion.get("choices")
    if completion.get("error") and not choices:
        return _no_completion("an error", _error_words(completion)[0])
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return _no_completion("no choices", "")
    reason = choice.get("finish_reason")
    text = message.get("content")
    if text is None and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    if text is None and reason in ("length", "content_filter"):
        text = ""  # cut before its first word: asking once more gives the same
    if not isinstance(text, str):
        return _no_completion("null content", "")
    usage = completion.get("usage")
    prompt_tokens, completion_tokens = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return JudgeAnswer(text, _string(completion.get("model")), _string(reason), prompt_tokens, completion_tokens)


def classify_status(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Return the failure that a response with another status than 200 stands for."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = body.decode("utf-8", "replace")
    words, codes = _error_words(content)
    words = one_line(words)
    if codes & QUOTA_CODES or status == 402:
        return Failure("fatal", f"quota exhausted ({status})", words, status)
    if status == 429 or status in RETRIED_STATUS or status >= 500:
        pause = retry_after_seconds(headers)
        cause = "rate limit (429)" if status == 429 else f"server error ({status})"
        if pause is not None and pause > LONGEST_PAUSE_SECONDS:
            return Failure("fatal", f"{cause}, to wait {pause:,.0f} s", words, status)
        return Failure("retry", cause, words, status, pause)
    if status in (400, 413, 422) and (codes & PROMPT_CODES or TOO_LONG.search(words) or status == 413):
        return Failure("refused", f"prompt refused ({status})", words, status)
    names = {400: "bad request", 401: "wrong key", 403: "not allowed", 404: "not found"}
    if 300 <= status < 400:
        words = f"moved to {one_line(headers.get('location', '?'), 100)}"
    return Failure("fatal", f"{names.get(status, 'refused')} ({status})", words, status)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the pause that a response asks for, in seconds, at least 0.

    None where it asks for none that can be read.
    """
    for name, seconds_per_unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
            return float(text) * seconds_per_unit
        try:
            return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _error_words(content: Any) -> tuple[str, set[str]]:
    """The words of an error and its codes, from any of the shapes that servers give it."""
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return str(error), set()
    words = next((error[name] for name in ("message", "detail", "error") if error.get(name)), "") or json.dumps(error)
    return str(words), {error[name] for name in ("code", "type") if isinstance(error.get(name), str)}


def _no_completion(what: str, words: str) -> Failure:
    return Failure("retry", f"not a completion ({what})", one_line(words), 200, charged=True)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
