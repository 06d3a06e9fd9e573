"""Outputs that meet inputs, other runs, links and files of somebody else."""

import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from records.dataset import read_dataset, write_dataset
from script_runs import CODE, RunScript, error_line, files_in, write_json
from shared.files import atomic_writer

RECORDS = [{"instruction": f"Name {index} things.", "output": f"Here are {index} of them."} for index in range(5)]
SCORED = [record | {"ifd_ppl": 0.5 + index / 10} for index, record in enumerate(RECORDS)]
FOREIGN = [{"id": 1, "text": "precious"}]


def step_1(data: object, save: object, model: object = "no/model") -> tuple[object, ...]:
    return ("data_analysis", "--data_path", data, "--save_path", save, "--model_name_or_path", model)


# Whatever step 1 writes beside its scores.
@pytest.mark.parametrize("ending", [".meta.json", ".bfloat16.meta.json"])
def test_dataset_that_is_called_like_a_file_of_step_1_is_kept(
    run_script: RunScript, tmp_path: Path, ending: str
) -> None:
    data = write_json(tmp_path / f"victim.jsonl{ending}", RECORDS)
    before = files_in(tmp_path)
    assert "would overwrite an input" in error_line(run_script(*step_1(data, tmp_path / "victim.jsonl")))
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("link", ["symbolic", "hard"])
@pytest.mark.parametrize("script", ["data_analysis", "put_analysis_to_data", "select_data"])
def test_input_under_another_name_is_kept(run_script: RunScript, tmp_path: Path, script: str, link: str) -> None:
    data = write_json(tmp_path / "data.json", SCORED)
    (os.symlink if link == "symbolic" else os.link)(data, tmp_path / "other.json")
    (tmp_path / "s.jsonl").write_text('{"skipped": "empty_response"}\n' * 5, encoding="utf-8")
    before = files_in(tmp_path)
    other = tmp_path / "other.json"
    commands = {
        "data_analysis": step_1(data, other),
        "put_analysis_to_data": (
            *("put_analysis_to_data", "--pt_data_path", tmp_path / "s.jsonl"),
            *("--json_data_path", data, "--json_save_path", other),
        ),
        "select_data": ("select_data", "--json_data_path", data, "--json_save_path", other, "--sample_num", 2),
    }
    assert "would overwrite an input" in error_line(run_script(*commands[script]))
    assert files_in(tmp_path) == before


def test_empty_score_file_and_a_meta_that_were_there_are_kept(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path
) -> None:
    data, save = write_json(tmp_path / "data.json", RECORDS), tmp_path / "s.jsonl"
    save.touch()
    (tmp_path / "s.jsonl.meta.json").write_text('"mine"', encoding="utf-8")
    broken = shutil.copytree(tiny_gpt2, tmp_path / "broken")
    (broken / "config.json").write_text("{}", encoding="utf-8")
    assert run_script(*step_1(data, save, broken)).returncode == 2
    assert save.exists()
    assert (tmp_path / "s.jsonl.meta.json").exists()


@pytest.mark.parametrize("name", ["s.jsonl", "S.JSONL", "a.jsonl.gz"])
@pytest.mark.parametrize("data_path", ["", "*.jsonl*"])
def test_scores_among_the_data_are_refused(run_script: RunScript, tmp_path: Path, name: str, data_path: str) -> None:
    (tmp_path / "data").mkdir()
    for number in range(2):
        write_dataset(str(tmp_path / "data" / f"{number}.jsonl"), RECORDS)
    before = files_in(tmp_path)
    if data_path and name == "S.JSONL":
        name = "s.jsonl"  # a pattern knows capitals
    done = run_script(*step_1(tmp_path / "data" / data_path, tmp_path / "data" / name))
    assert "would be taken for one of them" in error_line(done)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("content", [FOREIGN, [], {"a": 1}, "text"], ids=["records", "none", "object", "string"])
@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_file_that_is_no_result_is_left_alone(
    run_script: RunScript, tmp_path: Path, ending: str, content: object
) -> None:
    scored, save = write_json(tmp_path / "scored.json", SCORED), tmp_path / f"mine{ending}"
    save.write_text(json.dumps(content), encoding="utf-8")
    before = files_in(tmp_path)
    select = ("select_data", "--json_data_path", scored, "--json_save_path", save, "--sample_num", 2)
    assert "has no scores in it, so it is no result of these steps" in error_line(run_script(*select))
    assert files_in(tmp_path) == before
    assert run_script(*select, "--overwrite").returncode == 0
    assert len(read_dataset(str(save))) == 2
    # And now it is one.
    assert run_script(*select).returncode == 0


