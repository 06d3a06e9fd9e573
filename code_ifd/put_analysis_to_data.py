"""Step 2: put the scores of step 1 into the dataset.

Reads a dataset and its score file, or several score files that cover it in
shards (step 1 with --start_idx, --end_idx). Writes the dataset with
ppl_A_direct, ppl_A_condition, ifd_ppl, ifd_loss (the ratio of losses that
Cherry_LLM uses), ifd_upper (the upper end of the interval of ifd_ppl) and
ifd_tokens (scored tokens of the response) added to each record. They are null
for a record without a score, and ifd_skipped says why. No record is dropped or
moved.

python code_ifd/put_analysis_to_data.py --pt_data_path outputs/scores.jsonl \\
    --json_data_path data/sample_alpaca.json \\
    --json_save_path outputs/scored.json
"""

from shared.start import run

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from records.dataset import Dataset, dataset_writer
from records.dataset_files import DATASET_HELP
from records.hub_name import as_scored
from records.outputs import add_overwrite_flag, check_output
from records.record import COUNTS, NUMBERS, Block, Column, Result, Skipped
from scoring.score_file import SCORING_KEYS, ScoreFile, differences, meta_path, skipped_summary
from selection.score_summary import TURNS, summarize, turn_numbers
from shared.cli import UserError, new_parser, say, tell


class Span(NamedTuple):
    """The records that a score file covers by its meta, from `start` up to, but not including, `end`."""

    path: str
    start: int
    end: int


def in_order(shards: list[ScoreFile], data_path: str, data_sha256: str) -> list[ScoreFile]:
    """Return the score files in record order. Raises UserError unless, by their meta, they tile this dataset."""
    if len(shards) == 1 and shards[0].meta is None:
        return shards
    metas = {}
    for shard in shards:
        if shard.meta is None:
            raise UserError(
                f"{shard.path}: has no meta file, so nothing says which records it scores; "
                "only a single file may lack it"
            )
        if shard.meta["data_sha256"] != data_sha256:
            raise UserError(
                f"{shard.path}: holds scores of other data ({shard.meta['data_path']}, "
                f"SHA-256 {shard.meta['data_sha256'][:12]}..., {shard.meta['num_records']} records) "
                f"than {data_path} (SHA-256 {data_sha256[:12]}...); "
                "give step 2 the file that step 1 read"
            )
        metas[shard] = shard.meta
    shards = sorted(shards, key=lambda shard: (metas[shard]["start_idx"], metas[shard]["end_idx"]))
    for one, next_one in pairwise(shards):
        difference = differences(metas[one], metas[next_one], SCORING_KEYS, ("in the first", "in the second"))
        if difference:
            raise UserError(
                f"{one.path} and {next_one.path} were not scored alike ({difference}); score one of them again"
            )
    spans = [Span(shard.path, metas[shard]["start_idx"], metas[shard]["end_idx"]) for shard in shards]
    check_tiling(spans, metas[shards[0]]["num_records"])
    return shards


def check_tiling(spans: list[Span], num_records: int) -> None:
    """Raise UserError, naming the gap or the overlap, unless sorted spans cover each record exactly once."""
    position = 0
    for path, start, end in spans:
        if start > position:
            raise UserError(
                f"no score file for records {position} to {start - 1}; add the missing shard (next is {path})"
            )
        if start < position:
            last = min(position, end) - 1
            raise UserError(f"{path}: records {start} to {last} are in another score file too; leave one of them out")
        position = end
    if position < num_records:
        raise UserError(f"no score file for records {position} to {num_records - 1}; add the missing shard")


def read_shards(shards: list[ScoreFile]) -> Iterator[Result]:
    """Yield one result a record, in record order, from score files that tile the dataset.

    Raises UserError for one that is not whole.
    """
    for shard in shards:
        num_lines = 0
        for result in shard:
            num_lines += 1
            yield result
        expected = shard.meta["end_idx"] - shard.meta["start_idx"] if shard.meta else num_lines
        if num_lines != expected:
            raise UserError(
                f"{shard.path}: {num_lines} of {expected} lines, so step 1 has not finished; "
                "run it again with the same flags and it goes on from there"
            )


