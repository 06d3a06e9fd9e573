"""Step 1 as users run it: its file, its refusals, and a run that is stopped in every way and still ends the same."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scored_data import flags, make_records
from script_runs import ROOT, RunScript, error_line


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_json(tmp_path / "data.json", make_records(40))


def test_one_line_a_record_in_order_and_a_meta_beside_it(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    done = run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2))
    assert done.returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 40
    assert [line == {"skipped": "empty_response"} for line in lines] == [index % 10 == 0 for index in range(40)]
    assert all(set(line) == {"ppl", "loss", "tokens", "se"} for index, line in enumerate(lines) if index % 10)
    meta = json.loads((tmp_path / "s.jsonl.meta.json").read_text(encoding="utf-8"))
    assert (meta["start_idx"], meta["end_idx"], meta["num_records"], meta["dtype"]) == (0, 40, 40, "float32")
    assert "40 records (40 in " in done.stdout
    assert "36 with a score; skipped: empty_response 4" in done.stdout


def test_run_begun_before_standard_errors_goes_on_and_says_so(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    save, scored = tmp_path / "s.jsonl", tmp_path / "scored.json"
    assert run_script("data_analysis", *flags(data, save, tiny_gpt2)).returncode == 0
    whole = [json.loads(line) for line in save.read_text(encoding="utf-8").splitlines()]
    older = [{key: value for key, value in line.items() if key != "se"} for line in whole[:16]]
    save.write_text("".join(json.dumps(line) + "\n" for line in older), encoding="utf-8")
    done = run_script("data_analysis", *flags(data, save, tiny_gpt2))
    num_older = sum("loss" in line for line in older)
    assert done.returncode == 0
    assert (
        f"note: {num_older} of these scores were made by an earlier version, which wrote no standard error"
        in done.stderr
    )
    assert [json.loads(line) for line in save.read_text(encoding="utf-8").splitlines()] == older + whole[16:]
    merge = ("--pt_data_path", save, "--json_data_path", data, "--json_save_path", scored)
    merged = run_script("put_analysis_to_data", *merge)
    assert f"note: {num_older} of 36 scores were made before step 1 wrote their standard error" in merged.stderr
    records = json.loads(scored.read_text(encoding="utf-8"))
    assert [record["ifd_tokens"] is None for record in records] == [
        index < 16 or index % 10 == 0 for index in range(40)
    ]


def test_second_run_does_nothing_and_says_so(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2))
    before = (tmp_path / "s.jsonl").read_bytes()
    again = run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2))
    assert again.returncode == 0
    assert "all of them done before" in again.stdout
    assert (tmp_path / "s.jsonl").read_bytes() == before


def test_shards_merge_to_the_same_dataset_as_one_run(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    # Shards of whole chunks: then every chunk holds the same records, and rounds the same.
    for name, start, end in (("whole", 0, -1), ("a", 0, 16), ("b", 16, -1)):
        done = run_script(
            "data_analysis", *flags(data, tmp_path / f"{name}.jsonl", tiny_gpt2, "--start_idx", start, "--end_idx", end)
        )
        assert done.returncode == 0
    for name, scores in (("one", ["whole"]), ("two", ["b", "a"])):
        paths = [tmp_path / f"{score}.jsonl" for score in scores]
        arguments = ["--json_data_path", data, "--json_save_path", tmp_path / f"{name}.json", "--pt_data_path", *paths]
        assert run_script("put_analysis_to_data", *arguments).returncode == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize(("start", "end"), [(-1, -1), (40, -1), (5, 5), (9, 3), (0, 41), (0, -2)])
def test_wrong_range_names_the_right_one(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path, start: int, end: int
) -> None:
    done = run_script(
        "data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2, f"--start_idx={start}", f"--end_idx={end}")
    )
    assert done.returncode == 2
    assert f"--start_idx {start} --end_idx {end}: the dataset has records 0 to 39; wanted" in done.stderr


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"instruction": "a"}], "record 0: field 'output' is missing (there are "),
        (
            [{"instruction": "a", "output": "b"}, {"instruction": 7, "output": "b"}],
            "record 1: field 'instruction' is 7 (a number)",
        ),
        ([{"instruction": "a", "output": None}], "record 0: field 'output' is null; it must be a string"),
        ([{"instruction": "a", "output": "b", "input": []}], "record 0: field 'input' is [] (an array)"),
        ([], "no records in it"),
        ({"instruction": "a"}, "this is an object, not an array of records"),
    ],
)
def test_bad_record_stops_before_any_scoring(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, records: object, message: str
) -> None:
    data = write_json(tmp_path / "bad.json", records)
    done = run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {data}: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.json"]


def test_max_length_above_the_context_names_both(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    done = run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2, "--max_length", 65))
    assert done.returncode == 2
    assert "--max_length 65" in done.stderr
    assert "reads at most 64 tokens" in done.stderr
    assert not (tmp_path / "s.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "is_refused"),
    [
        ({}, False),
        ({"input": "in two words"}, False),
        ({"system": "Be short."}, True),
        ({"context": "At night."}, True),
    ],
)
def test_run_begun_when_a_record_was_read_otherwise_is_refused(
    run_script: RunScript, tiny_gpt2: Path, tmp_path: Path, more: dict[str, str], is_refused: bool
) -> None:
    data = write_json(tmp_path / "data.json", [{"instruction": "Name a colour.", "output": "It is blue."} | more] * 4)
    scores, meta_file = tmp_path / "s.jsonl", tmp_path / "s.jsonl.meta.json"
    flags = ("--data_path", data, "--save_path", scores, "--model_name_or_path", tiny_gpt2, "--max_length", 64)
    run_script("data_analysis", *flags, "--records_per_chunk", 2)
    # As the run of an earlier version that was stopped after its first chunk.
    meta = json.loads(meta_file.read_text(encoding="utf-8"))
    assert meta.pop("reading", None) == (2 if is_refused else None)
    meta_file.write_text(json.dumps(meta), encoding="utf-8")
    whole = scores.read_bytes()
    scores.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    done = run_script("data_analysis", *flags, "--records_per_chunk", 2)
    if is_refused:
        assert "reading: null there, 2 now" in error_line(done)
    else:
        assert done.returncode == 0 and scores.read_bytes() == whole


def test_size_of_a_chunk_is_that_of_the_run_that_was_begun(
    run_script: RunScript, tiny_gpt2: Path, tmp_path: Path
) -> None:
    data = write_json(tmp_path / "data.json", [{"instruction": "Name a colour.", "output": "It is blue."}] * 4)
    scores = tmp_path / "s.jsonl"
    flags = ("--data_path", data, "--save_path", scores, "--model_name_or_path", tiny_gpt2, "--max_length", 64)
    run_script("data_analysis", *flags, "--records_per_chunk", 2)
    whole = scores.read_bytes()
    scores.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert run_script("data_analysis", *flags).returncode == 0 and scores.read_bytes() == whole
    assert "records_per_chunk: 2 there, 3 now" in error_line(
        run_script("data_analysis", *flags, "--records_per_chunk", 3)
    )


def test_output_over_the_dataset_is_refused(run_script: RunScript, data: Path, tiny_gpt2: Path) -> None:
    before = data.read_bytes()
    done = run_script("data_analysis", *flags(data, data, tiny_gpt2))
    assert done.returncode == 2
    assert "would overwrite an input" in done.stderr
    assert data.read_bytes() == before


def test_prompts_that_do_not_help_give_a_warning(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    # Random weights learn nothing from a prompt. Which records land on which side of 1 is fixed by the seed: take the
    # shares from a first run, and let a second one see only a range that is mostly over 1, or mostly below.
    run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2))
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()]
    over = [line["ppl"][3] >= line["ppl"][1] if "ppl" in line else None for line in lines]
    for wanted in (True, False):
        start = over.index(wanted)
        one = flags(data, tmp_path / f"{wanted}.jsonl", tiny_gpt2, "--start_idx", start, "--end_idx", start + 1)
        done = run_script("data_analysis", *one)
        assert ("warning: for 1 of 1 scored records the prompt does not help" in done.stderr) == wanted


def test_full_disk_keeps_what_is_done_and_resumes_to_the_same_bytes(
    run_script: RunScript, data: Path, tiny_gpt2: Path, tmp_path: Path
) -> None:
    run_script("data_analysis", *flags(data, tmp_path / "whole.jsonl", tiny_gpt2))
    whole = (tmp_path / "whole.jsonl").read_bytes()
    limit = len(whole) // 2

    def fill_disk() -> None:
        # A file may not grow beyond this; the write fails as it does on a full disk, with another number.
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2), preexec_fn=fill_disk)
    assert done.returncode == 2
    assert "s.jsonl: writing failed: File too large; the first 16 of 40 records are kept" in done.stderr
    assert (tmp_path / "s.jsonl").read_bytes() == b"".join(whole.splitlines(keepends=True)[:16])
    assert run_script("data_analysis", *flags(data, tmp_path / "s.jsonl", tiny_gpt2)).returncode == 0
    assert (tmp_path / "s.jsonl").read_bytes() == whole


def start_and_wait(command: list[str], save: Path, num_bytes: int) -> subprocess.Popen:
    """Start step 1 and return when its score file has grown beyond `num_bytes`; it must not have ended by then."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "2"},  # as on a user's machine, two batches are under way at a kill
    )
    while not (save.exists() and save.stat().st_size > num_bytes):
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    return process


