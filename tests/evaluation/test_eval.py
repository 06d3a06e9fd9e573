"""eval.py against a server on this machine: what it writes, what it asks, and what it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from judge_runs import KEY, Done, environment, judge, write_pairs
from raw_judge import RawServer, said, shown_text

from answering.wrap_file import read_wrap_file
from judging.requests import Judge, pair_requests
from script_runs import ROOT
from verdict.scores import parse_scores


def review_of(wrap: Path, name: str = "gpt4") -> Path:
    return wrap.with_name(f"mine_wrap_reviews_{name}.json")


def read_rows(wrap: Path) -> list[dict]:
    return json.loads(review_of(wrap).read_text(encoding="utf-8"))["data"]


def bodies(server: FaultServer) -> list[str]:
    return [line["body"] for line in server.ledger()]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_review_file_has_the_published_keys_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 3)
    with FaultServer() as server:
        assert judge(monkeypatch, wrap, server.url).returncode == 0
    content = json.loads(review_of(wrap).read_text(encoding="utf-8"))
    assert list(content["data"][0]) == [
        *read_wrap_file(str(wrap)).rows[0],
        "review",
        "scores",
        "review_reverse",
        "scores_reverse",
    ]
    scores = [parse_scores(row["review"]) for row in content["data"]]
    assert [row["scores"] for row in content["data"]] == [str([a, b]) for a, b in scores]
    assert content["Meta_Info"] == {
        "dataset_name": "mine",
        "average_scores": str([sum(a for a, _ in scores) / 3, sum(b for _, b in scores) / 3]),
        "average_scores_reverse": content["Meta_Info"]["average_scores_reverse"],
        "judge": {"api_model": "gpt-4", "max_tokens": 1024, "temperature": 0.0, "judge_input": "on"},
    }


def test_a_second_run_asks_nothing_needs_no_key_and_writes_the_same(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 3)
    with FaultServer(ledger) as server:
        judge(monkeypatch, wrap, server.url)
        num_asked, first = len(server.ledger("arrived")), review_of(wrap).read_bytes()
        review_of(wrap).unlink()
        done = judge(monkeypatch, wrap, None, key=None)
        assert (done.returncode, len(server.ledger("arrived"))) == (0, num_asked)
    assert "6 requests answered before, 0 to send" in done.stdout
    assert review_of(wrap).read_bytes() == first


def test_equal_prompts_are_asked_once(tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 4, prompt="Why?", Answer1="One.", Answer2="Two.")
    with FaultServer(ledger) as server:
        assert judge(monkeypatch, wrap, server.url).returncode == 0
        assert len(bodies(server)) == 2
    assert len({row["review"] for row in read_rows(wrap)}) == 1


def test_dry_run_needs_no_key_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 5)
    done = judge(
        monkeypatch, wrap, None, "--dry_run", "--price_in", "30", "--price_out", "60", "--max_tokens", "1000", key=None
    )
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [wrap])
    assert (
        "5 pairs in both orders: 0 requests answered before, 10 to send to gpt-4 at https://api.openai.com/v1"
        in done.stdout
    )
    assert "at most 20,000 of answers; at most " in done.stdout  # each may be asked for scores once more


def test_another_judge_has_another_file_and_other_parameters_are_asked_anew(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    with FaultServer(ledger) as server:
        for flags in ([], ["--api_model", "gpt-3.5-turbo"], ["--max_tokens", "5"], ["--temperature", "default"], []):
            assert judge(monkeypatch, wrap, server.url, *flags).returncode == 0
        assert len(bodies(server)) == len(set(bodies(server))) == 4 * 4
    assert review_of(wrap).exists() and review_of(wrap, "gpt3.5").exists()


def test_a_body_holds_what_it_must_and_half_a_surrogate_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 1, Answer1="\ud83d", input="{}")
    with FaultServer() as server:
        assert judge(monkeypatch, wrap, server.url).returncode == 0
    assert read_rows(wrap)[0]["Answer1"] == "\ud83d"


def test_unreadable_scores_are_asked_for_once_more(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 1)
    # The follow-up holds the judge's first words.
    with FaultServer(ledger, by_text={"could not be read": "say:6 7", "Question 0?": "prose"}) as server:
        done = judge(monkeypatch, wrap, server.url)
        assert len(bodies(server)) == 4
        assert judge(monkeypatch, wrap, None, key=None).returncode == 0
    row = read_rows(wrap)[0]
    assert (row["scores"], row["scores_reverse"]) == ("[6.0, 7.0]", "[6.0, 7.0]")
    assert row["review"].startswith("Both are good.\n") and row["review"].endswith("\n6 7")
    assert "2 asked again for scores" in done.stdout and "0 of 2 reviews without scores" in done.stdout


def test_what_stays_unreadable_is_kept_counted_and_null(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    with FaultServer(ledger, by_text={"Question 1?": "prose"}) as server:
        done = judge(monkeypatch, wrap, server.url)
        assert len(bodies(server)) == 2 + 4
    assert [row["scores"] is None for row in read_rows(wrap)] == [False, True]
    assert "Both are good." in read_rows(wrap)[1]["review"]
    assert "2 of 4 reviews without scores" in done.stdout


def test_an_answer_that_was_cut_is_kept_as_it_is_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 1)
    with FaultServer(otherwise="length") as server:
        assert judge(monkeypatch, wrap, server.url).returncode == 0
    row = read_rows(wrap)[0]
    assert row["review"] == "7 8\nThe first one" and row["scores"] == "[7.0, 8.0]"
    assert row["finish_reason"] == row["finish_reason_reverse"] == "length"


def test_answers_that_were_cut_before_their_scores_are_counted_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        is_first = "Question 0?" in shown_text(body)
        return 200, {}, said("7 8\nFine." if is_first else "Both are", "stop" if is_first else "length")

    with RawServer(answer) as server:
        done = judge(monkeypatch, wrap, server.url)
    assert done.returncode == 0 and len(server.bodies) == 4
    assert "warning: 2 answers were cut before their scores at --max_tokens 1024; they are not asked" in done.stderr


def test_a_server_that_wants_max_completion_tokens_gets_them(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 3)
    with FaultServer(ledger, otherwise="max_tokens") as server:
        assert judge(monkeypatch, wrap, server.url, "--batch_size", "1").returncode == 0
        assert len(bodies(server)) == 1 + 6


def test_two_model_names_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 3)
    with FaultServer(models=["judge-1", "judge-2"]) as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "1")
    assert 'warning: the server reports more than one model: "judge-1" for 3, "judge-2" for 3 answers' in done.stderr


def test_tokens_that_the_server_does_not_report_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    with FaultServer(script=["no_usage"]) as server:
        done = judge(monkeypatch, wrap, server.url, "--price_in", "30", "--price_out", "60")
    assert "(without 1 answers whose tokens the server did not report)" in done.stdout


def script(wrap: Path, url: str, *flags: str, key: str | None = KEY) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        str(ROOT / "evaluation/generation/eval.py"),
        "--wraped_file",
        str(wrap),
        "--api_base",
        url,
        *flags,
    ]
    return subprocess.run(command, capture_output=True, text=True, env=environment(key), timeout=120)


def test_a_second_process_on_the_same_journal_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judging.answer_journal import AnswerJournal, answer_journal_path

    wrap = write_pairs(tmp_path, 1)
    with AnswerJournal(answer_journal_path(str(review_of(wrap)))):
        done = judge(monkeypatch, wrap, "http://127.0.0.1:1/v1")
    assert "another process is writing it; wait for it" in done.error


@pytest.mark.parametrize(
    ("flags", "key", "message"),
    [
        ([], None, "no key for https://api.openai.com/v1: set the environment variable OPENAI_API_KEY"),
        (["--api_base", "http://192.0.2.1/v1"], None, "no key for http://192.0.2.1/v1: set the environment"),
        (["--api_base", "localhost:8000"], KEY, "--api_base localhost:8000: not an address like https://"),
        (["--api_base", "http://"], KEY, "--api_base http://: not an address"),
        ([], "sk-\nabc", "OPENAI_API_KEY or --api_key: the key holds a space or a character that no key has"),
        ([], "sk-\u00e9", "OPENAI_API_KEY or --api_key: the key holds a space or a character that no key has"),
        (["--max_cost", "1"], KEY, "--max_cost needs --price_in and --price_out"),
        (["--price_in", "1"], KEY, "--price_in and --price_out go together"),
        (["--price_in", "-1"], KEY, "argument --price_in: '-1' is not a sum of dollars"),
        (["--temperature", "3"], KEY, "argument --temperature: '3' is not from 0 to 2"),
        (["--temperature", "warm"], KEY, "argument --temperature: 'warm' is not a number"),
        (["--max_retries", "-1"], KEY, "argument --max_retries: '-1' is not a whole number of at least 0"),
        (["--timeout_seconds", "0"], KEY, "argument --timeout_seconds: '0' is not a number of seconds above 0"),
        (["--batch_size", "0"], KEY, "argument --batch_size: '0' is not a whole number of at least 1"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    flags: list[str], key: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 1)
    assert judge(monkeypatch, wrap, None, *flags, key=key).error.startswith(message)
    assert list(tmp_path.iterdir()) == [wrap]


def test_a_server_on_this_machine_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 1)
    with FaultServer() as server:
        assert judge(monkeypatch, wrap, server.url, key=None).returncode == 0


def everything_written(folder: Path, *runs: Done) -> str:
    """All that a user, a log or a repository could see of some runs."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    return "\n".join([*texts, *(done.stdout + done.stderr for done in runs)])


