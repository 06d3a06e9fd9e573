"""The published commands of judging, word for word, in a working folder that has what they name."""

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from reviews import LOSE, TIE, WIN, write_review_file

from answering.generation_file import default_output_dir
from answering.question_sets import question_keys
from answering.wrap_file import read_wrap_file
from judging.prompts import SYSTEM
from script_runs import RunScript, error_line, files_in, flag_error

ANSWER = "--dataset_name vicuna --model_name_or_path {} --max_length 1024"
WRAP = (
    "--dataset_name vicuna --fname1 cherry_alpaca_5_per/test_inference --fname2 alpaca/test_inference "
    "--save_name cherry_alpaca_5_per-VS-alpaca --max_length 1024"
)
FOLDER = "logs/cherry_alpaca_5_per-VS-alpaca"
REVIEW = f"--wraped_file {FOLDER}/vicuna_wrap.json --batch_size 15 --api_key xxx --api_model gpt-4"
VERDICT = (
    f"--review_home_path {FOLDER} --key1 cherry_alpaca_5_per --key2 alpaca --save_name result_gpt3 --max_length 1024 "
    "--api_model gpt-3.5"
)
SETS = ("vicuna", "koala", "wizardlm", "sinstruct", "lima")
QUESTIONS = [
    {"question_id": number, "category": "generic", "text": f"Name {number} colours."} for number in range(1, 4)
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder; no variable of the judge or of test sets is set."""
    for name in ("TEST_DATA_DIR", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def copy_reviews(real_data_dir: Path, home: Path, pattern: str = "*.json") -> Path:
    folder = home / FOLDER
    folder.mkdir(parents=True)
    for path in (real_data_dir / "reviews").glob(pattern):
        shutil.copy(path, folder)
    return folder


def write_five(home: Path, api_model: str = "gpt-3.5-turbo") -> Path:
    """Reviews of the five public sets; the first answer wins one pair of each."""
    folder = home / FOLDER
    folder.mkdir(parents=True)
    for name in SETS:
        write_review_file(folder, name, WIN, TIE, api_model=api_model, **{question_keys(name).prompt: "Why?"})
    return folder


def counts(path: Path) -> dict[str, list[int]]:
    """[win, tie, lose] of each test set in the file of a verdict, in its order, by the published rule."""
    sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    rules = {row["name"]: row["verdict"]["rules"]["published"] for row in sets}
    return {name: [rule["win"], rule["tie"], rule["lose"]] for name, rule in rules.items()}


def save_mute_model(folder: Path, tiny_gpt2: Path) -> None:
    """A GPT-2 of 1,024 positions and no weight: its likeliest token is its first, which ends an answer at once."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    shutil.copytree(tiny_gpt2, folder)
    model = GPT2LMHeadModel(GPT2Config.from_pretrained(tiny_gpt2, n_positions=1024))
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    model.save_pretrained(folder)


def test_four_commands_in_a_row(home: Path, tiny_gpt2: Path, run_script: RunScript) -> None:
    (home / "evaluation" / "test_data").mkdir(parents=True)
    lines = "".join(json.dumps(question) + "\n" for question in QUESTIONS)
    (home / "evaluation" / "test_data" / "vicuna_test_set.jsonl").write_text(lines, encoding="utf-8")
    for name in ("cherry_alpaca_5_per", "alpaca"):
        save_mute_model(home / name, tiny_gpt2)
        done = run_script("eva_generation", *shlex.split(ANSWER.format(name)), cwd=home)
        assert done.returncode == 0, done.stderr
        rows = json.loads((home / name / "test_inference" / "vicuna_1024.json").read_text(encoding="utf-8"))
        assert [row["text"] for row in rows] == [question["text"] for question in QUESTIONS]
        assert [row["response"] for row in rows] == [""] * 3
    assert run_script("eval_generation_wrap", *shlex.split(WRAP), cwd=home).returncode == 0
    assert len(read_wrap_file(str(home / FOLDER / "vicuna_wrap.json")).pairs) == 3
    with FaultServer() as server:
        done = run_script("eval", *shlex.split(REVIEW), cwd=home, env={"OPENAI_BASE_URL": server.url})
    assert done.returncode == 0, done.stderr
    assert (home / FOLDER / "vicuna_wrap_reviews_gpt4.json").exists()
    verdict = VERDICT.replace("gpt-3.5", "gpt-4").replace("gpt3", "gpt4")
    assert run_script("review_eval_score", *shlex.split(verdict), cwd=home).returncode == 0
    assert sum(counts(home / FOLDER / "result_gpt4.json")["vicuna"]) == 3


def test_answers_of_a_model_that_is_no_folder_lie_where_they_hide_no_model(home: Path) -> None:
    assert default_output_dir(str(home)) == f"{home}/test_inference"
    assert default_output_dir("org/model") == "logs/org/model/test_inference"


def test_questions_of_the_working_folder_come_after_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from answering.question_sets import question_set_path

    for folder in ("evaluation/test_data", "mine"):
        (home / folder).mkdir(parents=True)
        (home / folder / "vicuna_test_set.jsonl").write_text("", encoding="utf-8")
    monkeypatch.chdir(home)
    assert question_set_path("vicuna") == Path("evaluation/test_data/vicuna_test_set.jsonl")
    assert question_set_path("sample").is_absolute()  # the bundled one
    monkeypatch.setenv("TEST_DATA_DIR", "mine")
    assert question_set_path("vicuna") == Path("mine/vicuna_test_set.jsonl")


@pytest.mark.parametrize(
    ("save_name", "folder"), [("a-VS-b", "logs/a-VS-b"), ("out/a-VS-b", "out/a-VS-b"), ("./a", "a"), (".", ".")]
)
def test_pairs_of_a_bare_name_lie_in_logs_and_a_path_is_a_path(
    save_name: str, folder: str, home: Path, run_script: RunScript
) -> None:
    for name in ("cherry_alpaca_5_per", "alpaca"):
        (home / name / "test_inference").mkdir(parents=True)
        rows = [question | {"response": f"By {name}."} for question in QUESTIONS]
        (home / name / "test_inference" / "vicuna_1024.json").write_text(json.dumps(rows), encoding="utf-8")
    command = WRAP.replace("cherry_alpaca_5_per-VS-alpaca", save_name)
    assert run_script("eval_generation_wrap", *shlex.split(command), cwd=home).returncode == 0
    assert len(read_wrap_file(str(home / folder / "vicuna_wrap.json")).pairs) == 3


def published_body(question: str, first: str, second: str) -> bytes:
    """The request of the original tool for a pair in one order, as JSON with sorted keys."""
    criteria = (
        "We would like to request your feedback on the performance of two AI assistants in response to the user "
        "question displayed above.\nPlease rate the helpfulness, relevance, accuracy, level of details of their "
        "responses. Each assistant receives an overall score on a scale of 1 to 10, where a higher score indicates "
        "better overall performance.\nPlease first output a single line containing only two values indicating the "
        "scores for Assistant 1 and 2, respectively. The two scores are separated by a space. In the subsequent line, "
        "please provide a comprehensive explanation of your evaluation, avoiding any potential bias and ensuring that "
        "the order in which the responses were presented does not affect your judgment."
    )
    user = (
        f"[Question]\n{question}\n\n[The Start of Assistant 1's Answer]\n{first}\n\n[The End of Assistant 1's Answer]"
        f"\n\n[The Start of Assistant 2's Answer]\n{second}\n\n[The End of Assistant 2's Answer]\n\n"
        f"[System]\n{criteria}\n\n"
    )
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    body: dict[str, Any] = {"max_tokens": 1024, "messages": messages, "model": "gpt-4", "temperature": 0.0}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")


def test_judge_is_sent_the_published_prompts_of_real_pairs(
    home: Path, real_data_dir: Path, run_script: RunScript
) -> None:
    copy_reviews(real_data_dir, home, "vicuna_wrap.json")
    ledger = home / "ledger.jsonl"
    with FaultServer(ledger) as server:
        done = run_script("eval", *shlex.split(REVIEW), cwd=home, env={"OPENAI_BASE_URL": server.url})
        assert done.returncode == 0, done.stderr
        asked = {line["body"] for line in server.ledger()}
    rows = read_wrap_file(str(home / FOLDER / "vicuna_wrap.json")).rows
    wanted = {
        hashlib.sha256(published_body(row["text"], row[first], row[second])).hexdigest()
        for row in rows
        for first, second in (("Answer1", "Answer2"), ("Answer2", "Answer1"))
    }
    assert asked == wanted and len(wanted) == 160


def test_verdict_counts_real_reviews_and_names_the_sets_that_have_none(
    home: Path, real_data_dir: Path, run_script: RunScript
) -> None:
    folder = copy_reviews(real_data_dir, home)
    done = run_script("review_eval_score", *shlex.split(VERDICT), cwd=home)
    assert done.returncode == 0
    assert counts(folder / "result_gpt3.json") == {"vicuna": [16, 58, 6], "koala": [32, 110, 38]}
    assert done.stderr.splitlines()[0] == (
        f"warning: no reviews by gpt-3.5 in {FOLDER} of WizardLM, SInstruct, LIMA; the other test sets are counted"
    )
    gpt4 = VERDICT.replace("result_gpt3", "result_gpt4").replace("--api_model gpt-3.5", "--api_model gpt-4")
    assert run_script("review_eval_score", *shlex.split(gpt4), cwd=home).returncode == 0
    assert counts(folder / "result_gpt4.json") == {"vicuna": [44, 15, 21], "koala": [85, 36, 59]}


@pytest.mark.parametrize("script", ["review_eval_score", "review_viewer"])
def test_default_is_all_five_sets_in_the_published_order(home: Path, run_script: RunScript, script: str) -> None:
    folder = write_five(home)
    before = set(files_in(folder))
    done = run_script(script, *shlex.split(VERDICT), cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    if script == "review_eval_score":
        assert counts(folder / "result_gpt3.json") == {name: [1, 1, 0] for name in SETS}
    new = {path.name for path in set(files_in(folder)) - before}
    assert new == {f"result_gpt3.{ending}" for ending in (("html",) if "viewer" in script else ("json", "png", "svg"))}


@pytest.mark.parametrize("tasks", ["Vicuna KOALA", "vicuna,Koala"])
def test_case_of_a_test_set_does_not_matter(tasks: str, home: Path, run_script: RunScript) -> None:
    folder = write_five(home)
    done = run_script("review_eval_score", *shlex.split(f"{VERDICT} --task_list {tasks}"), cwd=home)
    assert done.returncode == 0, done.stderr
    assert list(counts(folder / "result_gpt3.json")) == ["vicuna", "koala"]


def test_test_set_of_ones_own_is_found_in_another_case(home: Path, run_script: RunScript) -> None:
    write_review_file(home, "Mine", WIN)
    done = run_script("review_eval_score", "--review_home_path", ".", "--task_list", "mine", cwd=home)
    assert done.returncode == 0, done.stderr
    assert counts(home / "verdict_gpt4.json") == {"Mine": [1, 0, 0]}


def test_named_test_set_without_reviews_is_an_error(home: Path, run_script: RunScript) -> None:
    folder = write_five(home)
    (folder / "lima_wrap_reviews_gpt3.5.json").unlink()
    before = files_in(home)
    done = run_script("review_eval_score", *shlex.split(f"{VERDICT} --task_list Vicuna LIMA"), cwd=home)
    assert error_line(done).startswith(f"{FOLDER}/LIMA_wrap_reviews_gpt-3.5.json: not there; the folder has koala_wrap")
    assert files_in(home) == before


def test_no_reviews_at_all_are_an_error(home: Path, run_script: RunScript) -> None:
    (home / FOLDER).mkdir(parents=True)
    error = error_line(run_script("review_eval_score", *shlex.split(VERDICT), cwd=home))
    assert f"no *_wrap_reviews_*.json is in {FOLDER}; run eval.py --api_model gpt-3.5 first" in error


@pytest.mark.parametrize(
    ("api_model", "file"),
    [
        ("gpt-3.5", "vicuna_wrap_reviews_gpt3.5.json"),
        ("gpt-3.5-turbo-16k", "vicuna_wrap_reviews_gpt3.5.json"),
        ("gpt-4-0613", "vicuna_wrap_reviews_gpt4.json"),
        ("openai/gpt-4", "vicuna_wrap_reviews_gpt4.json"),
        ("gpt-4", "old_vicuna_wrap_reviews_gpt4_again.json"),
        ("gpt-4", "deeper/vicuna_wrap_reviews_gpt4.json"),
        ("gpt-4", "vicuna_wrap_reviews_gpt-4-0613.json"),
    ],
)
def test_judge_of_a_published_family_is_found_by_what_names_hold(
    api_model: str, file: str, home: Path, run_script: RunScript
) -> None:
    (home / "deeper").mkdir()
    write_review_file(home, "vicuna", WIN, text="Why?").rename(home / file)
    flags = ["--review_home_path", ".", "--task_list", "Vicuna", "--api_model", api_model, "--save_name", "result"]
    done = run_script("review_eval_score", *flags, cwd=home)
    assert done.returncode == 0, done.stderr
    assert counts(home / "result.json") == {"vicuna": [1, 0, 0]}


def test_name_that_begins_with_the_test_set_and_lies_highest_is_taken(home: Path, run_script: RunScript) -> None:
    (home / "deeper").mkdir()
    write_review_file(home, "vicuna", LOSE, text="Why?").rename(home / "deeper" / "vicuna_wrap_reviews_gpt3.5.json")
    write_review_file(home, "vicuna", LOSE, text="Why?").rename(home / "a_vicuna_wrap_reviews_gpt3.5.json")
    write_review_file(home, "vicuna", WIN, text="Why?", api_model="gpt-3.5-turbo")
    flags = ["--review_home_path", ".", "--task_list", "vicuna", "--api_model", "gpt-3.5", "--save_name", "result"]
    assert run_script("review_eval_score", *flags, cwd=home).returncode == 0
    assert counts(home / "result.json") == {"vicuna": [1, 0, 0]}


def test_files_that_fit_alike_are_named(home: Path, run_script: RunScript) -> None:
    for judge in ("gpt-4o", "gpt-4-0613"):
        write_review_file(home, "vicuna", WIN, text="Why?", api_model=judge)
    done = run_script("review_eval_score", "--review_home_path", ".", "--task_list", "vicuna", cwd=home)
    assert error_line(done) == (
        "--task_list vicuna, --api_model gpt-4: 2 files fit: vicuna_wrap_reviews_gpt-4-0613.json, "
        "vicuna_wrap_reviews_gpt-4o.json; give the judge its full name, or a --review_home_path that has one of them"
    )


def name_judge(path: Path, api_model: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["Meta_Info"]["judge"] = {"api_model": api_model}
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("api_model", ["gpt-4o", "gpt-4-0613"])
def test_reviews_of_a_judge_that_the_file_names_otherwise_are_refused(
    api_model: str, home: Path, run_script: RunScript
) -> None:
    name_judge(write_review_file(home, "vicuna", WIN, text="Why?"), "gpt-4")
    flags = ["--review_home_path", ".", "--task_list", "vicuna", "--api_model", api_model]
    assert error_line(run_script("review_eval_score", *flags, cwd=home)) == (
        f'vicuna_wrap_reviews_gpt4.json: its judge was "gpt-4" (Meta_Info.judge), not {api_model}; give --api_model '
        "that name"
    )


def test_judge_whose_name_holds_what_was_asked_for_is_noted(home: Path, run_script: RunScript) -> None:
    name_judge(write_review_file(home, "vicuna", WIN, text="Why?", api_model="gpt-3.5-turbo"), "gpt-3.5-turbo")
    flags = ["--review_home_path", ".", "--task_list", "vicuna", "--api_model", "gpt-3.5"]
    done = run_script("review_eval_score", *flags, cwd=home)
    assert (done.returncode, done.stderr) == (
        0,
        "note: vicuna_wrap_reviews_gpt3.5.json: its judge was gpt-3.5-turbo; counted as gpt-3.5\n",
    )


def test_empty_address_is_the_default_one(home: Path, real_data_dir: Path, run_script: RunScript) -> None:
    copy_reviews(real_data_dir, home, "vicuna_wrap.json")
    done = run_script("eval", *shlex.split(f"{REVIEW} --api_base '' --max_tokens 1024 --dry_run"), cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "80 pairs in both orders: 0 requests answered before, 160 to send to gpt-4 at https://api.openai.com/v1" in (
        done.stdout
    )


@pytest.mark.parametrize(("script", "flags"), [("eval", REVIEW), ("review_eval_score", VERDICT)])
def test_judge_without_a_name_is_refused(script: str, flags: str, home: Path, run_script: RunScript) -> None:
    done = run_script(script, *shlex.split(flags), "--api_model", " ", cwd=home)
    assert flag_error(done) == "argument --api_model: it must not be empty"
