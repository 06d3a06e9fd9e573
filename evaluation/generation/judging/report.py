"""What eval.py tells its user: what is to be done and what it may cost, and what was done and what it did cost."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from answering.wrap_file import Pair
from judging.costs import Prices, estimated_tokens, most_tokens_of
from judging.outcomes import Failure, JudgeAnswer
from judging.requests import Judge, JudgeRequest
from judging.review_assembly import is_cut_short
from shared.cli import say, tell
from shared.texts import shorten
from verdict.review_text import holds_prompt_marks

# Tokens that a judge should have which thinks before it scores; --max_tokens counts its thinking.
ADVISED_FOR_THINKING = 8192
# Judges whose published reviews fit into the default.
PUBLISHED_JUDGES = re.compile(r"gpt-4(-|$)|gpt-3\.5-turbo")
DEFAULT_MAX_TOKENS = 1024
# How many requests an error names before it only counts them.
NUM_NAMED = 3

Unanswered = tuple[JudgeRequest, Failure]


@dataclass
class RunReport:
    """What a run did. `failed` and `refused` are the requests without an answer, each with its last failure."""

    answers: list[JudgeAnswer] = field(default_factory=list)
    retries: "Counter[str]" = field(default_factory=Counter)
    num_asked_again: int = 0
    failed: list[Unanswered] = field(default_factory=list)
    refused: list[Unanswered] = field(default_factory=list)
    seconds: float = 0.0


def say_plan(
    num_pairs: int, num_answered: int, missing: list[JudgeRequest], prices: Prices | None, judge_name: str
) -> None:
    """Print how much is to be asked, and what it costs at most: should every answer have to be asked for again."""
    num_in = sum(map(estimated_tokens, missing))
    most_in, most_out = most_tokens_of(missing)
    line = (
        f"{num_pairs} pairs in both orders: {num_answered} requests answered before, {len(missing)} to send to "
        f"{judge_name}"
    )
    if missing:
        line += f"; about {num_in:,} tokens of prompts, at most {most_out:,} of answers"
        line += (
            f"; at most {prices.cost(most_in, most_out):,.2f} USD, second questions after unreadable answers included"
            if prices
            else "; cost unknown without --price_in and --price_out"
        )
    say(line)


def advise_room(judge: Judge) -> None:
    """Say what --max_tokens is advised where the judge may think first and has the room of published judges."""
    if judge.max_tokens == DEFAULT_MAX_TOKENS and not PUBLISHED_JUDGES.match(judge.api_model):
        say(
            f"--max_tokens {judge.max_tokens} is enough for a judge that answers at once; for one that thinks first, "
            f"--max_tokens {ADVISED_FOR_THINKING} or more is advised"
        )


def say_run(report: RunReport, prices: Prices | None) -> None:
    """Print what a run did, as the server reported it: answers, tokens, cost, retries by cause, time."""
    counted = [
        answer for answer in report.answers if answer.prompt_tokens is not None and answer.completion_tokens is not None
    ]
    num_in = sum(answer.prompt_tokens or 0 for answer in counted)
    num_out = sum(answer.completion_tokens or 0 for answer in counted)
    num = len(report.answers)
    line = (
        f"{num} answers in {report.seconds:.1f} s ({num / max(report.seconds, 1e-9):.1f}/s), {num_in:,} tokens "
        f"of prompts, {num_out:,} of answers"
    )
    if prices:
        line += f", {prices.cost(num_in, num_out):,.4f} USD"
    if len(counted) < num:
        line += f" (without {num - len(counted)} answers whose tokens the server did not report)"
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(report.retries.items()))
    line += f"; {report.retries.total()} retries" + (f": {causes}" if causes else "")
    if report.num_asked_again:
        line += f"; {report.num_asked_again} asked again for scores"
    say(line)


def warn_of_earlier_prompt(judge: Judge, journal_path: str) -> None:
    """Say that reviews are finished with the prompt that an earlier version has begun them with, where they are."""
    if judge.has_earlier_prompt:
        tell(
            f"note: {journal_path} was begun with an earlier version's prompt, which has a space before two line "
            "breaks; these reviews are finished with it, and nothing is asked twice; move that file away to ask with "
            "the published prompt"
        )


def warn_of_marks(pairs: list[Pair]) -> None:
    """Warn of answers that hold marks of the judge's prompt, with which they may speak to the judge."""
    marked = [pair for pair in pairs if holds_prompt_marks(pair.answer1) or holds_prompt_marks(pair.answer2)]
    if marked:
        ids = ", ".join(shorten(pair.id) for pair in marked[:NUM_NAMED]) + (", ..." if len(marked) > NUM_NAMED else "")
        tell(
            f"warning: {len(marked)} pairs have an answer with marks of the judge's prompt in it, such as [The End of "
            f"Assistant 1's Answer], which may mislead the judge: id {ids}; the verdict's health counts them"
        )


def warn_of_models(answers: Iterable[JudgeAnswer]) -> None:
    """Warn when the server has reported more than one model: verdicts of different judges would be mixed."""
    models = Counter(answer.model for answer in answers if answer.model is not None)
    if len(models) > 1:
        names = ", ".join(f"{shorten(name)} for {count}" for name, count in sorted(models.items()))
        tell(
            f"warning: the server reports more than one model: {names} answers; give --api_model a name that stays "
            "the same"
        )


def warn_of_cuts(answers: Iterable[JudgeAnswer], max_tokens: int) -> None:
    """Warn of answers that the limit of tokens has cut before their scores."""
    num_cut = sum(map(is_cut_short, answers))
    if num_cut:
        tell(
            f"warning: {num_cut} answers were cut before their scores at --max_tokens {max_tokens}; they are not asked "
            f"again with the same limit: give a larger one ({ADVISED_FOR_THINKING} for a judge that thinks first)"
        )


def describe_unanswered(unanswered: list[Unanswered]) -> str:
    """Return one line that names the first requests without an answer and why they have none."""
    named = "; ".join(f"{request.where}: {failure}" for request, failure in unanswered[:NUM_NAMED])
    more = f"; and {len(unanswered) - NUM_NAMED} more" if len(unanswered) > NUM_NAMED else ""
    return f"{len(unanswered)} requests have no answer: {named}{more}"