@pytest.mark.parametrize("fault", ["401", "echo", "ok", "500", "cut", "hang", "quota"])
def test_the_key_is_never_printed_or_written(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    with FaultServer(otherwise=fault) as server:
        flags = ["--max_retries", "1", "--timeout_seconds", "0.2"]
        by_environment = judge(monkeypatch, wrap, server.url, *flags)
        by_flag = judge(monkeypatch, wrap, server.url, *flags, "--api_key", KEY, key=None)
    written = everything_written(tmp_path, by_environment, by_flag)
    assert KEY not in written and KEY[3:] not in written


def test_requests_are_those_of_the_package_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is prepared once is what the package prepares each time."""
    import asyncio

    import openai

    from judging.openai_client import ChatConnection

    seen: list[tuple] = []

    class Recorder(openai.DefaultAioHttpClient):
        async def send(self, request, **options):
            seen.append(
                (request.method, str(request.url), sorted(request.headers.items()), request.content, request.extensions)
            )
            return await super().send(request, **options)

    monkeypatch.setattr(openai, "DefaultAioHttpClient", Recorder)
    contents = [b'{"a": 1}', b'{"a": "longer"}']

    async def send(url: str) -> None:
        ours, theirs = ChatConnection(url, KEY, 9.0), ChatConnection(url, KEY, 9.0)
        for content in contents:
            await ours.post(content)
        for content in contents:
            await theirs._post_first(content)
        await ours.close()
        await theirs.close()

    with FaultServer() as server:
        asyncio.run(send(server.url))
    assert len(seen) == 4 and seen[:2] == seen[2:]


def test_the_journal_is_keyed_by_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    with FaultServer() as server:
        judge(monkeypatch, wrap, server.url)
    pairs = pair_requests(read_wrap_file(str(wrap)).pairs, Judge("gpt-4", 1024, 0.0, True))
    lines = (tmp_path / "mine_wrap_reviews_gpt4.json.journal.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert {json.loads(line)["key"] for line in lines} == {
        r.key for pair in pairs for r in (pair.forward, pair.reverse)
    }
    assert set(json.loads(lines[0])) == {"key", "text", "model", "finish_reason", "prompt_tokens", "completion_tokens"}
