"""When a request may be sent, or sent again. Pure: times go in as numbers of seconds, nothing here sleeps.

Retries are bounded and exponential with jitter. A pause that the server asks for holds for every request. A run of
failures opens a circuit breaker: nothing is sent but one probe after a pause, until a probe is answered or none is
left.
"""

import math
import random
from dataclasses import dataclass

from judging.outcomes import Failure


@dataclass(frozen=True)
class RetryLimits:
    """The bounds. Pauses in seconds; retry k waits between half and all of first_pause * factor ** (k - 1)."""

    max_retries: int = 6
    first_pause: float = 0.05
    factor: float = 4.0
    longest_pause: float = 60.0
    failures_to_open: int = 10
    probe_pauses: tuple[float, ...] = (1.0, 3.0, 9.0, 27.0, 60.0, 60.0)
    # A server that has never answered is more likely a wrong address than a short outage.
    probes_before_first_answer: int = 2
    # Answers cut before their scores, and no other, that end a run; None for any number.
    max_cut: int | None = 5

    def pause(self, num_failed: int) -> float:
        """Return the pause before the next attempt of a request that has failed `num_failed` times."""
        longest = min(self.first_pause * self.factor ** min(num_failed - 1, 20), self.longest_pause)
        return longest * random.uniform(0.5, 1.0)


class Traffic:
    """What all requests of a run share: the pause asked for by the server, and the circuit breaker."""

    def __init__(self, limits: RetryLimits) -> None:
        self.limits = limits
        self.num_answers = 0
        self.paused_until = -math.inf
        self.failures_in_a_row = 0
        self.probe_at: float | None = None  # set while the breaker is open
        self._probes_failed = 0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """True while the breaker lets nothing through but probes."""
        return self.probe_at is not None

    def wait_seconds(self, now: float, num_in_flight: int) -> float:
        """Return the seconds until a request may be sent.

        0 is now, infinity is not before one in flight has ended.
        """
        wait = max(self.paused_until - now, 0.0)
        if self.probe_at is None:
            return wait
        return math.inf if num_in_flight else max(self.probe_at - now, wait, 0.0)

    def on_start(self) -> None:
        """Note that a request is being sent; while the breaker is open it is the probe."""
        self._probing = self.is_open

    def on_answer(self) -> None:
        """Note an answer."""
        self.num_answers += 1
        self.on_sign_of_life()

    def on_sign_of_life(self) -> None:
        """Note that the server works, whether or not it has answered: the breaker closes."""
        self.failures_in_a_row = self._probes_failed = 0
        self.probe_at = None
        self._probing = False

    def on_failure(self, failure: Failure, now: float, counts: bool) -> bool:
        """Note a failure that may be retried; return True when it was the last probe.

        `counts` is false where others pass.
        """
        if failure.retry_after is not None:
            self.paused_until = max(self.paused_until, now + failure.retry_after)
        self.failures_in_a_row += counts
        if self._probing:
            self._probing = False
            self._probes_failed += 1
        elif self.is_open or self.failures_in_a_row < self.limits.failures_to_open:
            return False
        limits = self.limits
        num_probes = (
            len(limits.probe_pauses)
            if self.num_answers
            else min(limits.probes_before_first_answer, len(limits.probe_pauses))
        )
        if self._probes_failed >= num_probes:
            return True
        self.probe_at = now + limits.probe_pauses[self._probes_failed]
        return False
