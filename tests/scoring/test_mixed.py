"""--dtype mixed: float32 where it could matter, nothing paid twice after a kill."""

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from records.journal import LineJournal
from scoring.mixed import Wanted, open_rescored, rescore
from script_runs import RunScript
from shared.cli import UserError

EXACT = [-0.02 * record for record in range(200)]


def line_of(log_ifd: float, dtype: str) -> dict:
    return {
        "ppl": [0, math.exp(4), 0, math.exp(4 + log_ifd)],
        "loss": [0, 4.0, 0, 4.0 + log_ifd],
        "tokens": [100, 101],
        "se": None if log_ifd < -3.9 else 0.25,
        "dtype": dtype,
    }


ENTRY = {"records": [3], "lines": [line_of(0.1, "float32")]}


def rough_lines() -> list[dict]:
    lines = [line_of(value + (0.003 if record % 2 else -0.003), "bfloat16") for record, value in enumerate(EXACT)]
    lines[7] = {"skipped": "short_response"}
    lines[9] = line_of(EXACT[9], "float32")
    return lines


def exact_lines(asked: list[list[int]]) -> Callable[[list[int]], list[dict]]:
    def score(records: list[int]) -> list[dict]:
        asked.append(records)
        return [line_of(EXACT[record], "float32") for record in records]

    return score


def new_file(tmp_path: Path, content: bytes = b"rough") -> LineJournal:
    (tmp_path / "rough").write_bytes(content)
    return open_rescored(str(tmp_path / "rescored"), str(tmp_path / "rough"))


def entries_of(tmp_path: Path, content: bytes = b"rough") -> list[dict]:
    with new_file(tmp_path, content) as rescored:
        return rescored.entries


def rescore_into_file(tmp_path: Path, score: Callable[[list[int]], list[dict]]) -> tuple[list[dict], int]:
    with new_file(tmp_path) as rescored:
        return rescore(rough_lines(), rescored, score, Wanted(100, 1.0, "ifd_ppl"), 16)


def test_records_near_the_boundaries_get_float32_and_the_others_stay(tmp_path: Path) -> None:
    asked: list[list[int]] = []
    lines, num_rescored = rescore_into_file(tmp_path, exact_lines(asked))
    chosen = [record for chunk in asked for record in chunk]
    assert len(chosen) == len(set(chosen)) == num_rescored < 120
    assert {0, 1, 99, 100} <= set(chosen)  # the threshold, and the cut
    assert not {7, 9} & set(chosen)  # skipped; exact already
    for record, (line, rough) in enumerate(zip(lines, rough_lines(), strict=True)):
        assert line == (line_of(EXACT[record], "float32") if record in chosen else rough)


def test_upper_end_has_boundaries_of_its_own(tmp_path: Path) -> None:
    asked: list[list[int]] = []
    with new_file(tmp_path) as rescored:
        rescore(rough_lines(), rescored, exact_lines(asked), Wanted(20, 1.0, "ifd_upper"), 16)
    chosen = {record for chunk in asked for record in chunk}
    # log ifd_upper is -0.02 * record + 0.5: it falls below 0 after record 25, and the 20 best end with record 45.
    assert {25, 26, 45, 46} <= chosen
    # The last records have no standard error, so they cannot be selected, and do not matter.
    assert not chosen & {record for record, value in enumerate(EXACT) if value < -3.9}


def test_begun_run_without_standard_errors_is_not_taken_for_the_upper_end(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path
) -> None:
    save, rough = tmp_path / "s.jsonl", tmp_path / "s.jsonl.bfloat16"
    arguments = (
        "--data_path",
        write_dataset(tmp_path / "data.json", 40),
        "--model_name_or_path",
        tiny_gpt2,
        "--max_length",
        64,
        "--records_per_chunk",
        8,
    )
    assert run_script("data_analysis", *arguments, "--save_path", rough, "--dtype", "bfloat16").returncode == 0
    old = [json.loads(line) for line in rough.open()]
    rough.write_text("".join(json.dumps(without(line, "se")) + "\n" for line in old), encoding="utf-8")
    mixed = (*arguments, "--save_path", save, "--dtype", "mixed")
    result = run_script("data_analysis", *mixed, "--key_name", "ifd_upper")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {rough}: was begun by an earlier version, without")
    assert run_script("data_analysis", *mixed, "--key_name", "ifd_loss").stderr.startswith(
        "error: --dtype mixed --key_name ifd_loss: what rounding does to a ratio of losses is not known"
    )


def without(line: dict, key: str) -> dict:
    return {name: value for name, value in line.items() if name != key}


def test_chunks_hold_at_most_the_records_that_a_kill_may_cost(tmp_path: Path) -> None:
    asked: list[list[int]] = []
    rescore_into_file(tmp_path, exact_lines(asked))
    assert max(map(len, asked)) == 16


def test_what_was_rescored_before_a_kill_is_not_asked_for_again(tmp_path: Path) -> None:
    first: list[list[int]] = []
    whole, _ = rescore_into_file(tmp_path, exact_lines(first))
    path = tmp_path / "rescored"
    path.write_bytes(path.read_bytes()[:-5])  # killed while it wrote the last chunk
    again: list[list[int]] = []
    assert rescore_into_file(tmp_path, exact_lines(again))[0] == whole
    assert again == first[-1:]


