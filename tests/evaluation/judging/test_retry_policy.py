"""When requests may be sent: pauses, retries and the circuit breaker, in numbers."""

import math

import pytest

from judging.outcomes import Failure
from judging.retry_policy import RetryLimits, Traffic

LIMITS = RetryLimits(failures_to_open=3, probe_pauses=(1.0, 2.0, 4.0), probes_before_first_answer=2)
BROKEN = Failure("retry", "server error (500)", status=500)


def fail(traffic: Traffic, num: int, now: float = 0.0, failure: Failure = BROKEN) -> bool:
    return [traffic.on_failure(failure, now, counts=True) for _ in range(num)][-1]


@pytest.mark.parametrize(("num_failed", "longest"), [(1, 0.05), (2, 0.2), (3, 0.8), (4, 3.2), (7, 60.0), (5000, 60.0)])
def test_pauses_grow_by_four_with_jitter_up_to_a_minute(num_failed: int, longest: float) -> None:
    pauses = [RetryLimits().pause(num_failed) for _ in range(200)]
    assert longest / 2 <= min(pauses) < max(pauses) <= longest


def test_a_pause_that_the_server_asks_for_holds_for_everyone_and_never_shrinks() -> None:
    traffic = Traffic(LIMITS)
    traffic.on_failure(Failure("retry", "", retry_after=5.0), 100.0, counts=False)
    traffic.on_failure(Failure("retry", "", retry_after=1.0), 101.0, counts=False)
    assert traffic.wait_seconds(103.0, num_in_flight=9) == 2.0
    assert traffic.wait_seconds(105.0, num_in_flight=9) == 0.0


def test_answers_between_failures_keep_the_breaker_closed() -> None:
    traffic = Traffic(LIMITS)
    for _ in range(10):
        fail(traffic, 2)
        traffic.on_answer()
    assert not traffic.is_open


def test_an_open_breaker_lets_one_probe_through_after_its_pause() -> None:
    traffic = Traffic(LIMITS)
    traffic.on_answer()
    fail(traffic, 3, now=10.0)
    assert traffic.is_open
    assert traffic.wait_seconds(10.0, num_in_flight=4) == math.inf
    assert traffic.wait_seconds(10.0, num_in_flight=0) == 1.0
    assert traffic.wait_seconds(11.0, num_in_flight=0) == 0.0
    traffic.on_start()
    assert traffic.wait_seconds(11.0, num_in_flight=1) == math.inf


def test_an_answer_closes_the_breaker() -> None:
    traffic = Traffic(LIMITS)
    fail(traffic, 3)
    traffic.on_answer()
    assert traffic.wait_seconds(0.0, num_in_flight=4) == 0.0


def test_failures_of_requests_that_were_in_flight_are_no_failed_probes() -> None:
    traffic = Traffic(LIMITS)
    assert not fail(traffic, 50)
    assert traffic.wait_seconds(0.0, num_in_flight=0) == 1.0


@pytest.mark.parametrize(("num_answers", "num_probes"), [(0, 2), (1, 3)])
def test_the_last_probe_ends_the_run_sooner_where_nothing_was_ever_answered(num_answers: int, num_probes: int) -> None:
    traffic = Traffic(LIMITS)
    for _ in range(num_answers):
        traffic.on_answer()
    fail(traffic, 3)
    ended = []
    for _ in range(num_probes):
        traffic.on_start()
        ended.append(fail(traffic, 1))
    assert ended == [False] * (num_probes - 1) + [True]
