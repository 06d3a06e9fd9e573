"""Classes of outcomes: every status and every body ends in the right one."""

import email.utils
import json
import time
from typing import Any

import pytest

from judging.outcomes import Failure, JudgeAnswer, read_completion
from judging.server_errors import classify_status, retry_after_seconds


def completion(**choice: Any) -> bytes:
    return json.dumps(
        {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    ).encode()


def test_a_completion_is_an_answer_with_what_the_server_reports() -> None:
    body = completion(message={"content": "8 9\nGood."}, finish_reason="length")
    assert read_completion(body) == JudgeAnswer("8 9\nGood.", "m", "length", 3, 2)


def test_missing_usage_is_not_invented() -> None:
    body = b'{"choices": [{"message": {"content": "8 9"}}], "usage": {"prompt_tokens": true, "completion_tokens": -1}}'
    assert read_completion(body) == JudgeAnswer("8 9", None, None, None, None)


def test_an_answer_cut_before_its_first_word_is_an_answer() -> None:
    outcome = read_completion(completion(message={"content": None}, finish_reason="length"))
    assert isinstance(outcome, JudgeAnswer) and outcome.text == ""


@pytest.mark.parametrize("content", [None, "", []])
@pytest.mark.parametrize("reason", ["content_filter", "sensitive", "SAFETY", "tool_calls"])
def test_no_text_for_another_reason_is_a_refusal_of_the_prompt(reason: str, content: Any) -> None:
    outcome = read_completion(completion(message={"content": content}, finish_reason=reason))
    assert isinstance(outcome, Failure) and (outcome.kind, outcome.charged) == ("refused", True)
    assert outcome.cause == f"prompt refused ({reason})"


def test_a_refusal_is_the_answer_of_the_judge() -> None:
    outcome = read_completion(completion(message={"content": None, "refusal": "I cannot."}, finish_reason="stop"))
    assert isinstance(outcome, JudgeAnswer) and outcome.text == "I cannot."


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"<html>hello</html>", "HTML"),
        (b'{"choices": [', "broken JSON"),
        (b"\xff\xfe", "broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b" ", "an empty body"),
        (b"[]", "JSON of another kind"),
        (b"{}", "no choices"),
        (b'{"choices": null}', "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": {}}', "no choices"),
        (b'{"choices": [{"message": null}]}', "no choices"),
        (b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}', "null content"),
        (b'{"choices": [{"message": {"content": 7}}]}', "null content"),
        (b'{"error": {"message": "overloaded"}}', "an error"),
    ],
)
def test_a_body_that_is_no_completion_is_retried(body: bytes, cause: str) -> None:
    outcome = read_completion(body)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.cause, outcome.charged) == ("retry", f"not a completion ({cause})", True)


def error(message: str, **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message} | fields}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "cause"),
    [
        (401, error("Wrong."), "fatal", "wrong key (401)"),
        (403, error("No."), "rejected", "not allowed (403)"),
        (404, error("No such model."), "fatal", "not found (404)"),
        (400, error("Unknown parameter."), "rejected", "bad request (400)"),
        (422, b'{"detail": [{"msg": "field required"}]}', "rejected", "refused (422)"),
        (402, b"pay", "fatal", "quota exhausted (402)"),
        (429, error("You exceeded your quota.", code="insufficient_quota"), "fatal", "quota exhausted (429)"),
        (429, error("You exceeded your quota.", type="insufficient_quota"), "fatal", "quota exhausted (429)"),
        (301, b"", "fatal", "refused (301)"),
        (400, error("Too many.", code="context_length_exceeded"), "refused", "prompt refused (400)"),
        (400, error("This model's maximum context length is 10 tokens."), "refused", "prompt refused (400)"),
        (413, b"", "refused", "prompt refused (413)"),
        (429, error("Slow down."), "retry", "rate limit (429)"),
        (408, b"", "retry", "server error (408)"),
        (500, b"<html>oops</html>", "retry", "server error (500)"),
        (503, b"", "retry", "server error (503)"),
        (529, b"overloaded", "retry", "server error (529)"),
    ],
)
def test_every_status_has_its_class(status: int, body: bytes, kind: str, cause: str) -> None:
    failure = classify_status(status, {}, body)
    assert (failure.kind, failure.cause, failure.status) == (kind, cause, status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (error("It  is\nbroken."), "It is broken."),
        (b'{"message": "It is broken."}', "It is broken."),
        (b'{"detail": "It is broken."}', "It is broken."),
        (b'{"error": "It is broken."}', "It is broken."),
        (b"It is broken.", "It is broken."),
        (b'{"error": {"code": 7}}', '{"code": 7}'),
    ],
)
def test_the_server_is_quoted_from_any_shape_of_error(body: bytes, words: str) -> None:
    assert classify_status(400, {}, body).words == words


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_retry_after_as_a_date_is_a_pause_from_now() -> None:
    seconds = retry_after_seconds({"retry-after": email.utils.formatdate(time.time() + 100, usegmt=True)})
    assert seconds is not None and 95 < seconds < 105


def test_a_server_that_asks_to_come_back_tomorrow_ends_the_run() -> None:
    failure = classify_status(429, {"retry-after": "86400"}, b"closed")
    assert (failure.kind, failure.cause) == ("fatal", "rate limit (429), to wait 86,400 s")
