"""What a report says of the next step: write the selected records (step 3), or train on them."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.record import Record

TO_SHAREGPT = {"formatting": "sharegpt", "columns": {"messages": "conversations"}}
TO_MESSAGES = {
    "formatting": "sharegpt",
    "columns": {"messages": "messages"},
    "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
}


@dataclass(frozen=True)
class NextStep:
    """Lines of text, and what to copy below them ("" for nothing)."""

    lines: list[str]
    snippet: str

    def as_data(self) -> dict[str, Any]:
        """Return it as the page reads it."""
        return {"lines": self.lines, "snippet": self.snippet}


def step_3(data_path: str, flags: list[str]) -> NextStep:
    """Return what to do where the selection of the page is in no file yet; `flags` are those of this selection."""
    lines = ["python code_ifd/select_data.py", shlex.join(["--json_data_path", data_path])]
    lines += ["--json_save_path selected.json", shlex.join(flags)]
    return NextStep(
        [
            "The records that this page calls selected are in no file yet. This command writes them. Then make the "
            "page again with --selected, and train on that file."
        ],
        " \\\n  ".join(lines),
    )


def train_on(selected: str, record: Record) -> NextStep:
    """Return what to do with a file of selected records, of which `record` is one."""
    name = Path(selected).name
    lines = [
        "Read some of the selected records below, and those at or over the threshold. If they are what you expect, "
        f"train on {name}. Its records have all keys of your dataset, so it takes the place of the whole file."
    ]
    entry = _entry(record)
    if entry is None:
        lines.append("The README says how trainers are told which keys to read.")
        return NextStep(lines, "")
    lines.append("For LLaMA-Factory, add this to data/dataset_info.json. The README has the same for axolotl and TRL.")
    snippet = {"superfiltered": {"file_name": f"/path/to/{name}", **entry}}
    return NextStep(lines, json.dumps(snippet, indent=2, ensure_ascii=False))


def _entry(record: Record) -> dict[str, Any] | None:
    """Return how LLaMA-Factory is told of records like this one; None where that is not known."""
    if isinstance(record.get("instruction"), str) and isinstance(record.get("output"), str):
        return {}
    for key, entry, role in (("conversations", TO_SHAREGPT, "from"), ("messages", TO_MESSAGES, "role")):
        turns = record.get(key)
        if isinstance(turns, list) and turns and all(isinstance(turn, dict) and role in turn for turn in turns):
            return entry
    return None
