"""The bundled sample: what its README says of it."""

import json
from collections import Counter

from records.conversations import check_records
from records.dataset import read_dataset
from records.record import NUMBERS
from script_runs import ROOT
from selection.ifd import select
from shared.files import sha256_of

SAMPLE = ROOT / "data" / "sample_alpaca.json"
SCORED = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"


def test_sample_is_varied() -> None:
    records = read_dataset(str(SAMPLE))
    check_records(records, str(SAMPLE), {})
    assert len(records) == len({record["instruction"] for record in records}) == 253
    assert len(Counter(record["task"] for record in records)) == 18
    assert 0.4 <= sum(bool(record["input"]) for record in records) / len(records) <= 0.5
    num_words = [len(record["output"].split()) for record in records]
    assert (min(num_words), max(num_words)) == (1, 400)
    assert sum(not record["output"].isascii() for record in records) > 20


def test_scored_sample_is_the_sample_with_scores_added() -> None:
    scores = {*NUMBERS, "ifd_skipped"}
    stripped = [
        {key: value for key, value in record.items() if key not in scores} for record in read_dataset(str(SCORED))
    ]
    assert stripped == read_dataset(str(SAMPLE))


def test_threshold_removes_as_many_misaligned_records_as_the_readme_says() -> None:
    records = json.loads(SCORED.read_text(encoding="utf-8"))
    below_one = select([record["ifd_ppl"] for record in records], 1.0, len(records))
    kept = set(below_one.indices)
    misaligned = {index for index, record in enumerate(records) if record.get("misaligned")}
    assert len(misaligned) == 24
    removed = len(misaligned - kept)
    assert f"IFD is 1 or more for {removed} of the 24," in (ROOT / "README.md").read_text(encoding="utf-8")


def test_data_readme_has_the_checksum_of_every_file() -> None:
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    # Those of the repository: a user may have fetched others.
    files = list((ROOT / "data").rglob("sample_*.json"))
    assert len(files) == 2
    for path in files:
        assert f"`{path.relative_to(ROOT / 'data')}` | 253 |" in readme
        assert sha256_of(path) in readme