@pytest.mark.parametrize("num_kills", [1, pytest.param(10, marks=pytest.mark.long)])
def test_kills_and_a_ctrl_c_end_in_the_bytes_of_an_unbroken_run(
    num_kills: int, run_script: RunScript, tiny_gpt2: Path, tmp_path: Path
) -> None:
    data = write_json(tmp_path / "data.json", make_records(4000))
    run_script("data_analysis", *flags(data, tmp_path / "whole.jsonl", tiny_gpt2))
    whole = (tmp_path / "whole.jsonl").read_bytes()
    save = tmp_path / "s.jsonl"
    command = [sys.executable, "code_ifd/data_analysis.py", *map(str, flags(data, save, tiny_gpt2))]
    generator = random.Random(0)
    sizes = [0]
    for kill in range(num_kills + 1):
        stop = signal.SIGINT if kill == num_kills else signal.SIGKILL
        process = start_and_wait(command, save, sizes[-1] + generator.randrange(len(whole) // 20))
        time.sleep(generator.random() / 50)
        process.send_signal(stop)
        _, stderr = process.communicate()
        sizes.append(save.stat().st_size)
        assert sizes[-1] >= sizes[-2] - 8 * 200  # at most one chunk is redone
        assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
    assert "stopped: " in stderr
    assert "the same command goes on from there" in stderr
    assert 0 < sizes[-1] < len(whole)
    assert run_script("data_analysis", *flags(data, save, tiny_gpt2)).returncode == 0
    assert save.read_bytes() == whole


def test_second_process_is_refused_while_the_first_runs(run_script: RunScript, tiny_gpt2: Path, tmp_path: Path) -> None:
    data = write_json(tmp_path / "data.json", make_records(4000))
    save = tmp_path / "s.jsonl"
    command = [sys.executable, "code_ifd/data_analysis.py", *map(str, flags(data, save, tiny_gpt2))]
    first = start_and_wait(command, save, 0)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the second has begun
    second = run_script("data_analysis", *flags(data, save, tiny_gpt2))
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert "another process is writing it" in second.stderr
