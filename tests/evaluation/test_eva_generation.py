"""The generation as users run it: its file, its refusals, and runs that are stopped and still end the same."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import eva_generation
from answering.generation import AnswerGenerator, Decoding, stop_tokens
from answering.prompt_batches import encode_questions
from answering.question_sets import read_questions
from script_runs import ROOT, error_line, files_in, write_json
from shared import cli
from tiny_models import CHAT_TEMPLATE, build_tokenizer, load_tiny

WORDS = ["Name", "three", "colours", "of", "autumn", "leaves", "red", "yellow", "and", "brown"]
Generate = Callable[..., subprocess.CompletedProcess]


def make_rows(num_rows: int, longest: int = 6) -> list[dict]:
    """Rows of varied length with ids, and keys that nobody knows."""
    generator = random.Random(0)
    prompts = [" ".join(generator.choices(WORDS, k=generator.randint(1, longest))) for _ in range(num_rows)]
    return [{"id": f"q{number}", "prompt": prompt, "level": number % 3} for number, prompt in enumerate(prompts)]


@pytest.fixture
def write_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write rows as the test set called mine, where the script finds it."""
    monkeypatch.setenv("TEST_DATA_DIR", str(tmp_path / "sets"))

    def write(rows: list[Any]) -> None:
        (tmp_path / "sets").mkdir(exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "sets" / "mine_test_set.jsonl").write_text(text, encoding="utf-8")

    return write


