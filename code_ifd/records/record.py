"""What a record is, the score that step 1 gives it, and the columns that step 2 adds."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Record = dict[str, Any]
# A record's numbers. The first three have the names of the original tool; ifd_loss is the ratio of losses that
# Cherry_LLM uses; ifd_upper is the upper end of the interval of ifd_ppl, and ifd_tokens how many tokens it rests on.
NUMBERS = ("ppl_A_direct", "ppl_A_condition", "ifd_ppl", "ifd_loss", "ifd_upper", "ifd_tokens")
COUNTS = ("ifd_tokens",)


@dataclass(frozen=True)
class Skipped:
    """Stands where a value would be; `reason` says why there is none: `empty_response`, `long_prompt`..."""

    reason: str


class Score(NamedTuple):
    """Losses in nats per token, and their perplexities."""

    ppl_direct: float
    ppl_conditioned: float
    loss_direct: float
    loss_conditioned: float
    se: float | None = None  # standard error of the mean gain, in nats; None for too few tokens, and in older files
    num_tokens: int | None = None  # scored tokens of the response alone; None where the file is older than `se`


# What a record gets; of a conversation, one entry for each turn of the assistant.
Result = Score | Skipped | list[Score | Skipped]


@dataclass(frozen=True)
class Column:
    """Values to add to records, one a record, None for a record without one.

    They are numbers, counts, texts, or the scores of turns, a list of dicts for each record.
    """

    name: str
    kind: Literal["number", "count", "text", "turns"]
    values: list[Any]


class Block(Protocol):
    """Some records that follow each other in a dataset, in the form of its format: JSON objects, or rows of a table."""

    def __len__(self) -> int:
        """Return the number of records."""

    def records(self) -> list[Record]:
        """Return the records, each a dict with all of its keys."""

    def values(self, key: str) -> list[Any] | None:
        """Return the values under a key, None for a record without it; None when no record has it."""

    def with_columns(self, columns: "list[Column]") -> "Block":
        """Return the records with values added; values that they have already under those names are replaced."""

    def take(self, indices: list[int]) -> "Block":
        """Return the records at these indices, in this order."""
