"""Judge health in words: one check a line, each with a mark, fine or worrying."""

from dataclasses import dataclass

from shared.texts import shorten
from verdict.health import MAX_CONFLICTS, JudgeHealth
from verdict.scoreboard import Scoreboard
from verdict.verdict import MAX_CHANCE, p_text, sign_test

# A larger share than this of easy pairs judged wrong, or of pairs unread, is worrying.
MAX_SLIPS = 0.1
# How many pairs a finding names.
NUM_NAMED = 3


@dataclass(frozen=True)
class HealthCheck:
    """One thing that reviews tell about their judge, in words, and whether it is worrying."""

    name: str
    finding: str
    is_worrying: bool

    @property
    def mark(self) -> str:
        """The mark as a word."""
        return "worrying" if self.is_worrying else "fine"


def health_checks(board: Scoreboard) -> list[HealthCheck]:
    """Return what the reviews tell about the judge, over all pairs. Nothing where no pair was parsed."""
    health, verdict = board.total.health, board.total.verdict
    if not health.pairs:
        return []
    num_all = verdict.pairs + verdict.unparsed
    checks = [
        HealthCheck(
            "readable",
            f"scores can be read in both orders for {share_text(verdict.pairs, num_all, 'pairs')}",
            verdict.unparsed > MAX_SLIPS * num_all,
        ),
        HealthCheck(
            "conflicts",
            f"the two orders name different winners for {share_text(health.conflicts, health.pairs, 'pairs')}; more "
            f"than {MAX_CONFLICTS:.0%} is worrying",
            health.too_many_conflicts,
        ),
        _place_check(health),
    ]
    if health.length_decided:
        checks.append(_length_check(health))
    if health.identical:
        checks.append(
            HealthCheck(
                "identical",
                f"{health.identical_tied} of {health.identical} pairs of identical answers are ties, as all should be",
                health.identical - health.identical_tied > MAX_SLIPS * health.identical,
            )
        )
    if health.marked:
        ids = ", ".join(shorten(pair_id) for pair_id in health.marked_ids[:NUM_NAMED])
        more = ", ..." if health.marked > NUM_NAMED else ""
        checks.append(
            HealthCheck(
                "marks",
                f"{health.marked} pairs have an answer with marks of the judge's prompt in it, such as [The End of "
                f"Assistant 1's Answer], which may mislead the judge: id {ids}{more}",
                is_worrying=True,
            )
        )
    if health.one_empty:
        slips = health.empty_won + health.empty_tied
        checks.append(
            HealthCheck(
                "empty",
                f"an empty answer wins {health.empty_won} and ties {health.empty_tied} of {health.one_empty} pairs, "
                "and should lose all",
                slips > MAX_SLIPS * health.one_empty,
            )
        )
    return checks


def share_text(part: int, whole: int, unit: str = "") -> str:
    """Return a part of a whole for people: `3 of 12 (25%)`, `3 of 12 pairs (25%)`."""
    return f"{part} of {whole}{unit and ' '}{unit} ({part / whole:.0%})"


def _place_check(health: JudgeHealth) -> HealthCheck:
    finding = (
        f"the first shown answer wins {health.first_shown_won} reviews, the second {health.second_shown_won}, "
        f"{health.shown_equal} are equal"
    )
    if health.place_p is None:
        return HealthCheck("place", finding, is_worrying=False)
    prefers = health.place_p < MAX_CHANCE
    slot = "first" if health.pairs_for_first > health.pairs_for_second else "second"
    finding += (
        f"; pairs gained by the first place: {health.pairs_for_first}, by the second: {health.pairs_for_second} "
        f"({p_text(health.place_p)}): " + (f"it prefers the {slot}" if prefers else "no preference beyond chance")
    )
    return HealthCheck("place", finding, prefers)


def _length_check(health: JudgeHealth) -> HealthCheck:
    won, decided = health.longer_won, health.length_decided
    p = sign_test(won, decided - won)
    assert p is not None
    favours_long = won > decided - won and p < MAX_CHANCE
    finding = f"the longer answer wins {share_text(won, decided, 'decided pairs')}, {p_text(p)}"
    return HealthCheck("length", finding, favours_long)