@pytest.mark.parametrize("ending", [".jsonl.gz", ".parquet"])
def test_packed_file_that_is_no_result_is_left_alone(run_script: RunScript, tmp_path: Path, ending: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    save = tmp_path / f"mine{ending}"
    if ending == ".parquet":
        scored = tmp_path / "scored.parquet"
        pq.write_table(pa.Table.from_pylist(SCORED), scored)
        pq.write_table(pa.Table.from_pylist(FOREIGN), save)
    else:
        scored = write_json(tmp_path / "scored.json", SCORED)
        write_dataset(str(save), FOREIGN)
    before = files_in(tmp_path)
    select = ("select_data", "--json_data_path", scored, "--json_save_path", save, "--sample_num", 2)
    assert "is no result of these steps" in error_line(run_script(*select))
    assert files_in(tmp_path) == before
    assert run_script(*select, "--overwrite").returncode == 0
    assert run_script(*select).returncode == 0


def test_damaged_or_empty_file_is_replaced_only_when_nothing_is_in_it(run_script: RunScript, tmp_path: Path) -> None:
    scored, save = write_json(tmp_path / "scored.json", SCORED), tmp_path / "mine.jsonl.gz"
    select = ("select_data", "--json_data_path", scored, "--json_save_path", save, "--sample_num", 2)
    save.write_bytes(b"\x1f\x8bbroken")
    assert "is no result of these steps" in error_line(run_script(*select))
    save.write_bytes(b"")
    assert run_script(*select).returncode == 0


def test_link_is_written_through(run_script: RunScript, tmp_path: Path) -> None:
    scored = write_json(tmp_path / "scored.json", SCORED)
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "real.json", tmp_path / "link.json"
    link.symlink_to(target)
    for _ in range(2):
        done = run_script("select_data", "--json_data_path", scored, "--json_save_path", link, "--sample_num", 2)
        assert done.returncode == 0
        assert link.is_symlink() and len(read_dataset(str(target))) == 2


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_of_a_result_are_kept(run_script: RunScript, tmp_path: Path, mode: int) -> None:
    scored, save = write_json(tmp_path / "scored.json", SCORED), tmp_path / "selected.json"
    select = ("select_data", "--json_data_path", scored, "--json_save_path", save, "--sample_num")
    run_script(*select, 1)
    save.chmod(mode)
    assert run_script(*select, 3).returncode == 0
    assert stat.S_IMODE(save.stat().st_mode) == mode and len(read_dataset(str(save))) == 3


WRITE = """
    import sys, time
    sys.path.insert(0, {code!r})
    from shared.files import atomic_writer
    with atomic_writer({path!r}) as file:
        file.write(sys.argv[1].encode())
        open({path!r} + "." + sys.argv[1], "w").close()
        while not all(__import__("os").path.exists({path!r} + "." + name) for name in "AB"):
            time.sleep(0.01)
        file.write(sys.argv[1].encode())
"""


def write_both(path: Path, prefix: list[str]) -> None:
    """Two processes write one file at the same time; each waits for the other in the middle of it."""
    code = textwrap.dedent(WRITE.format(code=str(CODE[0]), path=str(path)))
    runs = [subprocess.Popen([*prefix, sys.executable, "-c", code, name]) for name in "AB"]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert path.read_text(encoding="utf-8") in ("AA", "BB")


def test_two_runs_that_write_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    write_both(tmp_path / "out.json", [])


def test_two_containers_with_the_same_process_ids_leave_one_of_theirs(tmp_path: Path) -> None:
    apart = ["unshare", "--pid", "--fork", "--user", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("unshare is not allowed here: no second pid namespace")
    write_both(tmp_path / "out.json", apart)


@pytest.mark.parametrize("name", ["a" * 250, "é" * 120, "a" * 245 + ".json"])
def test_long_names_are_written_or_refused_whole(tmp_path: Path, name: str) -> None:
    with atomic_writer(str(tmp_path / name)) as file:
        file.write(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("num_chars", [249, 250, 255, 300])
def test_score_file_whose_meta_would_have_too_long_a_name_is_refused(
    run_script: RunScript, tmp_path: Path, tiny_gpt2: Path, num_chars: int
) -> None:
    data = write_json(tmp_path / "data.json", RECORDS)
    save = tmp_path / ("s" * (num_chars - 6) + ".jsonl")
    assert "File name too long" in error_line(run_script(*step_1(data, save, tiny_gpt2), "--max_length", 64))
    assert [path.name for path in tmp_path.iterdir()] == ["data.json"]
