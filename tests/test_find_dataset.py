"""What run_pipeline.sh is told of a dataset: its path, the ending of files made of it, and a name for them."""

import gzip
from pathlib import Path

import pytest

from script_runs import RunScript, error_line


@pytest.mark.parametrize(
    ("files", "path", "ending", "name"),
    [
        (["my.data.json"], "my.data.json", "json", "my.data"),
        (["my_data.jsonl.gz"], "my_data.jsonl.gz", "jsonl.gz", "my_data"),
        (["DATA.JSONL"], "DATA.JSONL", "JSONL", "DATA"),
        (["set/b.jsonl", "set/c.jsonl", "set/README.md", "set/.gitattributes"], "set", "jsonl", "set"),
        (["set/b.jsonl.zst"], "set/", "jsonl.zst", "set"),
        (["set/b.parquet", "set/c.parquet", "set/a.txt"], "set/*.parquet", "parquet", "set"),
    ],
)
def test_names_and_endings_of_files(
    run_script: RunScript, tmp_path: Path, files: list[str], path: str, ending: str, name: str
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(gzip.compress(b"{}") if file.endswith(".gz") else b"{}")
    done = run_script("find_dataset", "--data_path", path, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{path}\n{ending}\n{name}\n", "")


def test_folder_without_data_is_refused(run_script: RunScript, tmp_path: Path) -> None:
    line = error_line(run_script("find_dataset", "--data_path", tmp_path))
    assert "no dataset files in this folder" in line
