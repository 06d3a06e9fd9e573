"""The table of two scores: which records are planted, and what each row says."""

from pathlib import Path

import pytest

from records.dataset import Dataset
from script_runs import write_json
from selection.side_by_side import side_by_side

KEYS = ("ifd_ppl", "ifd_upper")


def lines_of(folder: Path, records: list[dict], threshold: float = 1.0, num_wanted: int = 2) -> dict[str, list[str]]:
    """Return what stands in each row of the table, by its name."""
    write_json(folder / "data.json", records)
    lines = side_by_side(Dataset(str(folder / "data.json")), KEYS, threshold, num_wanted)
    return {line[:24].strip(): line[24:].split() for line in lines}


def make_records(**of_the_first: object) -> list[dict]:
    numbers = [(0.9, 1.3), (0.8, 0.9), (0.7, 0.8)]
    records: list[dict] = [{"ifd_ppl": ifd, "ifd_upper": upper} for ifd, upper in numbers]
    records[0] |= of_the_first
    return records


@pytest.mark.parametrize("key", ["misaligned", "planted"])
def test_planted_mistakes_are_counted_under_the_keys_that_mark_them(tmp_path: Path, key: str) -> None:
    assert lines_of(tmp_path, make_records(**{key: True}))["planted mistakes"] == ["1", "0", "of", "1"]
    assert "planted mistakes" not in lines_of(tmp_path, make_records(**{key: False}))


def test_record_marked_twice_is_one_mistake(tmp_path: Path) -> None:
    found = lines_of(tmp_path, make_records(planted=True, misaligned=True))
    assert found["planted mistakes"] == ["1", "0", "of", "1"]


def test_score_with_fewer_qualified_records_has_fewer(tmp_path: Path) -> None:
    assert lines_of(tmp_path, make_records(), num_wanted=3)["records"] == ["3", "2"]


def test_rows_of_which_nothing_is_known_are_left_out(tmp_path: Path) -> None:
    assert "mean response tokens" not in lines_of(tmp_path, make_records())
    assert "not sure" not in lines_of(tmp_path, make_records(), threshold=1.5)


def test_score_that_selects_nothing_has_no_mean(tmp_path: Path) -> None:
    records = [{"ifd_ppl": 0.5, "ifd_upper": 1.5, "ifd_tokens": 8}]
    assert lines_of(tmp_path, records)["mean response tokens"] == ["8.0", "-"]
