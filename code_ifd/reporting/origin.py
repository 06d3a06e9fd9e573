"""What a report's numbers are of: the dataset, the model and the prompt template, as far as they are known, and a day.

A scored dataset does not say which model scored it. The meta file of its score file (step 1) does.
"""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring.score_file import meta_path, read_meta
from shared.cli import UserError
from shared.texts import shorten_middle

# run_pipeline.sh writes X_scores.jsonl and X_data.json.
DATA, SCORES = "_data.", "_scores.jsonl"
DOT = " \N{MIDDLE DOT} "
MAX_NAME = 44  # characters of a name in the line of a figure


@dataclass(frozen=True)
class Origin:
    """What scores are of; None is what is not known."""

    dataset: str
    scored_file: str | None  # where that has another name than the dataset
    model: str | None
    template: str | None
    day: str  # on which the report is made, YYYY-MM-DD

    def parts(self) -> list[str]:
        """Return all but the dataset, each part to stand alone."""
        return [
            *([f"model {self.model}"] if self.model else []),
            *([f"prompt template {self.template}"] if self.template else []),
            *([f"scores in {self.scored_file}"] if self.scored_file else []),
            f"report of {self.day}",
        ]

    def page_title(self) -> str:
        """Return the title of the page's tab: dataset, model, template and day."""
        known = [self.dataset, self.model, self.template and f"template {self.template}", self.day]
        return f"{DOT.join(part for part in known if part)}: IFD report"

    def figure_line(self) -> str:
        """Return one short line for a figure that stands alone."""
        model = [f"model {shorten_middle(self.model, MAX_NAME // 2)}"] if self.model else []
        return DOT.join([shorten_middle(self.dataset, MAX_NAME), *model, self.day])


def find_origin(data_path: str, num_records: int, scores: str | None, model: str | None) -> Origin:
    """Return what the scores in a scored dataset are of.

    `scores` is its score file, `model` a name that goes before that of the meta. Without `scores`, the score file is
    looked for beside the dataset, under the name that run_pipeline.sh gives it. Raises UserError where `scores` has no
    meta file or one of other data.
    """
    # A pattern is no file: its last part alone would say little.
    name = Path(data_path).name if Path(data_path).exists() else data_path
    meta = _given_meta(scores, data_path, num_records) if scores else _found_meta(data_path, num_records)
    day = datetime.date.today().isoformat()
    if meta is None:
        return Origin(name, None, model and _short(model), None, day)
    source = meta["data_path"] if "data_commit" in meta else Path(meta["data_path"]).name
    scored_by = model or meta.get("model")
    return Origin(source, name, _short(scored_by) if isinstance(scored_by, str) else None, meta["prompt"], day)


def _given_meta(scores: str, data_path: str, num_records: int) -> dict[str, Any]:
    meta = read_meta(scores)
    if meta is None:
        raise UserError(
            f"--scores {scores}: there is no {meta_path(scores)}, so nothing says which model it is of; "
            "give the score file of step 1, or --model"
        )
    if meta["num_records"] != num_records:
        raise UserError(
            f"--scores {scores}: holds scores of {meta['num_records']} records ({meta['data_path']}), but {data_path} "
            f"has {num_records}; give the score file of this dataset"
        )
    return meta


def _found_meta(data_path: str, num_records: int) -> dict[str, Any] | None:
    """Return the meta of the score file beside a scored dataset; None where there is none that fits."""
    folder, name = os.path.split(data_path)
    base, mark, _ = name.rpartition(DATA)
    if not mark:
        return None
    try:
        meta = read_meta(os.path.join(folder, base + SCORES))
    except UserError:
        return None  # nobody asked for it
    return meta if meta and meta["num_records"] == num_records else None


def _short(model: str) -> str:
    """Return the name of a model, of a folder its last part."""
    is_folder = os.path.isabs(model) or model.startswith((".", "~")) or os.path.isdir(model)
    return Path(model).name or model if is_folder else model
