"""Which score keeps wrong answers out? Counts planted mistakes among what would
be selected by ifd_ppl, by ifd_upper, and by S-IFD, from the same token losses.

Reads a dataset. Its mistakes are the records with a true value under
--planted_key; without such a key, --num_records are drawn and --rate of them
get the response of another one. Prints a table; the last line is one JSON
object.

S-IFD is the token-selective score of arXiv 2506.01317 without its neighbours:
IFD over the tokens whose loss the prompt changes most, those above the median
of all tokens of all records. It is here to compare with, and nowhere else.

PYTHONPATH=code_ifd python -m benchmarks.planted \\
    --data_path data/sample_alpaca.json --planted_key misaligned
"""

import argparse
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

import numpy as np
import torch

from models.causal_lm import load_batch_models
from models.sequences import SequencePair, encode_chunk
from models.source import find_model
from records.conversations import check_records
from records.dataset import read_dataset
from records.record import Record, Skipped
from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch
from selection.ifd import num_selected, ratio, select, standard_error, upper_end
from shared.cli import UserError, new_parser, non_negative_int, positive_int, rate, run, say
from training.planting import PLANTED, plant

RATES = (Decimal("0.05"), Decimal("0.1"), Decimal("0.15"))
KEYS = ("ifd_ppl", "ifd_upper", "s_ifd")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class TokenScore:
    """What a record's two passes say: IFD, its upper end, and each common token's change of loss, in nats."""

    ifd: float | None
    upper: float | None
    changes: np.ndarray  # (tokens,) float64, conditioned minus direct


def score_records(records: list[Record], model: str, max_length: int) -> list[TokenScore | Skipped]:
    """Return the scores of plain records, in order."""
    models, tokenizer = load_batch_models(find_model(model), "float32", CPU, max_length)
    pairs = encode_chunk(tokenizer, records, "none", max_length)
    sequences = [part for pair in pairs if isinstance(pair, SequencePair) for part in (pair.direct, pair.conditioned)]
    with Scorer(models, default_tokens_per_batch(CPU), default_num_workers(models)) as scorer:
        losses = iter(scorer.submit(sequences).result())
    found: list[TokenScore | Skipped] = []
    for pair in pairs:
        if isinstance(pair, Skipped):
            found.append(pair)
            continue
        direct, conditioned = islice(losses, 2)
        common = pair.aligned(direct.token_nll, conditioned.token_nll)
        ifd = ratio(math.exp(conditioned.mean), math.exp(direct.mean))
        changes = common[1].astype(np.float64) - common[0].astype(np.float64)
        found.append(TokenScore(ifd, upper_end(ifd, standard_error(*common)), changes))
    return found


def columns(scores: list[TokenScore | Skipped]) -> dict[str, np.ndarray]:
    """Return each score as (records,), NaN where there is none."""
    known = [score.changes for score in scores if isinstance(score, TokenScore)]
    median = float(np.median(np.abs(np.concatenate(known)))) if known else 0.0

    def s_ifd(changes: np.ndarray) -> float | None:
        """Return S-IFD of a record, None where no token's change is above the median."""
        largest = changes[np.abs(changes) > median]
        return math.exp(largest.mean()) if len(largest) else None

    rows = [
        (None, None, None) if isinstance(score, Skipped) else (score.ifd, score.upper, s_ifd(score.changes))
        for score in scores
    ]
    return {key: np.asarray([row[number] for row in rows], dtype=np.float64) for number, key in enumerate(KEYS)}


def count_planted(scores: np.ndarray, is_planted: np.ndarray) -> list[tuple[int, int]]:
    """Return, for each of RATES, how many records are selected below 1, and how many of them are planted."""
    counts = []
    for share in RATES:
        chosen = select(scores, 1.0, num_selected(share, len(scores))).indices
        counts.append((len(chosen), int(is_planted[chosen].sum())))
    return counts


def marked(records: list[Record], key: str) -> np.ndarray:
    """Return which records have a true value under the key, (records,) bool. Raises UserError where none has."""
    found = np.asarray([bool(record.get(key)) for record in records])
    if not found.any():
        raise UserError(f"--planted_key {key}: no record has it true; name another key")
    return found


def draw_and_plant(
    records: list[Record], num_records: int, share: Decimal, seed: int
) -> tuple[list[Record], np.ndarray]:
    """Return records drawn from all, and which of them are planted, (records,) bool. Raises UserError for too few."""
    if num_records > len(records):
        raise UserError(f"--num_records {num_records}: there are only {len(records)} records; give fewer")
    planted = plant(random.Random(f"records {seed}").sample(records, num_records), share, seed)
    return planted, np.asarray([record[PLANTED] for record in planted])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--data_path", required=True, help="plain records: instruction, (input,) output")
    parser.add_argument("--planted_key", help="key that is true on the mistakes (default: plant them here)")
    parser.add_argument("--num_records", type=positive_int, default=240, help="records to draw (default: %(default)s)")
    parser.add_argument("--rate", type=rate, default=Decimal("0.1"), help="share to plant (default: %(default)s)")
    parser.add_argument("--seed", type=non_negative_int, default=0, help="of both draws (default: %(default)s)")
    parser.add_argument(
        "--model_name_or_path", default="smollm2-135m", help="a model, as in step 1 (default: %(default)s)"
    )
    parser.add_argument("--max_length", type=positive_int, default=1024, help="as in step 1 (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Score, count, print."""
    args = parse_args(argv)
    records = read_dataset(args.data_path)
    check_records(records, args.data_path, {})
    if args.planted_key:
        is_planted = marked(records, args.planted_key)
    else:
        records, is_planted = draw_and_plant(records, args.num_records, args.rate, args.seed)
    scores = columns(score_records(records, args.model_name_or_path, args.max_length))
    counts = {key: count_planted(scores[key], is_planted) for key in KEYS}
    say(
        f"{len(records)} records, {int(is_planted.sum())} of them planted; planted of the selected, below 1\n\n"
        f"| selected | {' | '.join(KEYS)} |\n|---|{'---|' * len(KEYS)}"
    )
    for number, share in enumerate(RATES):
        cells = (f"{counts[key][number][1]} of {counts[key][number][0]}" for key in KEYS)
        say(f"| {float(share):.0%} | {' | '.join(cells)} |")
    say("\n" + json.dumps({"records": len(records), "planted": int(is_planted.sum()), "counts": counts}))


if __name__ == "__main__":
    run(main)
