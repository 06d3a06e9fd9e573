"""All the numbers of a comparison, each test set's and the total's, as one object.

The table, the figure, the page and the JSON show it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from records.record import Skipped
from verdict.agreement import Agreement, judge_agreements
from verdict.health import MAX_CONFLICTS, JudgeHealth, judge_health
from verdict.length_control import LengthControl, length_control
from verdict.review_file import Review, ReviewFile
from verdict.verdict import NUM_RESAMPLES, RULES, SEED, RuleVerdict, Verdict, judge_pairs


@dataclass(frozen=True)
class ScoreboardRow:
    """A test set, or all of them: its verdict, what its reviews tell about the judge, and the verdict at equal length.

    `length` has an entry a rule.
    """

    name: str
    verdict: Verdict
    health: JudgeHealth
    length: dict[str, LengthControl | Skipped]


@dataclass(frozen=True)
class Scoreboard:
    """A comparison of the model `key1` (Answer 1) with `key2` (Answer 2).

    The total is over all pairs of the test sets.
    """

    key1: str
    key2: str
    api_model: str
    rule: str
    sets: list[ScoreboardRow]
    total: ScoreboardRow

    @property
    def rows(self) -> list[ScoreboardRow]:
        """The rows of a table: the test sets, then the total where that is something else."""
        return [*self.sets, self.total] if len(self.sets) > 1 else self.sets

    def shown(self, row: ScoreboardRow) -> RuleVerdict:
        """Return a row's verdict by the rule that was asked for."""
        return row.verdict.rules[self.rule]

    @property
    def is_empty(self) -> bool:
        """Whether no pair at all has scores in both orders."""
        return not self.total.verdict.pairs


@dataclass(frozen=True)
class Comparison:
    """The scoreboards of one judge or more of the same pairs, and how each two of the judges agree."""

    boards: list[Scoreboard]
    agreements: list[Agreement]

    @property
    def first(self) -> Scoreboard:
        """The scoreboard of the judge that was named first."""
        return self.boards[0]

    @property
    def is_empty(self) -> bool:
        """Whether no judge gave scores that can be read."""
        return all(board.is_empty for board in self.boards)


def compare_judges(files: dict[str, list[ReviewFile]], key1: str, key2: str, rule: str) -> Comparison:
    """Return the scoreboards of judges, whose review files are given set by set.

    Raises UserError where two judges have not judged the same pairs.
    """
    agreements = judge_agreements(files, rule)
    boards = [make_scoreboard(of_judge, key1, key2, judge, rule) for judge, of_judge in files.items()]
    return Comparison(boards, agreements)


def make_scoreboard(files: list[ReviewFile], key1: str, key2: str, api_model: str, rule: str) -> Scoreboard:
    """Return the scoreboard of review files of one judge."""
    sets = [_scoreboard_row(file.dataset_name, file.reviews) for file in files]
    total = _scoreboard_row("total", [review for file in files for review in file.reviews])
    return Scoreboard(key1, key2, api_model, rule, sets, total)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return every number of a comparison for the JSON file: the first judge's scoreboard, and beside it the others.

    What does not exist is null, or has a `reason`.
    """
    return asdict(comparison.first) | {
        "other_judges": [asdict(board) for board in comparison.boards[1:]],
        "agreements": [
            asdict(one) | {"pairs": one.pairs, "same": one.same, "opposed": one.opposed}
            for one in comparison.agreements
        ],
        "bootstrap": {"resamples": NUM_RESAMPLES, "seed": SEED, "percentiles": [2.5, 97.5]},
        "max_conflict_share": MAX_CONFLICTS,
    }


def _scoreboard_row(name: str, reviews: list[Review]) -> ScoreboardRow:
    length = {rule: length_control(reviews, rule) for rule in RULES}
    return ScoreboardRow(name, judge_pairs(reviews), judge_health(reviews), length)