class Merger:
    """Adds scores to records block by block, and counts them.

    `reasons` counts the records without a score, `num_older` those with one from before step 1 wrote `se`.
    """

    def __init__(self, turns: str) -> None:
        self.turns = turns
        self.num_records = 0
        self.reasons: Counter[str] = Counter()
        self.num_older = 0

    def add(self, block: Block, results: list[Result]) -> Block:
        """Return the records with their scores; scores that they had from an earlier run are replaced."""
        found = [summarize(result, self.turns) for result in results]
        reasons = [numbers.reason if isinstance(numbers, Skipped) else None for numbers in found]
        self.num_records += len(block)
        self.reasons.update(reason for reason in reasons if reason)
        self.num_older += sum(not isinstance(numbers, Skipped) and numbers["ifd_tokens"] is None for numbers in found)
        columns = [
            Column(
                name,
                "count" if name in COUNTS else "number",
                [None if isinstance(numbers, Skipped) else numbers[name] for numbers in found],
            )
            for name in NUMBERS
        ]
        columns.append(Column("ifd_skipped", "text", reasons))
        columns.append(Column("ifd_turns", "turns", [turn_numbers(result) for result in results]))
        return block.with_columns(columns)


def merge(dataset: Dataset, shards: list[ScoreFile], merger: Merger, save_path: str) -> None:
    """Write the scored dataset. Raises UserError unless there is one score a record; nothing is written then."""
    results, num_lines = read_shards(shards), 0
    with dataset_writer(save_path, dataset) as writer:
        for block in dataset.blocks():
            found = list(islice(results, len(block)))
            num_lines += len(found)
            writer.write(merger.add(block, found + [Skipped("missing")] * (len(block) - len(found))))
        num_lines += sum(1 for _ in results)
        if num_lines != merger.num_records:
            raise UserError(
                f"{shards[0].path}: {num_lines} lines and no meta file, "
                f"but {dataset.path} has {merger.num_records} records; "
                "without a meta file the numbers must be equal"
            )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--pt_data_path",
        nargs="+",
        required=True,
        metavar="SCORES",
        help="score file of step 1, or several that cover the dataset in shards, in any order",
    )
    parser.add_argument(
        "--json_data_path",
        required=True,
        help=f"the dataset that step 1 read: {DATASET_HELP} (then the commit and split of step 1)",
    )
    parser.add_argument(
        "--json_save_path",
        required=True,
        help="where to write the scored dataset: .json, .jsonl, .jsonl.gz, .jsonl.zst, .parquet",
    )
    parser.add_argument(
        "--turns",
        choices=TURNS,
        default="mean",
        help="the score of a conversation: the mean over the assistant's turns, that of the last turn, or of the one "
        "with the highest IFD (default: %(default)s)",
    )
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Merge the score files into the dataset, and print how many records have a score."""
    args = parse_args(argv)
    shards = [ScoreFile(path) for path in args.pt_data_path]
    dataset = Dataset(as_scored(args.json_data_path, [shard.meta["data_path"] for shard in shards if shard.meta]))
    inputs = (*args.pt_data_path, *map(meta_path, args.pt_data_path))
    check_output(args.json_save_path, dataset, args.overwrite, *inputs)
    shards = in_order(shards, args.json_data_path, dataset.sha256())
    selection = shards[0].meta and shards[0].meta.get("selection")
    if selection:
        tell(
            f"note: scored with --dtype mixed: exact enough to select the {selection['num_wanted']} highest below "
            f"{selection['filter_threash']} by {selection.get('key_name', 'ifd_ppl')}; "
            "for another selection, score again"
        )
    merger = Merger(args.turns)
    merge(dataset, shards, merger, args.json_save_path)
    num_scored = merger.num_records - merger.reasons.total()
    if merger.num_older and shards[0].meta:
        tell(
            f"note: {merger.num_older} of {num_scored} scores were made before step 1 wrote their standard error, so "
            "ifd_upper and ifd_tokens are null there; score the dataset again to select by ifd_upper"
        )
    say(f"{merger.num_records} records, {skipped_summary(num_scored, merger.reasons)} -> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
