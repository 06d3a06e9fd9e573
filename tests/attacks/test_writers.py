"""Every writer against inputs, links, modes, files of others, and names that are taken."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from records.outputs import keep_files_of_others
from script_runs import CODE, RunScript, error_line, files_in, write_json
from shared.cli import UserError
from shared.files import atomic_writer

RECORDS = [{"instruction": "Add.", "input": "", "output": str(number)} for number in range(4)]
SCORED = [
    record | {"ppl_A_direct": 4.0, "ppl_A_condition": 2 + place, "ifd_ppl": 0.5 + place / 10, "ifd_loss": 0.5}
    for place, record in enumerate(RECORDS)
]
LINE = {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75]}
STEP_1 = ("data_analysis", "--model_name_or_path=nowhere/at/all")


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dataset, its scored version and its score file."""
    write_json(tmp_path / "data.json", RECORDS)
    write_json(tmp_path / "scored.json", SCORED)
    write_json(tmp_path / "other.json", SCORED)
    write_lines(tmp_path / "scores.jsonl", [LINE] * 4)
    return tmp_path


def refused(run_script: RunScript, folder: Path, *command: object) -> str:
    """The line with which a script refuses; nothing has changed."""
    before = files_in(folder)
    line = error_line(run_script(*command, cwd=folder))
    assert files_in(folder) == before
    return line


