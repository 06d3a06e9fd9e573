"""Step 2: put the scores of step 1 into the dataset.

Reads a dataset and its score file, or several score files that cover it in
shards (step 1 with --start_idx, --end_idx). Writes the dataset with
ppl_A_direct, ppl_A_condition, ifd_ppl and ifd_loss (the ratio of losses that
Cherry_LLM uses) added to each record. They are null for a record without a
score, and ifd_skipped says why. No record is dropped or moved.

python code_ifd/put_analysis_to_data.py --pt_data_path outputs/scores.jsonl \\
    --json_data_path data/sample_alpaca.json --json_save_path outputs/scored.json
"""

import argparse
import sys
from itertools import pairwise

from cli import UserError, new_parser, run, say
from ifd import ratio
from records import Record, read_hashed_dataset, refuse_overwriting, write_dataset
from score_file import SCORING_KEYS, Score, ScoreFile, differences, meta_path, read_score_file, skipped_summary


def check_shard(shard: ScoreFile, data_path: str, data_sha256: str, num_records: int) -> None:
    """Raise UserError unless a score file with a meta is whole and scores this dataset."""
    meta = shard.meta
    if meta["data_sha256"] != data_sha256:
        raise UserError(
            f"{shard.path}: holds scores of other data ({meta['data_path']}, SHA-256 {meta['data_sha256'][:12]}..., "
            f"{meta['num_records']} records) than {data_path} (SHA-256 {data_sha256[:12]}..., {num_records} records); "
            "give step 2 the file that step 1 read"
        )
    expected = meta["end_idx"] - meta["start_idx"]
    if len(shard.scores) != expected:
        raise UserError(
            f"{shard.path}: {len(shard.scores)} of {expected} lines, so step 1 has not finished; "
            "run it again with the same flags and it goes on from there"
        )


def join_shards(shards: list[ScoreFile], data_path: str, data_sha256: str, num_records: int) -> list[Score | str]:
    """Return one score or reason a record, in record order. Raises UserError unless the shards tile the dataset."""
    if len(shards) == 1 and shards[0].meta is None:
        scores = shards[0].scores
        if len(scores) != num_records:
            raise UserError(
                f"{shards[0].path}: {len(scores)} lines and no meta file, but {data_path} has {num_records} records; "
                "without a meta file the numbers must be equal"
            )
        return scores
    for shard in shards:
        if shard.meta is None:
            raise UserError(f"{shard.path}: has no meta file, so nothing says which records it scores; only a single file may lack it")
        check_shard(shard, data_path, data_sha256, num_records)
    shards = sorted(shards, key=lambda shard: (shard.meta["start_idx"], shard.meta["end_idx"]))
    for one, next_one in pairwise(shards):
        difference = differences(one.meta, next_one.meta, SCORING_KEYS, ("in the first", "in the second"))
        if difference:
            raise UserError(f"{one.path} and {next_one.path} were not scored alike ({difference}); score one of them again")
    check_tiling(shards, num_records)
    return [score for shard in shards for score in shard.scores]


def check_tiling(shards: list[ScoreFile], num_records: int) -> None:
    """Raise UserError, naming the gap or the overlap, unless sorted shards cover each record exactly once."""
    position = 0
    for shard in shards:
        start, end = shard.meta["start_idx"], shard.meta["end_idx"]
        if start > position:
            raise UserError(f"no score file for records {position} to {start - 1}; add the missing shard (next is {shard.path})")
        if start < position:
            last = min(position, end) - 1
            raise UserError(f"{shard.path}: records {start} to {last} are in another score file too; leave one of them out")
        position = end
    if position < num_records:
        raise UserError(f"no score file for records {position} to {num_records - 1}; add the missing shard")


def add_score(record: Record, score: Score | str) -> Record:
    """Return the record with its scores added; scores that it had from an earlier run are replaced."""
    scored = {key: value for key, value in record.items() if key != "ifd_skipped"}
    if isinstance(score, str):
        nothing = dict.fromkeys(("ppl_A_direct", "ppl_A_condition", "ifd_ppl", "ifd_loss"))
        return scored | nothing | {"ifd_skipped": score}
    return scored | {
        "ppl_A_direct": score.ppl_direct,
        "ppl_A_condition": score.ppl_conditioned,
        "ifd_ppl": ratio(score.ppl_conditioned, score.ppl_direct),
        "ifd_loss": ratio(score.loss_conditioned, score.loss_direct),
    }


def parse_args() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument(
        "--pt_data_path", nargs="+", required=True, metavar="SCORES",
        help="score file of step 1, or several that cover the dataset in shards, in any order",
    )
    parser.add_argument("--json_data_path", required=True, help="the dataset that step 1 read (.json or .jsonl)")
    parser.add_argument("--json_save_path", required=True, help="where to write the scored dataset (.json or .jsonl)")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    inputs = [*args.pt_data_path, *map(meta_path, args.pt_data_path)]
    refuse_overwriting(args.json_save_path, args.json_data_path, *inputs)
    records, data_sha256 = read_hashed_dataset(args.json_data_path)
    shards = [read_score_file(path) for path in args.pt_data_path]
    selection = shards[0].meta and shards[0].meta.get("selection")
    if selection:
        print(
            f"note: scored with --dtype mixed: exact enough to select the {selection['num_wanted']} highest below "
            f"{selection['filter_threash']}; for another selection, score again",
            file=sys.stderr,
        )
    scores = join_shards(shards, args.json_data_path, data_sha256, len(records))
    scored = [add_score(record, score) for record, score in zip(records, scores, strict=True)]
    write_dataset(args.json_save_path, scored)
    say(f"{len(scored)} records, {skipped_summary(scores)} -> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
