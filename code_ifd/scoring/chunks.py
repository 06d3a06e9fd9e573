"""Chunks: the records that are scored and saved as one. The next chunk is encoded while one is being scored."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from models.sequences import SequencePair, encode_chunk
from records.conversations import Fields, exchanges
from records.record import Record, Skipped
from scoring.flags import ScoringSettings
from scoring.score_file import score_line, skipped_line, turns_line
from scoring.score_journal import ScoreJournal
from selection.ifd import standard_error
from shared.cli import UserError, new_bar

if TYPE_CHECKING:
    from tqdm import tqdm
    from transformers import PreTrainedTokenizerBase

    from models.source import ModelSource
    from scoring.scorer import PendingLosses, Scorer

# Rounding errors of single tokens cancel over a long response, not over a short one. Responses of up to this many
# scored tokens are a small part of the work.
SHORT_RESPONSE_TOKENS = 24
# A run that takes less than so many seconds needs no estimate.
WORTH_SAYING = 30


@dataclass(frozen=True)
class Chunk:
    """Records that are being scored: for each exchange its sequences and their dtype, or why it has no score."""

    entries: list[tuple[SequencePair, str] | Skipped]
    nums_turns: list[int | None]  # exchanges of each record; None for a plain one, which has one and no turns
    pending: dict[str, "PendingLosses"]  # by dtype
    says_dtype: bool

    def lines(self, bar: "tqdm") -> list[dict[str, Any]]:
        """Wait for the scores and return one line a record, in order. The bar moves on by the chunk."""
        start, num_finished, num_records = bar.n, 0, len(self.nums_turns)

        def on_batch(num_sequences: int) -> None:
            """Move the bar: two sequences make an exchange."""
            nonlocal num_finished
            num_finished += num_sequences
            bar.update(start + num_finished // 2 * num_records // len(self.entries) - bar.n)

        losses = {dtype: iter(pending.result(on_batch)) for dtype, pending in self.pending.items()}
        lines = []
        for entry in self.entries:
            if isinstance(entry, Skipped):
                lines.append(skipped_line(entry.reason))
                continue
            pair, dtype = entry
            direct, conditioned = next(losses[dtype]), next(losses[dtype])
            se = standard_error(*pair.aligned(direct.token_nll, conditioned.token_nll))
            line = score_line(direct.mean, conditioned.mean, len(direct.token_nll), len(conditioned.token_nll), se)
            lines.append(line | {"dtype": dtype} if self.says_dtype and "loss" in line else line)
        bar.update(start + num_records - bar.n)
        rest = iter(lines)
        # A conversation in which the assistant says nothing has no response at all.
        return [
            next(rest)
            if num is None
            else turns_line(list(islice(rest, num)))
            if num
            else skipped_line("empty_response")
            for num in self.nums_turns
        ]


def submit_chunk(
    scorer: "Scorer",
    tokenizer: "PreTrainedTokenizerBase",
    records: list[Record],
    template: str,
    max_length: int,
    dtype: str,
    fields: Fields,
    chat_date: str | None = None,
) -> Chunk:
    """Begin to score records in `dtype`; where the scorer has float32 too, it takes the short responses.

    Lines of a scorer with several dtypes say which one they have.
    """
    groups = [exchanges(record, fields) for record in records]
    entries: list[tuple[SequencePair, str] | Skipped] = []
    sequences: dict[str, list] = {}
    for pair in encode_chunk(tokenizer, list(chain.from_iterable(groups)), template, max_length, chat_date):
        if isinstance(pair, Skipped):
            entries.append(pair)
            continue
        chosen = "float32" if "float32" in scorer.models and pair.direct.num_scored <= SHORT_RESPONSE_TOKENS else dtype
        entries.append((pair, chosen))
        sequences.setdefault(chosen, []).extend((pair.direct, pair.conditioned))
    pending = {name: scorer.submit(part, name) for name, part in sequences.items()}
    nums_turns = [None if group and "messages" not in group[0] else len(group) for group in groups]
    return Chunk(entries, nums_turns, pending, says_dtype=len(scorer.models) > 1)


@dataclass(frozen=True)
class ChunkScorer:
    """All that turns records into score lines, but for the dtype."""

    scorer: "Scorer"
    tokenizer: "PreTrainedTokenizerBase"
    template: str
    max_length: int
    records_per_chunk: int
    fields: Fields = field(default_factory=dict)
    chat_date: str | None = None

    def lines(self, records: list[Record], dtype: str) -> list[dict[str, Any]]:
        """Return the lines of one chunk."""
        with new_bar(len(records), 0) as bar:
            return self.submit(records, dtype).lines(bar)

    def score_rest(self, journal: ScoreJournal, records: Iterable[Record], dtype: str) -> None:
        """Score the records of the journal's range that it does not have yet, chunk by chunk."""
        rest = islice(records, journal.num_done, None)
        parts = iter(lambda: list(islice(rest, self.records_per_chunk)), [])
        chunks = (self.submit(part, dtype) for part in parts)
        with new_bar(journal.num_records, journal.num_done) as bar:
            started, running = time.monotonic(), next(chunks, None)
            while running is not None:
                # The next chunk is encoded and submitted before this one is waited for: no core is idle between them.
                following = next(chunks, None)
                lines = running.lines(bar)
                if not journal.num_done:
                    check_finite(lines)
                journal.append(lines)
                num_left = journal.num_records - journal.num_done
                seconds = time.monotonic() - started
                seconds_left = seconds / len(lines) * num_left
                if started and seconds_left > WORTH_SAYING:
                    left = rough_time(seconds_left)
                    bar.write(
                        f"{len(lines)} records took {seconds:.0f} s; the other {num_left:,} will take about {left}",
                        sys.stderr,
                    )
                running, started = following, 0

    def submit(self, records: list[Record], dtype: str) -> Chunk:
        """Encode the records of one chunk and begin to score them."""
        return submit_chunk(
            self.scorer,
            self.tokenizer,
            records,
            self.template,
            self.max_length,
            dtype,
            self.fields,
            self.chat_date,
        )


def rough_time(seconds: float) -> str:
    """Return a time as people say it: `40 s`, `12 min`, `7 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def check_finite(lines: list[dict[str, Any]]) -> None:
    """Raise UserError when none of the first records has a finite score: the model is damaged, not the records."""
    reasons = [line.get("skipped") for line in lines]
    if None not in reasons and reasons.count("non_finite") > 1:
        raise UserError(
            f"none of the first {len(lines)} records has a finite score: the model's weights are damaged, or do not "
            "fit --dtype; nothing was written; choose another model or --dtype float32"
        )


def load_scorer(settings: ScoringSettings, source: "ModelSource") -> ChunkScorer:
    """Return the model with its tokenizer and settings, ready to run. Its scorer must be closed. Raises UserError."""
    # torch takes seconds to import: a mistyped path or a broken record should not wait for it.
    from models.causal_lm import choose_device, load_batch_models
    from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch

    device = choose_device(settings.device)
    models, tokenizer = load_batch_models(
        source, settings.dtype, device, settings.max_length, settings.trust_remote_code
    )
    assert settings.records_per_chunk, "prepare_run chooses it"
    tokens_per_batch = settings.tokens_per_batch or default_tokens_per_batch(device)
    scorer = Scorer(models, tokens_per_batch, default_num_workers(models))
    return ChunkScorer(
        scorer,
        tokenizer,
        settings.prompt,
        settings.max_length,
        settings.records_per_chunk,
        settings.fields,
        settings.chat_date,
    )