@pytest.mark.parametrize(
    ("data", "save", "more"),
    [
        ("victim.jsonl.meta.json", "victim.jsonl", []),
        ("victim.jsonl.meta.json", "./victim.jsonl", []),
        ("victim.jsonl.meta.json", "sub/../victim.jsonl", []),
        ("victim.jsonl.meta.json", "link/victim.jsonl", []),
        ("victim.jsonl", "victim.jsonl", []),
        ("victim.jsonl", "symbolic.jsonl", []),
        ("victim.jsonl", "hard.jsonl", []),
        ("v.jsonl.bfloat16.meta.json", "v.jsonl", ["--dtype=mixed"]),
        ("to_bfloat16.jsonl", "v.jsonl", ["--dtype=mixed"]),
        ("to_float32.jsonl", "v.jsonl", ["--dtype=mixed"]),
    ],
)
def test_no_file_of_step_1_is_its_data(
    run_script: RunScript, tmp_path: Path, data: str, save: str, more: list[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    target = {"to_bfloat16.jsonl": "v.jsonl.bfloat16", "to_float32.jsonl": "v.jsonl.float32"}.get(data, data)
    if target.endswith(".json"):
        write_json(tmp_path / target, RECORDS)
    else:
        write_lines(tmp_path / target, RECORDS)
    if target != data:
        (tmp_path / data).symlink_to(target)
    if save == "symbolic.jsonl":
        (tmp_path / save).symlink_to(data)
    if save == "hard.jsonl":
        os.link(tmp_path / data, tmp_path / save)
    line = refused(run_script, tmp_path, *STEP_1, "--data_path", data, "--save_path", save, *more)
    assert "the output would overwrite an input of this step" in line


@pytest.mark.parametrize(
    "command",
    [
        ["put_analysis_to_data", "--pt_data_path=scores.jsonl", "--json_data_path=data.json", "--json_save_path="],
        ["select_data", "--json_data_path=data.json", "--json_save_path="],
        ["plant_mistakes", "--json_data_path=data.json", "--json_save_path="],
        ["prove_it", "--json_data_path=data.json", "--save_path="],
        ["compare_scores", "data.json", "scored.json", "--json_save_path="],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("name", ["data.json", "symbolic.json", "hard.json", "sub/../data.json"])
def test_no_output_is_an_input(run_script: RunScript, folder: Path, command: list[str], name: str) -> None:
    (folder / "sub").mkdir()
    (folder / "symbolic.json").symlink_to("data.json")
    os.link(folder / "data.json", folder / "hard.json")
    line = refused(run_script, folder, *command[:-1], command[-1] + name)
    assert line.startswith(f"{name}: the output would overwrite an input of this step")


def test_report_and_figures_are_ours(run_script: RunScript, folder: Path) -> None:
    command = ["report", "--json_data_path=scored.json", "--save_path=page.html", "--sample_num=1"]
    assert run_script(*command, cwd=folder).returncode == 0
    pages = sorted(map(str, folder.glob("page*")))
    assert len(pages) == 5
    keep_files_of_others(pages, overwrite=False)


@pytest.mark.parametrize("flags", [["--json_save_path=new.json"], ["--plot_path=new.png"]], ids=str)
def test_a_comparison_is_ours(run_script: RunScript, folder: Path, flags: list[str]) -> None:
    for _ in range(2):
        assert run_script("compare_scores", "scored.json", "other.json", *flags, cwd=folder).returncode == 0


def test_no_figure_is_an_input(run_script: RunScript, folder: Path) -> None:
    (folder / "scored.json").rename(folder / "page_ifd.png")
    (folder / "scored.json").symlink_to("page_ifd.png")
    line = refused(run_script, folder, "report", "--json_data_path=scored.json", "--save_path=page.html")
    assert line.startswith("page_ifd.png: the output would overwrite an input")


def test_the_meta_of_a_score_file_is_no_place_for_the_scored_data(run_script: RunScript, folder: Path) -> None:
    command = ["--pt_data_path=scores.jsonl", "--json_data_path=data.json", "--json_save_path=scores.jsonl.meta.json"]
    line = refused(run_script, folder, "put_analysis_to_data", *command)
    assert "the output would overwrite an input" in line


def test_an_output_beside_the_pattern_is_fine(run_script: RunScript, folder: Path) -> None:
    write_lines(folder / "parts" / "part-1.jsonl", SCORED)
    command = ["--json_data_path=parts/part-*.jsonl", "--json_save_path=parts/best.jsonl", "--sample_num=1"]
    assert run_script("select_data", *command, cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["plant_mistakes", "--json_data_path=data.json", "--json_save_path=mine.json"], "mine.json"),
        (["compare_scores", "scored.json", "other.json", "--json_save_path=mine.json"], "mine.json"),
        (["compare_scores", "scored.json", "other.json", "--plot_path=mine.png"], "mine.png"),
        (["report", "--json_data_path=scored.json", "--save_path=mine.html"], "mine.html"),
        (["report", "--json_data_path=scored.json", "--save_path=mine.html"], "mine_length.png"),
        (["prove_it", "--json_data_path=scored.json", "--save_path=mine.json"], "mine.json"),
        (["select_data_diverse", "--json_data_path=scored.json", "--json_save_path=mine.json"], "mine.json"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_every_writer_leaves_a_file_of_others(
    run_script: RunScript, folder: Path, command: list[str], name: str
) -> None:
    content = {".png": b"\x89PNG\r\n\x1a\n" + b"tEXtSoftware", ".html": b"<!doctype html><title>My thesis</title>"}
    (folder / name).write_bytes(content.get(Path(name).suffix, b'{"my": "work"}'))
    assert f"{name}: is there and has no scores in it, so it is no result of these steps" in refused(
        run_script, folder, *command
    )


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_a_replaced_file_keeps_its_mode(run_script: RunScript, folder: Path, mode: int) -> None:
    (folder / "new.json").touch()
    (folder / "new.json").chmod(mode)
    command = ["--json_data_path=scored.json", "--json_save_path=new.json", "--sample_num=1"]
    assert run_script("select_data", *command, cwd=folder).returncode == 0
    assert stat.S_IMODE((folder / "new.json").stat().st_mode) == mode
    assert (folder / "new.json").stat().st_size > 0


def test_a_new_file_has_the_mode_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_writer(str(tmp_path / "new")) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("target", ["real/target.json", "target.json", "real/missing.json"])
def test_an_output_is_written_through_a_symbolic_link(run_script: RunScript, folder: Path, target: str) -> None:
    (folder / "real").mkdir()
    (folder / "middle.json").symlink_to(target)
    (folder / "link.json").symlink_to("middle.json")
    if "missing" not in target:
        write_json(folder / target, SCORED)
    command = ["--json_data_path=scored.json", "--json_save_path=link.json", "--sample_num=1"]
    assert run_script("select_data", *command, cwd=folder).returncode == 0
    assert (folder / "link.json").is_symlink() and (folder / "middle.json").is_symlink()
    assert len(json.loads((folder / target).read_text(encoding="utf-8"))) == 1
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


def test_a_link_to_itself_is_one_line(run_script: RunScript, folder: Path) -> None:
    (folder / "loop.json").symlink_to("loop.json")
    command = ["--json_data_path=scored.json", "--json_save_path=loop.json", "--sample_num=1"]
    assert "loop.json: cannot be written" in refused(run_script, folder, "select_data", *command)


def test_two_writers_with_one_process_id_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)
    path = tmp_path / "scored.json"
    with atomic_writer(str(path)) as one:
        one.write(b"one")
        with atomic_writer(str(path)) as other:
            other.write(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_temporary_name_that_is_taken_is_never_opened(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda num_bytes: "0" * 2 * num_bytes)
    taken = tmp_path / f".new.{'0' * 16}.tmp"
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    {"file": taken.touch, "link": lambda: taken.symlink_to(victim), "folder": taken.mkdir}[kind]()
    match = "new: cannot be written, nothing was changed"
    with pytest.raises(UserError, match=match), atomic_writer(str(tmp_path / "new")) as file:
        file.write(b"x")
    assert victim.read_bytes() == b"mine"
    assert os.path.lexists(taken)


@pytest.mark.parametrize(
    ("data", "output_dir", "message"),
    [
        ("parts", "parts", "OUTPUT_DIR lies inside the folder of the data"),
        ("parts", "parts/out", "OUTPUT_DIR lies inside the folder of the data"),
        ("parts", "link", "OUTPUT_DIR lies inside the folder of the data"),
        ("parts/", "./parts/../parts", "OUTPUT_DIR lies inside the folder of the data"),
        ("parts/*.jsonl", "parts", "would be taken for one of them"),
        ("data.json", "taken", "taken/data_gpt2_data.json: is there and has no scores in it"),
        ("n" * 240 + ".json", "out", "files called after it have names of up to"),
        ("\u6c49" * 80 + ".json", "out", "files called after it have names of up to"),
        ("line\nend.json", "out", "has a line end in its name"),
    ],
)
def test_what_would_stop_the_pipeline_later_stops_it_first(
    run_script: RunScript, folder: Path, data: str, output_dir: str, message: str
) -> None:
    write_lines(folder / "parts" / "a.jsonl", RECORDS)
    (folder / "link").symlink_to("parts")
    write_lines(folder / "taken" / "data_gpt2_data.json", RECORDS)
    if not data.startswith("parts"):
        write_json(folder / data, RECORDS)
    assert message in refused(run_script, folder, "find_dataset", f"--data_path={data}", f"--output_dir={output_dir}")


@pytest.mark.parametrize(
    "name", [b"a\xff.json", "\u3000\xa0.json".encode(), b" a .json", b"-x.json", b"\xe2\x80\xae.json"]
)
def test_a_name_that_cannot_be_shown_reaches_the_next_step(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(RECORDS, file)
    command = [sys.executable, CODE[0] / "find_dataset.py", b"--data_path", path, "--output_dir", "out"]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"%s\njson\nout/%s_gpt2\n" % (path, name.removesuffix(b".json"))