def flags(model: Path, folder: Path, *more: object) -> list[object]:
    """The flags of a run with a short template; what follows may repeat and so replace one."""
    return [
        "--dataset_name",
        "mine",
        "--model_name_or_path",
        model,
        "--output_dir",
        folder,
        "--prompt",
        "wiz",
        "--max_length",
        64,
        "--batch_size",
        4,
        "--device",
        "cpu",
        *more,
    ]


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Generate]:
    """Run the script with `flags` in this process: to import torch and transformers takes seconds."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(model: Path, folder: Path, *more: object) -> subprocess.CompletedProcess:
        arguments = list(map(str, flags(model, folder, *more)))
        monkeypatch.setattr(sys, "argv", ["eva_generation.py", *arguments])
        code = 0
        try:
            cli.run(eva_generation.main)
        except SystemExit as leaving:
            code = leaving.code
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    yield run
    torch.set_num_threads(num_threads)


def generate_apart(model: Path, folder: Path, *more: object, **options: Any) -> subprocess.CompletedProcess:
    """Run the script with `flags` in a process of its own."""
    process = start(model, folder, *more, **options)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def answers_in(folder: Path, name: str = "mine_64.json") -> list[dict]:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_rows_are_the_test_sets_in_order_with_the_answer_added(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    rows = make_rows(10)
    write_set(rows)
    done = generate(tiny_gpt2, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    answers = answers_in(tmp_path / "out")
    assert [list(answer) for answer in answers] == [["id", "prompt", "level", "raw_output", "response"]] * 10
    assert [{key: answer[key] for key in ("id", "prompt", "level")} for answer in answers] == rows
    assert done.stdout.startswith("10 questions (10 in ")
    assert ", 10 answered, " in done.stdout and done.stdout.endswith(
        f"; skipped: none -> {tmp_path}/out/mine_64.json\n"
    )


@pytest.mark.parametrize(("fixture", "template"), [("tiny_gpt2", "wiz"), ("tiny_llama", "wiz"), ("tiny_llama", "chat")])
def test_batches_answer_as_one_by_one(
    fixture: str, template: str, generate: Generate, write_set: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    write_set(make_rows(9))
    for size in (1, 4, 9):
        more = ("--batch_size", size, "--prompt", template)
        assert generate(request.getfixturevalue(fixture), tmp_path / str(size), *more).returncode == 0
    assert answers_in(tmp_path / "1") == answers_in(tmp_path / "4") == answers_in(tmp_path / "9")


def test_response_is_the_raw_output_without_special_tokens_and_space(
    generate: Generate, write_set: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    write_set(make_rows(12))
    done = generate(tiny_llama, tmp_path / "out", "--max_length", 250)
    answers = answers_in(tmp_path / "out", "mine_250.json")
    assert [answer["raw_output"].replace("<s>", "").strip() for answer in answers] == [
        answer["response"] for answer in answers
    ]
    # <s> is what ends an answer of this model: the others are as long as they may be.
    num_ended = sum(answer["raw_output"].endswith("<s>") for answer in answers)
    assert num_ended > 0
    assert f"{12 - num_ended} of them cut at --max_length 250" in done.stdout


def test_prompt_never_gets_into_the_answer(generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path) -> None:
    # Old ways to cut the prompt off are led astray by these.
    rows = [{"prompt": text} for text in ("### Response: a", " two  spaces . ", "\u00e9\u2028\U0001f389", "<s>a", "")]
    write_set(rows)
    assert generate(tiny_gpt2, tmp_path / "out").returncode == 0
    for row, answer in zip(rows, answers_in(tmp_path / "out"), strict=True):
        assert answer["prompt"] == row["prompt"]
        assert "Response:" not in answer["raw_output"]


def test_prompt_without_room_is_reported_and_not_answered(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    rows = make_rows(6)
    rows[1]["prompt"] = rows[4]["prompt"] = "autumn leaves " * 3000
    write_set(rows)
    done = generate(tiny_gpt2, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert ", 4 answered, " in done.stdout and "; skipped: long_prompt 2 ->" in done.stdout
    skipped = {"raw_output": None, "response": None, "skipped": "long_prompt"}
    assert [answer == row | skipped for answer, row in zip(answers_in(tmp_path / "out"), rows, strict=True)] == [
        place in (1, 4) for place in range(6)
    ]


def test_prompts_that_all_leave_no_room_are_done_too(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(3))
    assert "3 questions (3 in " in generate(tiny_gpt2, tmp_path / "out", "--max_length", 2).stdout
    again = generate(tiny_gpt2, tmp_path / "out", "--max_length", 2)
    assert (
        "3 questions (all of them done before), 0 answered, 0 of them cut at --max_length 2; skipped: long_prompt 3"
        in again.stdout
    )


def test_room_is_counted_in_tokens_of_the_whole_prompt(
    generate: Generate, write_set: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    write_set([{"prompt": "Name three"}])
    num_tokens = len(build_tokenizer(adds_bos=True)("Name three\n\n### Response:")["input_ids"])
    for max_length, skipped in ((num_tokens, "long_prompt"), (num_tokens + 1, None)):
        assert generate(tiny_llama, tmp_path / "out", "--max_length", max_length).returncode == 0
        assert answers_in(tmp_path / "out", f"mine_{max_length}.json")[0].get("skipped") == skipped


def test_first_questions_alone(generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path) -> None:
    write_set(make_rows(10))
    assert generate(tiny_gpt2, tmp_path / "out", "--num_questions", 3).returncode == 0
    assert [answer["id"] for answer in answers_in(tmp_path / "out")] == ["q0", "q1", "q2"]


def test_second_run_generates_nothing_and_says_so(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(6))
    generate(tiny_gpt2, tmp_path / "out")
    before = files_in(tmp_path / "out")
    again = generate(tiny_gpt2, tmp_path / "out")
    assert again.returncode == 0
    assert "6 questions (all of them done before)" in again.stdout
    assert files_in(tmp_path / "out") == before
    (tmp_path / "out" / "mine_64.json").unlink()
    assert "all of them done before" in generate(tiny_gpt2, tmp_path / "out").stdout
    assert files_in(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (["--seed", 1], "seed: 42 there, 1 now"),
        (["--prompt", "vicuna"], 'prompt: "wiz" there, "vicuna" now'),
        (["--num_questions", 2], "num_questions: 6 there, 2 now"),
        (["--temperature", 0.5], "temperature: 0.0 there, 0.5 now"),
        (["--batch_size", 3], "batch_size: 4 there, 3 now"),
        (["--num_beams", 2], "num_beams: 1 there, 2 now"),
        (["--dtype", "bfloat16"], 'dtype: "float32" there, "bfloat16" now'),
    ],
)
def test_other_settings_are_refused_with_the_difference(
    more: list[object], difference: str, generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(6))
    generate(tiny_gpt2, tmp_path / "out")
    before = files_in(tmp_path / "out")
    error = error_line(generate(tiny_gpt2, tmp_path / "out", *more))
    assert f"mine_64.json.journal.jsonl: holds work of another run ({difference}); " in error
    assert files_in(tmp_path / "out") == before


def test_other_test_set_or_model_is_refused(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(6))
    model = shutil.copytree(tiny_gpt2, tmp_path / "model")
    generate(model, tmp_path / "out")
    (model / "added.json").write_text("{}", encoding="utf-8")
    assert "(model_fingerprint: " in error_line(generate(model, tmp_path / "out"))
    (model / "added.json").unlink()
    write_set([*make_rows(5), {"prompt": "another"}])
    assert "(test_set_sha256: " in error_line(generate(model, tmp_path / "out"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine_64.json", "was changed after it was made; remove it and run again"),
        (
            "mine_64.json.journal.jsonl",
            "exists, but {folder}/mine_64.json.journal.jsonl does not, so nothing says how it was made",
        ),
    ],
)
def test_file_that_is_not_as_it_was_made_is_refused(
    name: str, message: str, generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(6))
    folder = tmp_path / "out"
    generate(tiny_gpt2, folder)
    if name == "mine_64.json":
        write_json(folder / name, answers_in(folder)[:5])
    else:
        (folder / name).unlink()
    before = files_in(folder)
    assert error_line(generate(tiny_gpt2, folder)).startswith(f"{folder}/mine_64.json: {message.format(folder=folder)}")
    assert files_in(folder) == before


def test_damaged_journal_is_an_error(generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path) -> None:
    write_set(make_rows(6))
    generate(tiny_gpt2, tmp_path / "out")
    path = tmp_path / "out" / "mine_64.json.journal.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"place": 5', '"place": 50'), encoding="utf-8")
    assert "journal.jsonl: damaged: IndexError" in error_line(generate(tiny_gpt2, tmp_path / "out"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--max_length", 65], "--max_length 65: {model} reads at most 64 tokens; give 64 or less"),
        (
            ["--prompt", "chat"],
            "--prompt chat: this model's tokenizer has no chat template; choose another one, such as alpaca",
        ),
        (["--prompt", "none"], "argument --prompt: invalid choice: 'none'"),
        (["--temperature", "-1"], "argument --temperature: '-1' is neither 0 nor from 0.01 to 100"),
        (["--temperature", "1e400"], "argument --temperature: '1e400' is neither 0 nor from 0.01 to 100"),
        (["--top_p", "0.5"], "--top_p 0.5: without a --temperature above 0 nothing is drawn"),
        (["--dataset_name", "other"], "--dataset_name other: no other_test_set.jsonl in "),
        (["--model_name_or_path", "./nowhere"], "--model_name_or_path ./nowhere: no such folder"),
    ],
)
def test_mistake_leaves_nothing_behind(
    more: list[object], message: str, generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(3))
    error = error_line(generate(tiny_gpt2, tmp_path / "out", *more))
    assert error.startswith(message.format(model=tiny_gpt2))
    assert files_in(tmp_path / "out") == {}


def test_draws_are_the_same_in_every_run(generate: Generate, write_set: Any, tiny_llama: Path, tmp_path: Path) -> None:
    write_set(make_rows(6))
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert (
            generate(tiny_llama, tmp_path / folder, "--temperature", 1, "--top_p", 0.9, "--seed", seed).returncode == 0
        )
    assert answers_in(tmp_path / "a") == answers_in(tmp_path / "b") != answers_in(tmp_path / "c")


def test_chat_answer_ends_at_the_token_that_the_template_sets_after_it(
    generate: Generate, write_set: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    write_set(make_rows(8))
    # A token of the model's answers that no prompt has, declared the end of a turn by the template alone.
    model, tokenizer = load_tiny(tiny_llama, 200)

    def answer() -> list[list[int]]:
        prompts = encode_questions(tokenizer, read_questions("mine"), "chat")
        return AnswerGenerator(model, Decoding(200), stop_tokens(model, tokenizer)).answer(prompts, "batch 0")

    known = "<user></user><assistant>" + " ".join(WORDS)
    counts = Counter(
        token
        for ids in answer()
        for token in set(tokenizer.convert_ids_to_tokens(ids))
        if token.isascii() and token.isalnum()
    )
    stop = max(counts.keys() - {token for token in counts if token in known}, key=lambda token: (counts[token], token))
    folder = shutil.copytree(tiny_llama, tmp_path / "model")
    tokenizer.add_tokens([stop], special_tokens=True)
    tokenizer.chat_template = CHAT_TEMPLATE.replace(
        "</user>", "{% if message['role'] == 'user' %}</user>{% else %}" + stop + "{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    assert generate(folder, tmp_path / "after", "--prompt", "chat", "--max_length", 200).returncode == 0
    before, stop_id = answer(), tokenizer.convert_tokens_to_ids(stop)
    cut = [ids[: ids.index(stop_id) + 1] if stop_id in ids else ids for ids in before]
    answers = answers_in(tmp_path / "after", "mine_200.json")
    assert cut != before
    assert [answer["raw_output"] for answer in answers] == [tokenizer.decode(ids) for ids in cut]
    assert [answer["response"] for answer in answers] == [
        tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in cut
    ]


def test_full_disk_keeps_what_is_done_and_goes_on_to_the_same_bytes(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(20))
    generate(tiny_gpt2, tmp_path / "whole")
    whole = files_in(tmp_path / "whole")
    limit = (tmp_path / "whole" / "mine_64.json.journal.jsonl").stat().st_size // 2

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = generate_apart(tiny_gpt2, tmp_path / "out", preexec_fn=fill_disk)
    assert done.returncode == 2
    assert "mine_64.json.journal.jsonl: writing failed: File too large; what was finished before is kept" in done.stderr
    assert generate(tiny_gpt2, tmp_path / "out").returncode == 0
    assert {path.name: data for path, data in files_in(tmp_path / "out").items()} == {
        path.name: data for path, data in whole.items()
    }


def start(model: Path, folder: Path, *more: object, **options: Any) -> subprocess.Popen:
    command = [
        sys.executable,
        str(ROOT / "evaluation" / "generation" / "eva_generation.py"),
        *map(str, flags(model, folder, *more)),
    ]
    # Tiny models are slower on two threads than on one.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def wait_until_longer(process: subprocess.Popen, journal: Path, num_bytes: int) -> None:
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > num_bytes):
        time.sleep(0.001)


@pytest.mark.long
def test_kills_and_a_ctrl_c_end_in_the_bytes_of_an_unbroken_run(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(120))
    assert generate(tiny_gpt2, tmp_path / "whole", "--temperature", 1).returncode == 0
    whole = {path.name: data for path, data in files_in(tmp_path / "whole").items()}
    journal = tmp_path / "out" / "mine_64.json.journal.jsonl"
    size, most = 0, len(whole[journal.name])
    generator = random.Random(0)
    for kill in range(8):
        process = start(tiny_gpt2, tmp_path / "out", "--temperature", 1)
        wait_until_longer(process, journal, size + generator.randrange(most // 12))
        time.sleep(generator.random() / 30)
        process.send_signal(signal.SIGINT if kill == 7 else signal.SIGKILL)
        _, stderr = process.communicate()
        assert process.returncode == (130 if kill == 7 else -signal.SIGKILL)
        size = journal.stat().st_size
    assert "of 120 questions are in" in stderr and "the same command goes on from there" in stderr
    assert 0 < size < most
    assert generate(tiny_gpt2, tmp_path / "out", "--temperature", 1).returncode == 0
    assert {path.name: data for path, data in files_in(tmp_path / "out").items()} == whole


def test_second_process_is_refused_while_the_first_runs(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(2000))
    first = start(tiny_gpt2, tmp_path / "out")
    wait_until_longer(first, tmp_path / "out" / "mine_64.json.journal.jsonl", 0)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the second has begun
    second = generate(tiny_gpt2, tmp_path / "out")
    first.kill()
    first.communicate()
    assert "another process is writing it; wait for it" in error_line(second)


def test_run_killed_before_its_first_batch_stands_in_nobodys_way(
    generate: Generate, write_set: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    write_set(make_rows(2000))
    first = start(tiny_gpt2, tmp_path / "out")
    wait_until_longer(first, tmp_path / "out" / "mine_64.json.journal.jsonl", 0)
    first.kill()
    first.communicate()
    journal = tmp_path / "out" / "mine_64.json.journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    assert generate(tiny_gpt2, tmp_path / "out", "--num_questions", 2).returncode == 0
