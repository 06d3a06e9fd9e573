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
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise

from cli import UserError, new_parser, run, say
from dataset import RECORDS_PER_CHUNK, Dataset, dataset_writer
from ifd import ratio
from records import Chunk, refuse_overwriting
from score_file import SCORING_KEYS, Score, ScoreFile, differences, meta_path, skipped_summary


def in_order(shards: list[ScoreFile], data_path: str, data_sha256: str) -> list[ScoreFile]:
    """Return the score files in record order. Raises UserError unless, by their meta, they tile this dataset."""
    if len(shards) == 1 and shards[0].meta is None:
        return shards
    for shard in shards:
        if shard.meta is None:
            raise UserError(f"{shard.path}: has no meta file, so nothing says which records it scores; only a single file may lack it")
        if shard.meta["data_sha256"] != data_sha256:
            raise UserError(
                f"{shard.path}: holds scores of other data ({shard.meta['data_path']}, SHA-256 {shard.meta['data_sha256'][:12]}..., "
                f"{shard.meta['num_records']} records) than {data_path} (SHA-256 {data_sha256[:12]}...); "
                "give step 2 the file that step 1 read"
            )
    shards = sorted(shards, key=lambda shard: (shard.meta["start_idx"], shard.meta["end_idx"]))
    for one, next_one in pairwise(shards):
        difference = differences(one.meta, next_one.meta, SCORING_KEYS, ("in the first", "in the second"))
        if difference:
            raise UserError(f"{one.path} and {next_one.path} were not scored alike ({difference}); score one of them again")
    check_tiling(shards, shards[0].meta["num_records"])
    return shards


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


class ScoreStream:
    """The scores of all records in record order, from score files that tile the dataset. `reasons` counts those without."""

    def __init__(self, shards: list[ScoreFile]) -> None:
        self.path = shards[0].path
        self.num_scored = 0
        self.reasons: Counter[str] = Counter()
        self._shards = shards
        self._scores = self._read()

    def take(self, num_records: int) -> list[Score | str]:
        """Return the next scores, one a record; fewer when the files end. Raises UserError for a file that is not whole."""
        scores = list(islice(self._scores, num_records))
        reasons = [score for score in scores if isinstance(score, str)]
        self.reasons.update(reasons)
        self.num_scored += len(scores) - len(reasons)
        return scores

    def _read(self) -> Iterator[Score | str]:
        for shard in self._shards:
            num_lines = 0
            for score in shard:
                num_lines += 1
                yield score
            expected = shard.meta["end_idx"] - shard.meta["start_idx"] if shard.meta else num_lines
            if num_lines != expected:
                raise UserError(
                    f"{shard.path}: {num_lines} of {expected} lines, so step 1 has not finished; "
                    "run it again with the same flags and it goes on from there"
                )


def add_scores(chunk: Chunk, scores: list[Score | str]) -> Chunk:
    """Return the records with their scores added; scores that they had from an earlier run are replaced."""
    found = [score if isinstance(score, Score) else None for score in scores]
    numbers: dict[str, list[float | None]] = {
        "ppl_A_direct": [score and score.ppl_direct for score in found],
        "ppl_A_condition": [score and score.ppl_conditioned for score in found],
        "ifd_ppl": [score and ratio(score.ppl_conditioned, score.ppl_direct) for score in found],
        "ifd_loss": [score and ratio(score.loss_conditioned, score.loss_direct) for score in found],
    }
    return chunk.with_columns(numbers, {"ifd_skipped": [score if isinstance(score, str) else None for score in scores]})


def merge(dataset: Dataset, scores: ScoreStream, save_path: str) -> int:
    """Write the scored dataset and return its number of records. Raises UserError unless there is one score a record."""
    num_records = 0
    with dataset_writer(save_path, dataset) as writer:
        for chunk in dataset.chunks():
            num_records += len(chunk)
            found = scores.take(len(chunk))
            if len(found) == len(chunk):
                writer.write(add_scores(chunk, found))
        while scores.take(RECORDS_PER_CHUNK):
            pass  # count the lines that are too many
        num_lines = scores.num_scored + scores.reasons.total()
        if num_lines != num_records:
            raise UserError(
                f"{scores.path}: {num_lines} lines and no meta file, but {dataset.path} has {num_records} records; "
                "without a meta file the numbers must be equal"
            )
    return num_records


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
    refuse_overwriting(args.json_save_path, *args.pt_data_path, *map(meta_path, args.pt_data_path))
    dataset = Dataset(args.json_data_path)
    refuse_overwriting(args.json_save_path, *dataset.files)
    shards = in_order([ScoreFile(path) for path in args.pt_data_path], args.json_data_path, dataset.sha256())
    selection = shards[0].meta and shards[0].meta.get("selection")
    if selection:
        print(
            f"note: scored with --dtype mixed: exact enough to select the {selection['num_wanted']} highest below "
            f"{selection['filter_threash']}; for another selection, score again",
            file=sys.stderr,
        )
    scores = ScoreStream(shards)
    num_records = merge(dataset, scores, args.json_save_path)
    say(f"{num_records} records, {skipped_summary(scores.num_scored, scores.reasons)} -> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
