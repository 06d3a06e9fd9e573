"""Step 1: score every record with a small language model.

Reads a dataset with instruction, (input,) output. Writes one line a record, in
order: the perplexity of the response alone and after its prompt, or the reason
why the record has none. Beside it, <save_path>.meta.json says what was scored.
Run the same command again after a stop of any kind: it goes on where it was.

python code_ifd/data_analysis.py --data_path data/sample_alpaca.json \\
    --save_path outputs/scores.jsonl --model_name_or_path smollm2-135m
"""

from shared.start import run

import argparse
import time
from collections.abc import Sequence

from scoring.chunks import load_scorer
from scoring.flags import add_scoring_flags, scoring_settings
from scoring.mixed import Wanted, score_mixed
from scoring.run import ScoringRun, prepare_run, report
from scoring.score_journal import ScoreJournal
from selection.flags import wanted_number
from shared.cli import Interrupted, new_parser


def score_missing(journal: ScoreJournal, scoring: ScoringRun) -> None:
    """Score the records that the journal does not have yet. Raises Interrupted on Ctrl-C."""
    settings, records = scoring.settings, scoring.records
    is_mixed = settings.dtype == "mixed"
    chunks = load_scorer(settings, scoring.source)
    try:
        with chunks.scorer:
            if is_mixed:
                num_wanted = wanted_number(settings.sample_num, settings.sample_rate, len(records))
                wanted = Wanted(num_wanted, float(settings.filter_threash), settings.key_name)
                score_mixed(journal, records, chunks, wanted)
            else:
                chunks.score_rest(journal, records, settings.dtype)
    except KeyboardInterrupt:
        if is_mixed:
            raise Interrupted(f"what is done lies beside {journal.path}; the same command goes on from there") from None
        raise Interrupted(journal.progress()) from None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    add_scoring_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Check the dataset, score what the score file lacks, say what it holds."""
    scoring = prepare_run(scoring_settings(vars(parse_args(argv))))
    with ScoreJournal(scoring.settings.save_path, scoring.meta) as journal:
        num_before, started = journal.num_done, time.perf_counter()
        if journal.num_done < journal.num_records:
            score_missing(journal, scoring)
        num_new = journal.num_done - num_before
    report(scoring.settings, num_new, time.perf_counter() - started)


if __name__ == "__main__":
    run(main)
