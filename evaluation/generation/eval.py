"""Judging, step 3: ask a judge model which of two answers is better, in both orders.

Reads a wrap file (X_wrap.json of eval_generation_wrap.py). Writes the review file beside it,
X_wrap_reviews_<judge>.json, once every request is answered. Each answer goes at once into <review file>.journal.jsonl:
run the same command again after a stop of any kind, and nothing that was answered is asked, or paid for, again.

OPENAI_API_KEY=... python evaluation/generation/eval.py --api_model gpt-4 \\
    --wraped_file outputs/evaluation/model1-VS-model2/sample_wrap.json
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from answering.wrap_file import read_wrap_file, write_wrap_file
from judging.answer_journal import AnswerJournal, Answers, answer_journal_path, read_answer_journal
from judging.client import JudgeClient, check_base, find_key, shown_base
from judging.costs import Budget, Prices
from judging.flags import parse_args
from judging.report import (
    RunReport,
    describe_unanswered,
    say_plan,
    say_run,
    warn_of_earlier_prompt,
    warn_of_models,
)
from judging.requests import Judge, JudgeRequest, PairRequests, pair_requests
from judging.retry_policy import RetryLimits
from judging.review_assembly import Refusals, as_begun, assemble, missing_requests, used_answers
from judging.run import JudgeRun
from shared.cli import Interrupted, UserError, run, say
from verdict.review_file import review_path


@dataclass(frozen=True)
class ServerAccess:
    """How the judge is spoken to: its address, a key or None, and the bounds of the traffic."""

    api_base: str
    api_key: str | None = field(repr=False)
    timeout_seconds: float
    batch_size: int
    limits: RetryLimits


def ask_missing(
    access: ServerAccess, pairs: list[PairRequests], prices: Prices | None, max_cost: Decimal | None, path: str
) -> tuple[Answers, RunReport]:
    """Ask what the journal does not have. Returns all answers and what was done; raises Interrupted on Ctrl-C."""
    api_key = find_key(access.api_key or os.environ.get("OPENAI_API_KEY"), access.api_base)
    with AnswerJournal(path) as journal:
        missing = missing_requests(pairs, journal.answers)
        budget = Budget(prices, max_cost)
        for request, answer in used_answers(pairs, journal.answers).values():
            budget.settle(request, answer, charged=True)
        num_before = len(journal.answers)
        report = RunReport()
        try:
            asyncio.run(ask(access, api_key, missing, journal, budget, report))
        except UserError as error:
            raise UserError(f"{error}; {_kept(journal, num_before)}") from None
        except KeyboardInterrupt:
            raise Interrupted(_kept(journal, num_before)) from None
        finally:
            if report.answers:
                say_run(report, prices)
    return journal.answers, report


async def ask(
    access: ServerAccess,
    api_key: str,
    missing: list[JudgeRequest],
    journal: AnswerJournal,
    budget: Budget,
    report: RunReport,
) -> None:
    """Ask the missing requests with a progress bar. Fills the report."""
    from tqdm import tqdm

    async with JudgeClient(access.api_base, api_key, access.timeout_seconds) as client:
        with tqdm(total=len(missing), unit="request", disable=None, smoothing=0.1) as bar:
            judging = JudgeRun(client, journal, budget, access.limits, access.batch_size, bar.update, report)
            await judging.run(missing)


def _kept(journal: AnswerJournal, num_before: int) -> str:
    return (
        f"{len(journal.answers) - num_before} answers of this run and {num_before} from before are kept in "
        f"{journal.path}; "
        "the same command goes on from there"
    )


def refusals_to_skip(report: RunReport, refused_prompts: str) -> Refusals:
    """Return the refusals that the review file may have. Raises UserError for requests that it cannot do without."""
    # One that asks again is only spared its second chance.
    lasting = [
        (request, failure)
        for request, failure in report.refused
        if refused_prompts == "stop" and not request.is_follow_up
    ]
    if report.failed or lasting:
        remedy = "the same command asks them again; the other answers are kept"
        if lasting and not report.failed:
            remedy = "--refused_prompts skip writes the review file without them; the other answers are kept"
        raise UserError(f"{describe_unanswered(report.failed + lasting)}; no review file was written; {remedy}")
    return {request.key: str(failure) for request, failure in report.refused}


def main(argv: Sequence[str] | None = None) -> None:
    """Ask the judge what the journal does not have and write the review file."""
    args = parse_args(__doc__, argv)
    api_base = check_base(args.api_base)
    wrap = read_wrap_file(args.wraped_file)
    save_path = review_path(args.wraped_file, args.api_model)
    answers = read_answer_journal(answer_journal_path(save_path))
    judge = Judge(args.api_model, args.max_tokens, args.temperature, args.judge_input == "on")
    judge = as_begun(wrap.pairs, judge, answers)
    warn_of_earlier_prompt(judge, answer_journal_path(save_path))
    pairs = pair_requests(wrap.pairs, judge)
    prices = None if args.price_in is None else Prices(args.price_in, args.price_out)
    missing = missing_requests(pairs, answers)
    say_plan(
        len(pairs),
        len(used_answers(pairs, answers)),
        missing,
        prices,
        f"{args.api_model} at {shown_base(api_base)}",
    )
    if args.dry_run:
        return
    report = RunReport()
    if missing:
        limits = RetryLimits(max_retries=args.max_retries)
        access = ServerAccess(api_base, args.api_key, args.timeout_seconds, args.batch_size, limits)
        answers, report = ask_missing(access, pairs, prices, args.max_cost, answer_journal_path(save_path))
    warn_of_models(answer for _, answer in used_answers(pairs, answers).values())
    reviews = assemble(wrap, pairs, judge, answers, refusals_to_skip(report, args.refused_prompts))
    write_wrap_file(save_path, reviews.meta, reviews.rows)
    say(f"{len(pairs)} pairs, {reviews.num_unparsed} of {2 * len(pairs)} reviews without scores -> {save_path}")
    for request, failure in report.refused:
        print(f"warning: {request.where}: {failure}", file=sys.stderr)


if __name__ == "__main__":
    run(main, is_async=True)
