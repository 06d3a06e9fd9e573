"""The bundled test set and its README: what it says of the sample and of the public sets is so."""

import hashlib
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from answering.question_sets import BUNDLED_FOLDER, PUBLIC_SETS, question_keys, read_questions
from records.dataset import read_dataset
from script_runs import ROOT
from shared.files import sha256_of
from verdict.length_control import LengthControl, length_control
from verdict.review_file import read_review_file
from verdict.scores import parse_scores
from verdict.verdict import is_conflicting, is_parsed, outcome

SAMPLE = BUNDLED_FOLDER / "sample_test_set.jsonl"
EXAMPLE = "example_verdict/sample_wrap_reviews_example-judge.json"
README = (BUNDLED_FOLDER / "README.md").read_text(encoding="utf-8")


def table_row(file: str) -> list[str]:
    """The cells of a file's row in the README, without their backquotes."""
    (line,) = [line for line in README.splitlines() if line.startswith(f"| `{file}` |")]
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


@pytest.fixture(autouse=True)
def bundled_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATA_DIR", raising=False)


def test_sample_has_eight_kinds_of_four_questions_each() -> None:
    questions = read_questions("sample")
    assert len({question.prompt for question in questions}) == len(questions) == 8 * 4
    kinds = Counter(question.category for question in questions)
    assert set(kinds.values()) == {4}
    assert all(kind in README for kind in kinds)
    assert sum(bool(question.input) for question in questions) == 8
    assert [question.id for question in questions] == [f"{kind}_{number}" for kind in kinds for number in (1, 2, 3, 4)]


def test_sample_fits_a_small_model() -> None:
    assert all(len(question.prompt) + len(question.input) < 400 for question in read_questions("sample"))


def test_readme_gives_rows_and_checksum_of_the_sample() -> None:
    row = table_row(SAMPLE.name)
    assert row[1] == str(len(read_dataset(str(SAMPLE))))
    assert row[4] == sha256_of(SAMPLE)


def test_readme_lists_every_set_with_its_keys_and_git_ignores_the_public_ones() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for name in PUBLIC_SETS:
        keys, row = question_keys(name), table_row(f"{name}_test_set.jsonl")
        assert row[3] == keys.prompt
        assert f"evaluation/test_data/{name}_test_set.jsonl" in ignored
    listed = set(re.findall(r"`(\w+_test_set\.jsonl)`", README))
    assert listed == {SAMPLE.name, *(f"{name}_test_set.jsonl" for name in PUBLIC_SETS)}


def blob_id(path: Path) -> str:
    """What Git calls a file's content."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.mark.parametrize("name", PUBLIC_SETS)
def test_readme_tells_the_truth_about_a_public_set(name: str, real_data_dir: Path) -> None:
    path = real_data_dir / "test_sets" / f"{name}_test_set.jsonl"
    rows, keys = read_dataset(str(path)), question_keys(name)
    _, num_rows, _, _, id_key, category_key, blob = table_row(path.name)
    assert (num_rows, blob) == (str(len(rows)), blob_id(path))
    assert id_key == (keys.id if keys.id in rows[0] else "none")
    assert category_key == (keys.category if keys.category in rows[0] else "none")


def test_readme_tells_the_truth_about_oddities(real_data_dir: Path) -> None:
    folder = real_data_dir / "test_sets"
    koala, wizardlm, sinstruct = (
        read_dataset(str(folder / f"{name}_test_set.jsonl")) for name in ("koala", "wizardlm", "sinstruct")
    )
    assert max(len(row["prompt"]) for row in koala) == 18_598
    assert b"\r\n" in (folder / "wizardlm_test_set.jsonl").read_bytes()
    prompts = Counter(row["Instruction"] for row in wizardlm)
    assert [row["idx"] for row in wizardlm if prompts[row["Instruction"]] > 1] == [20, 27]
    assert sum(not row["instances"][0]["input"] for row in sinstruct) == 44
    assert len(sinstruct) - len({row["instruction"] for row in sinstruct}) == 1


def test_no_public_set_is_part_of_the_repository() -> None:
    done = subprocess.run(["git", "ls-files", "evaluation/test_data"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a Git checkout")
    bundled = {"README.md", SAMPLE.name, EXAMPLE}
    assert set(done.stdout.split()) <= {f"evaluation/test_data/{name}" for name in bundled}


def test_example_reviews_are_of_the_sample_and_have_what_a_verdict_shows() -> None:
    file = read_review_file(str(BUNDLED_FOLDER / EXAMPLE))
    questions = {question.id: question for question in read_questions("sample")}
    for review in file.reviews:
        question = questions[review.pair.id]
        assert (review.pair.prompt, review.pair.input) == (question.prompt, question.input)
        assert (parse_scores(review.text), parse_scores(review.text_reverse)) == (review.scores, review.scores_reverse)
    assert len({review.pair.id for review in file.reviews}) == 24
    parsed = [review for review in file.reviews if is_parsed(review)]
    assert (len(parsed), sum(map(is_conflicting, parsed))) == (23, 3)
    counts = Counter(outcome(review, "published") for review in parsed)
    assert min(counts[value] for value in (1, 0, -1)) >= 3
    assert isinstance(length_control(file.reviews, "published"), LengthControl)
