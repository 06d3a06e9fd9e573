"""Judging, step 3: ask a judge model which of two answers is better, in both orders.

Reads a wrap file (X_wrap.json of eval_generation_wrap.py). Writes the review file beside it,
X_wrap_reviews_<judge>.json, once every request is answered. Each answer goes at once into <review file>.journal.jsonl:
run the same command again after a stop of any kind, and nothing that was answered is asked, or paid for, again.

OPENAI_API_KEY=... python evaluation/generation/eval.py --api_model gpt-4 \\
    --wraped_file outputs/evaluation/model1-VS-model2/sample_wrap.json
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from answering.wrap_file import read_wrap_file, write_wrap_file
from judging.answer_journal import AnswerJournal, Answers, answer_journal_path, read_answer_journal
from judging.batch_client import BatchClient
from judging.batch_run import BatchRun, open_batch
from judging.client import JudgeClient, ServerAccess
from judging.costs import Budget, Prices
from judging.early_end import Before
from judging.flags import parse_args
from judging.report import (
    RunReport,
    advise_room,
    describe_unanswered,
    say_plan,
    say_run,
    warn_of_cuts,
    warn_of_earlier_prompt,
    warn_of_marks,
    warn_of_models,
)
from judging.requests import Judge, PairRequests, pair_requests
from judging.retry_policy import RetryLimits
from judging.review_assembly import Refusals, as_begun, assemble, is_cut_short, missing_requests, used_answers
from judging.run import JudgeRun
from judging.secrets_hiding import Secrets
from judging.server_address import check_base, find_key, find_secrets, warn_of_plain_http
from shared.cli import Interrupted, UserError, run, say, tell
from verdict.review_file import review_path


@dataclass(frozen=True)
class Task:
    """What is to be asked, and the bounds of it: requests in flight at once, retries, and money.

    `poll_seconds` is None without --batch_api.
    """

    pairs: list[PairRequests]
    batch_size: int
    limits: RetryLimits
    prices: Prices | None
    max_cost: Decimal | None
    poll_seconds: float | None


def ask_missing(access: ServerAccess, task: Task, path: str) -> tuple[Answers, RunReport]:
    """Ask what the journal does not have. Returns all answers and what was done; raises Interrupted on Ctrl-C."""
    with AnswerJournal(path) as journal:
        budget = spent_before(task, journal)
        num_before = len(journal.answers)
        report = RunReport()
        try:
            if task.poll_seconds is not None:
                asyncio.run(ask_batches(access, task, journal, budget, report))
            elif batch := open_batch(journal):
                raise UserError(
                    f"the batch {batch.batch_id or batch.token} of {batch.num_requests} requests is open, and they "
                    "would be paid twice: run it with --batch_api, which fetches the answers"
                )
            else:
                asyncio.run(ask(access, task, journal, budget, report))
        except UserError as error:
            raise UserError(f"{error}; {_kept(journal, num_before)}") from None
        except KeyboardInterrupt:
            raise Interrupted(_kept(journal, num_before)) from None
        finally:
            if report.answers:
                say_run(report, task.prices)
    return journal.answers, report


def spent_before(task: Task, journal: AnswerJournal) -> Budget:
    """Return a budget of which all is spent that was paid for these pairs, and that failed requests may have cost."""
    budget = Budget(task.prices, task.max_cost)
    for request, answer in used_answers(task.pairs, journal.answers).values():
        budget.settle(request, answer, charged=True)
    for charge in journal.content.charged:
        budget.add_charge(charge.num_in, charge.num_out)
    return budget


async def ask(access: ServerAccess, task: Task, journal: AnswerJournal, budget: Budget, report: RunReport) -> None:
    """Ask the missing requests with a progress bar. Fills the report."""
    from tqdm import tqdm

    missing = missing_requests(task.pairs, journal.answers)
    used = [answer for _, answer in used_answers(task.pairs, journal.answers).values()]
    before = Before(len(used), sum(map(is_cut_short, used)))
    async with JudgeClient(access) as client:
        with tqdm(total=len(missing), unit="request", disable=None, smoothing=0.1) as bar:
            judging = JudgeRun(client, journal, budget, task.limits, task.batch_size, bar.update, report, before, tell)
            await judging.run(missing)


async def ask_batches(
    access: ServerAccess, task: Task, journal: AnswerJournal, budget: Budget, report: RunReport
) -> None:
    """Ask the missing requests through the Batch endpoints. Fills the report."""
    started = asyncio.get_running_loop().time()
    num_missing = len(missing_requests(task.pairs, journal.answers))
    assert task.poll_seconds is not None
    async with BatchClient(access, task.limits, num_missing) as client:
        batches = BatchRun(
            client, journal, budget, report, access.address.shown, task.poll_seconds, access.secrets, tell
        )
        try:
            await batches.run(task.pairs)
        finally:
            report.seconds = asyncio.get_running_loop().time() - started


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
    secrets = Secrets(find_secrets(list(sys.argv[1:] if argv is None else argv)))
    with secrets.guard():
        judge_pairs(parse_args(__doc__, argv), secrets)


def judge_pairs(args: argparse.Namespace, secrets: Secrets) -> None:
    """Do what the command line says; nothing that is printed or written has one of the secrets in it."""
    address = check_base(args.api_base)
    wrap = read_wrap_file(args.wraped_file)
    save_path = review_path(args.wraped_file, args.api_model)
    answers = read_answer_journal(answer_journal_path(save_path)).answers
    judge = Judge(
        args.api_model,
        args.max_tokens,
        args.temperature,
        args.judge_input == "on",
        has_system_role=args.system_role == "system",
        seed=args.seed,
        extra_body=args.extra_body,
    )
    judge = as_begun(wrap.pairs, judge, answers)
    warn_of_earlier_prompt(judge, answer_journal_path(save_path))
    warn_of_marks(wrap.pairs)
    pairs = pair_requests(wrap.pairs, judge)
    prices = None if args.price_in is None else Prices(args.price_in, args.price_out)
    missing = missing_requests(pairs, answers)
    say_plan(len(pairs), len(used_answers(pairs, answers)), missing, prices, f"{args.api_model} at {address.shown}")
    if missing:
        advise_room(judge)
    if args.dry_run:
        return
    report = RunReport()
    if missing:
        headers = dict(args.api_header)
        key = find_key(args.api_key or os.environ.get("OPENAI_API_KEY"), address, headers)
        warn_of_plain_http(address)
        access = ServerAccess(address, key, headers, args.timeout_seconds, secrets)
        limits = RetryLimits(max_retries=args.max_retries)
        if args.cut_answers == "keep":
            limits = replace(limits, max_cut=None)
        task = Task(
            pairs, args.batch_size, limits, prices, args.max_cost, args.poll_seconds if args.batch_api else None
        )
        answers, report = ask_missing(access, task, answer_journal_path(save_path))
    used = [answer for _, answer in used_answers(pairs, answers).values()]
    warn_of_cuts(used, judge.max_tokens)
    warn_of_models(used)
    reviews = assemble(wrap, pairs, judge, answers, refusals_to_skip(report, args.refused_prompts))
    write_wrap_file(save_path, secrets.hide_in(reviews.meta), secrets.hide_in(reviews.rows))
    say(f"{len(pairs)} pairs, {reviews.num_unparsed} of {2 * len(pairs)} reviews without scores -> {save_path}")
    for request, failure in report.refused:
        tell(f"warning: {request.where}: {failure}")


if __name__ == "__main__":
    run(main, is_async=True)
