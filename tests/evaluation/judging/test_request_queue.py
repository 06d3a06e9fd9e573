"""The order in which requests go out."""

import math

from judging.request_queue import Job, RequestQueue
from judging.requests import Judge, JudgeRequest

FIRST, SECOND, RETRIED = (JudgeRequest(Judge("m", 1, 0.0, True), [], name) for name in ("first", "second", "retried"))


def take(queue: RequestQueue, now: float) -> str | float:
    job, seconds = queue.first(now)
    if job is None:
        return seconds
    queue.pop()
    return job.request.where


def test_requests_go_in_their_order_and_retries_before_them_when_their_time_has_come() -> None:
    queue = RequestQueue([FIRST, SECOND])
    queue.add_later(Job(RETRIED), when=5.0)
    assert [take(queue, now) for now in (4.0, 5.0, 5.0)] == ["first", "retried", "second"]
    assert not queue


def test_an_empty_queue_says_how_long_it_will_be_empty() -> None:
    queue = RequestQueue([])
    assert take(queue, 0.0) == math.inf
    queue.add_later(Job(RETRIED), when=5.0)
    assert take(queue, 2.0) == 3.0 and queue


def test_what_is_added_first_goes_first() -> None:
    queue = RequestQueue([FIRST])
    queue.add_first(Job(SECOND))
    assert [take(queue, 0.0), take(queue, 0.0)] == ["second", "first"]
