"""Records to score, the flags of step 1 that score them, and the meta that it writes."""

import random
from pathlib import Path
from typing import Any

from scoring.score_file import META_FORMAT

SENTENCE = "Name three colours of autumn leaves red yellow and brown what is seven times eight"
WORDS = SENTENCE.split()


def make_records(num_records: int) -> list[dict]:
    """Records of varied length; every tenth has no score."""
    generator = random.Random(0)

    def words(most: int) -> str:
        return " ".join(generator.choices(WORDS, k=generator.randint(2, most)))

    records = [{"instruction": words(6), "input": "", "output": words(20)} for _ in range(num_records)]
    for record in records[::10]:
        record["output"] = ""
    return records


def flags(data: Path, save: Path, model: Path, *more: object) -> list[object]:
    return [
        "--data_path",
        data,
        "--save_path",
        save,
        "--model_name_or_path",
        model,
        "--max_length",
        64,
        "--records_per_chunk",
        8,
        *more,
    ]


def make_meta(**changes: Any) -> dict[str, Any]:
    """A meta with every key that step 1 writes and a reader needs."""
    meta = {
        "format": META_FORMAT,
        "model": "tiny",
        "model_fingerprint": "sha256:ab",
        "dtype": "float32",
        "max_length": 64,
        "prompt": "none",
        "data_path": "data.json",
        "data_sha256": "cd" * 32,
        "num_records": 10,
        "start_idx": 0,
        "end_idx": 10,
        "records_per_window": 4,
        "versions": {"torch": "2"},
    }
    return meta | changes
