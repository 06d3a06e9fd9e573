"""When a run of a judge ends early: every answer is cut before its scores, and the others would be too."""

from dataclasses import dataclass

from judging.outcomes import JudgeAnswer
from judging.report import ADVISED_FOR_THINKING
from judging.review_assembly import is_cut_short
from shared.cli import UserError


@dataclass(frozen=True)
class Before:
    """What earlier runs have left: answers to this run's prompts, and how many of them were cut before their scores."""

    num_answered: int = 0
    num_cut: int = 0


class CutWatch:
    """Ends a run whose answers are all cut before their scores: the others would be too.

    `max_cut` is how many may be, None for any number.
    """

    def __init__(self, before: Before, max_cut: int | None) -> None:
        self._num_cut = before.num_cut
        self._max_cut = max_cut if before.num_cut == before.num_answered else None

    def note(self, answer: JudgeAnswer) -> None:
        """Take in an answer. Raises UserError when enough have come and all were cut."""
        if not is_cut_short(answer):
            self._max_cut = None
        self._num_cut += 1
        self.check()

    def check(self) -> None:
        """Raise UserError when enough answers have come and all were cut before their scores."""
        if self._max_cut is not None and self._num_cut >= self._max_cut:
            raise UserError(
                f"the first {self._num_cut} answers were all cut at --max_tokens, before their scores: give a larger "
                f"--max_tokens ({ADVISED_FOR_THINKING} for a judge that thinks first), or --cut_answers keep to go on"
            )
