"""All the numbers of a comparison, each test set's and the total's, as one object.

The table, the figure, the page and the JSON show it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from verdict.health import MAX_CONFLICTS, JudgeHealth, judge_health
from verdict.review_file import Review, ReviewFile
from verdict.verdict import NUM_RESAMPLES, SEED, RuleVerdict, Verdict, judge_pairs


@dataclass(frozen=True)
class ScoreboardRow:
    """A test set, or all of them: its verdict and what its reviews tell about the judge."""

    name: str
    verdict: Verdict
    health: JudgeHealth


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


def make_scoreboard(files: list[ReviewFile], key1: str, key2: str, api_model: str, rule: str) -> Scoreboard:
    """Return the scoreboard of review files of one judge."""
    sets = [_scoreboard_row(file.dataset_name, file.reviews) for file in files]
    total = _scoreboard_row("total", [review for file in files for review in file.reviews])
    return Scoreboard(key1, key2, api_model, rule, sets, total)


def scoreboard_json(board: Scoreboard) -> dict[str, Any]:
    """Return every number of a scoreboard for the JSON file. What does not exist is null."""
    return asdict(board) | {
        "bootstrap": {"resamples": NUM_RESAMPLES, "seed": SEED, "percentiles": [2.5, 97.5]},
        "max_conflict_share": MAX_CONFLICTS,
    }


def _scoreboard_row(name: str, reviews: list[Review]) -> ScoreboardRow:
    return ScoreboardRow(name, judge_pairs(reviews), judge_health(reviews))
