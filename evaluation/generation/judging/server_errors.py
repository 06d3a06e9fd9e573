"""What a response with another status than 200 stands for. Pure: status, headers and bytes in, a failure out."""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from judging.outcomes import Failure, FailureClass, bounded_int, error_words
from shared.texts import one_line

RETRIED_STATUS = {408, 409, 425, 429}
# A server says with these that it takes a request for wrong: all of them, or one for what its prompt says.
REJECTED_STATUS = {400, 403, 406, 422, 451}
# Codes (and types) of errors by the names that OpenAI and servers like it give them.
QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
PROMPT_CODES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "content_filter",
    "content_policy_violation",
    "data_inspection_failed",
    "invalid_prompt",
}
TOO_LONG = re.compile(r"context.?(length|chunk|size)|(prompt|input|request) (is )?too (long|large)", re.IGNORECASE)
# Also in "'max_tokens' or 'max_completion_tokens' is too large", which asks for no other name.
LIMIT_TOO_LARGE = re.compile(
    r"max_(completion_|new_|output_)?tokens\W.{0,80}?(too (large|big|high)|exceed|at most|maximum|must be (less|<))|"
    r"supports at most [0-9]+ completion tokens",
    re.IGNORECASE | re.DOTALL,
)
SYSTEM_ROLE = re.compile(
    r"system.{0,20}(role|message|prompt|instruction)|developer instruction|roles must alternate", re.IGNORECASE
)
IF_NO_SYSTEM_ROLE = "--system_role user puts the system text into the user's turn, for a judge without a system role"
# What to look at first, by the status that the server refuses everything with.
REMEDIES = {
    400: "check --api_model, --max_tokens and --temperature",
    401: "check OPENAI_API_KEY, and that it belongs to --api_base",
    404: "check --api_model, and that --api_base ends as the server wants it (mostly /v1)",
}
# A server that asks for more than this has closed for the day.
LONGEST_PAUSE_SECONDS = 600.0


def remedy_for(failure: Failure) -> str:
    """Return what to do about a failure that all requests share, after a semicolon, or nothing."""
    remedy = IF_NO_SYSTEM_ROLE if SYSTEM_ROLE.search(failure.words) else REMEDIES.get(failure.status or 0)
    return f"; {remedy}" if remedy else ""


def room_for_answer(words: str) -> int | None:
    """Return the tokens that an answer may have, where a server says so as it refuses a larger limit."""
    if found := re.search(r"\([0-9]+ > ([0-9]{1,9}) - ([0-9]{1,9})\)", words):
        return int(found[1]) - int(found[2])
    if found := re.search(r"at most ([0-9]{1,9}) (completion|output) tokens", words, re.IGNORECASE):
        return int(found[1])
    context = re.search(r"maximum context length (?:is|of) ([0-9]{1,9})", words, re.IGNORECASE)
    prompt = re.search(r"([0-9]{1,9}) (?:tokens )?(?:in the (?:messages|prompt)|input tokens|of text input)", words)
    return int(context[1]) - int(prompt[1]) if context and prompt else None


def classify_status(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Return the failure that a response with another status than 200 stands for."""
    try:
        content = json.loads(body, parse_int=bounded_int)
    except (ValueError, RecursionError):
        content = body.decode("utf-8", "replace")
    words, codes = error_words(content)
    words = one_line(words)
    if codes & QUOTA_CODES or status == 402:
        return Failure("fatal", f"quota exhausted ({status})", words, status)
    if status == 429 or status in RETRIED_STATUS or status >= 500:
        pause = retry_after_seconds(headers)
        cause = "rate limit (429)" if status == 429 else f"server error ({status})"
        if pause is not None and pause > LONGEST_PAUSE_SECONDS:
            return Failure("fatal", f"{cause}, to wait {pause:,.0f} s", words, status)
        return Failure("retry", cause, words, status, pause)
    if status in (400, 413, 422) and (codes & PROMPT_CODES or is_too_long(words) or status == 413):
        return Failure("refused", f"prompt refused ({status})", words, status)
    names = {400: "bad request", 401: "wrong key", 403: "not allowed", 404: "not found"}
    if 300 <= status < 400:
        words = f"moved to {one_line(headers.get('location', '?'), 100)}"
    kind: FailureClass = "rejected" if status in REJECTED_STATUS else "fatal"
    return Failure(kind, f"{names.get(status, 'refused')} ({status})", words, status, parameter=_parameter(content))


def is_too_long(words: str) -> bool:
    """Tell whether an error says that a prompt, or a prompt and its answer, has no room."""
    return bool(TOO_LONG.search(words) or LIMIT_TOO_LARGE.search(words))


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


def _parameter(content: Any) -> str | None:
    error = content.get("error") if isinstance(content, dict) else None
    name = error.get("param") if isinstance(error, dict) else None
    return name if isinstance(name, str) else None