def test_full_disk_is_one_line_and_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with new_file(tmp_path) as rescored:
        rescored.append([ENTRY])
        monkeypatch.setattr("records.journal.write_durably", refuse)
        with pytest.raises(
            UserError, match="writing failed: No space left on device; what was finished before is kept"
        ):
            rescored.append([ENTRY | {"records": [4]}])
        assert rescored.entries == [ENTRY]
    assert entries_of(tmp_path) == [ENTRY]


def test_rescored_lines_of_other_rough_scores_are_not_used(tmp_path: Path) -> None:
    with new_file(tmp_path) as rescored:
        rescored.append([ENTRY])
    assert entries_of(tmp_path) == [ENTRY]
    assert entries_of(tmp_path, b"others") == []


def test_record_that_float32_cannot_score_is_skipped(tmp_path: Path) -> None:
    def score(records: list[int]) -> list[dict]:
        return [{"skipped": "non_finite"} if record == 0 else line_of(EXACT[record], "float32") for record in records]

    lines, _ = rescore_into_file(tmp_path, score)
    assert lines[0] == {"skipped": "non_finite"}


def write_dataset(path: Path, num_records: int) -> Path:
    words = ["red", "green", "blue", "yellow", "brown", "seven", "eight", "nine", "station", "leaves"]
    records = [
        {
            "instruction": f"Say {words[i % 10]} {i}.",
            "output": " ".join(words[(i * j) % 10] for j in range(1, 12 + i % 5)),
        }
        for i in range(num_records)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


@pytest.mark.parametrize("key_name", ["ifd_ppl", "ifd_upper"])
def test_script_says_the_dtype_of_each_line_and_selects_as_float32_does(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, key_name: str
) -> None:
    data = write_dataset(tmp_path / "data.json", 150)
    common = ("--data_path", data, "--model_name_or_path", tiny_gpt2, "--max_length", 64, "--records_per_chunk", 32)
    choice = ("--sample_rate", "0.2", "--key_name", key_name, "--filter_threash", 2)
    selected = {}
    for dtype in ("float32", "mixed"):
        scores = tmp_path / f"{dtype}.jsonl"
        result = run_script("data_analysis", *common, "--save_path", scores, "--dtype", dtype, *choice)
        assert result.returncode == 0, result.stderr
        scored, kept = tmp_path / f"{dtype}_data.json", tmp_path / f"{dtype}_selected.json"
        merged = run_script(
            "put_analysis_to_data", "--pt_data_path", scores, "--json_data_path", data, "--json_save_path", scored
        )
        assert merged.returncode == 0, merged.stderr
        assert run_script("select_data", "--json_data_path", scored, "--json_save_path", kept, *choice).returncode == 0
        selected[dtype] = {record["instruction"] for record in json.loads(kept.read_text())}
    assert selected["mixed"] == selected["float32"]
    lines = [json.loads(line) for line in (tmp_path / "mixed.jsonl").open()]
    assert {line["dtype"] for line in lines} == {"float32", "bfloat16"}
    assert all("dtype" not in json.loads(line) for line in (tmp_path / "float32.jsonl").open())
    assert sorted(path.name for path in tmp_path.glob("mixed*")) == [
        "mixed.jsonl",
        "mixed.jsonl.meta.json",
        "mixed_data.json",
        "mixed_selected.json",
    ]


def test_mixed_scores_are_refused_for_another_selection(run_script: RunScript, tmp_path: Path, tiny_gpt2: Path) -> None:
    common = (
        "--data_path",
        write_dataset(tmp_path / "data.json", 50),
        "--model_name_or_path",
        tiny_gpt2,
        "--max_length",
        64,
        "--save_path",
        tmp_path / "s.jsonl",
        "--dtype",
        "mixed",
    )
    assert run_script("data_analysis", *common, "--sample_rate", "0.2").returncode == 0
    before = (tmp_path / "s.jsonl").read_bytes()
    result = run_script("data_analysis", *common, "--sample_rate", "0.3")
    assert result.returncode == 2
    assert "selection: " in result.stderr and "15" in result.stderr
    assert (tmp_path / "s.jsonl").read_bytes() == before
    assert "all of them done before" in run_script("data_analysis", *common, "--sample_rate", "0.2").stdout


def test_part_of_a_dataset_cannot_be_mixed(run_script: RunScript, tmp_path: Path, tiny_gpt2: Path) -> None:
    result = run_script(
        "data_analysis",
        "--data_path",
        write_dataset(tmp_path / "data.json", 9),
        "--model_name_or_path",
        tiny_gpt2,
        "--save_path",
        tmp_path / "s.jsonl",
        "--dtype",
        "mixed",
        "--end_idx",
        4,
    )
    assert result.returncode == 2
    assert "--dtype mixed needs the whole dataset" in result.stderr
    assert not list(tmp_path.glob("s.jsonl*"))
