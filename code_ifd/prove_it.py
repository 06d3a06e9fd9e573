"""Does it work at all? Train a small model on the selected records, and on
others: random ones, the longest, the lowest IFD, all. Every arm trains on as
many response tokens in as many steps. Compare what each makes of records that
none of them has seen.

Reads a scored dataset (step 2). Writes a table with the loss (nats per token)
on the held-out responses, and beside it a journal with each finished run. Run
the same command again after a stop: it trains only what is missing. More arms
and seeds may follow later.

python code_ifd/prove_it.py --json_data_path outputs/scored.json \\
    --save_path outputs/prove_it.json --model_name_or_path smollm2-135m
"""

from shared.start import run

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tqdm import tqdm

from models.source import add_device_flag
from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.journal import LineJournal
from records.outputs import add_overwrite_flag, check_outputs
from shared.cli import Interrupted, new_parser, say
from shared.files import atomic_writer, encode_json, refuse_overwriting
from training.experiment import Experiment, ExperimentSettings, describe_experiment
from training.flags import add_arm_flags, add_run_flags, add_training_flags
from training.preparation import Plan, prepare
from training.proof_table import UNTRAINED, arms_table, summarize_arms, token_mean


def plan_runs(arms: list[str], seeds: list[int]) -> Plan:
    """Return the runs seed by seed, so that what is done at any time is balanced; the untrained model is first."""
    return list(dict.fromkeys([(UNTRAINED, None), *((arm, seed) for seed in seeds for arm in arms)]))


def train_missing(journal: LineJournal, experiment: Experiment, plan: Plan, write_table: Callable[[], None]) -> None:
    """Train and measure what the journal does not have. The table is written after each run.

    Raises Interrupted on Ctrl-C.
    """
    done = {(run["arm"], run["seed"]) for run in journal.entries}
    missing = [key for key in plan if key not in done]
    num_steps = sum(experiment.settings.num_steps for _, seed in missing if seed is not None)
    try:
        with tqdm(total=num_steps, unit=" steps", disable=None, dynamic_ncols=True) as bar:
            for arm, seed in missing:
                name = arm if seed is None else f"{arm}, seed {seed}"
                bar.set_description(name)
                finished = experiment.run(arm, seed, bar.update)
                journal.append([finished])
                write_table()
                tqdm.write(
                    f"{name}: {token_mean(finished):.3f} nats per token, {finished['seconds']:.0f} s", file=sys.stderr
                )
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(journal.entries)} runs are in {journal.path}; the same command trains the rest"
        ) from None


def runs_path(save_path: str) -> str:
    """Return where the journal of the finished runs lies."""
    return f"{save_path}.runs.jsonl"


def write_rows(save_path: str, journal: LineJournal, header: dict[str, Any], experiment: Experiment) -> None:
    """Write what is finished as JSON: the settings, and a row for each arm.

    Raises UserError when it cannot be written.
    """
    split = experiment.split
    sizes = {"held_out_records": len(split.held_out), "pool_records": len(split.pool)}
    with atomic_writer(save_path) as file:
        file.write(encode_json({"settings": header, **sizes, "rows": summarize_arms(journal.entries)}) + b"\n")


def print_table(save_path: str, journal: LineJournal, experiment: Experiment) -> None:
    """Print the table, and where it lies."""
    split = experiment.split
    num_tokens = sum(journal.entries[0]["tokens"])
    say(
        f"{arms_table(summarize_arms(journal.entries))}\n"
        f"{len(split.held_out)} records held out ({num_tokens:,} response tokens), "
        f"{len(split.pool)} to train on\n-> {save_path}"
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument(
        "--save_path", required=True, help="where to write the table (.json); its runs go to <save_path>.runs.jsonl"
    )
    add_run_flags(parser)
    add_training_flags(parser)
    add_arm_flags(parser)
    add_device_flag(parser)
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read and check everything, train what is missing, and print the table, after Ctrl-C too."""
    args = parse_args(argv)
    dataset = Dataset(args.json_data_path)
    refuse_overwriting(runs_path(args.save_path), *dataset.files)
    check_outputs([args.save_path], [dataset], args.overwrite)
    names = [field.name for field in dataclasses.fields(ExperimentSettings)]  # flags of the same names
    settings = ExperimentSettings(**{name: getattr(args, name) for name in names})
    if settings.batch_size is not None:
        settings = dataclasses.replace(settings, tokens_per_step=None)
    plan = plan_runs(args.arms, args.seeds)
    experiment = prepare(settings, plan, dataset)
    header = describe_experiment(experiment, dataset)
    with LineJournal(runs_path(args.save_path), header, "--save_path") as journal:
        try:
            write_table = partial(write_rows, args.save_path, journal, header, experiment)
            train_missing(journal, experiment, plan, write_table)
        finally:
            if journal.entries:  # after Ctrl-C too: what is done is a table already
                print_table(args.save_path, journal, experiment)


if __name__ == "__main__":
    run(main)
