"""What a run with --prompt chat settles before it scores: that the template takes every record, and its date."""

import datetime
import os

from models.source import ModelSource
from records.conversations import exchanges
from records.dataset import RecordRange
from scoring.flags import ScoringSettings
from scoring.score_file import read_meta
from shared.cli import UserError, new_bar


def check_chat(settings: ScoringSettings, source: ModelSource, records: RecordRange) -> str | None:
    """Render every record, and return the date that the chat template is told; None where it never reads the clock.

    Raises UserError for the first record that the template refuses, naming file and record.
    """
    # They import torch and transformers, which takes seconds.
    from models.causal_lm import load_tokenizer
    from models.chat_template import ChatTemplate
    from models.sequences import context_of

    chat = ChatTemplate(load_tokenizer(source, settings.trust_remote_code), run_date(settings))
    with new_bar(len(records), 0) as bar:
        bar.set_description("rendering")
        for index, record in enumerate(records, records.start):
            where = f"{settings.data_path}: record {index}"
            for number, exchange in enumerate(exchanges(record, settings.fields, where)):
                try:
                    context_of(chat, exchange)
                except UserError as error:
                    turn = f", answer {number}" if number else ""
                    raise UserError(f"{where}{turn}: {error}") from None
            bar.update()
    return chat.date if chat.reads_clock else None


def run_date(settings: ScoringSettings) -> str:
    """Return the date of a run: that of --chat_date, else the one on which its score file was begun, else today's."""
    if settings.chat_date:
        return settings.chat_date
    is_begun = os.path.exists(settings.save_path) and os.path.getsize(settings.save_path) > 0
    begun = (read_meta(settings.save_path) if is_begun else None) or {}
    try:
        return datetime.date.fromisoformat(begun.get("chat_date")).isoformat()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # it has none, or one that is damaged: the journal will say so
        return datetime.date.today().isoformat()
