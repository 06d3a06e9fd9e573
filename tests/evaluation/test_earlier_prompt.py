"""Reviews that an earlier version has begun with its own prompt: finished with it, nothing lost, and said in a line."""

import json
from pathlib import Path

import pytest
from fault_server import FaultServer
from judge_runs import judge, write_pairs

from answering.wrap_file import read_wrap_file
from judging.answer_journal import FLAG, HEADER, answer_journal_path
from judging.outcomes import JudgeAnswer
from judging.prompts import CRITERIA, EARLIER_CRITERIA
from judging.requests import Judge, JudgeRequest, pair_requests
from records.journal import LineJournal
from shared.files import sha256_of
from verdict.review_file import review_path

EARLIER = Judge("gpt-4", 1024, 0.0, True, has_earlier_prompt=True)
PUBLISHED = Judge("gpt-4", 1024, 0.0, True)


def requests_of(wrap: Path, asked: Judge) -> list[JudgeRequest]:
    pairs = pair_requests(read_wrap_file(str(wrap)).pairs, asked)
    return [request for pair in pairs for request in (pair.forward, pair.reverse)]


def write_journal(wrap: Path, requests: list[JudgeRequest]) -> Path:
    """A journal with an answer to each request: 8 and 2."""
    path = Path(answer_journal_path(review_path(str(wrap), "gpt-4")))
    answer = JudgeAnswer("8 2\nBecause.", "judge-1", "stop", 10, 5)
    with LineJournal(str(path), HEADER, FLAG) as journal:
        journal.append([{"key": request.key, **vars(answer)} for request in requests])
    return path


def asked_bodies(wrap: Path, monkeypatch: pytest.MonkeyPatch, ledger: Path) -> tuple[set[str], str]:
    """The hashes of what the judge is asked, which are the requests' keys, and what is said on stderr."""
    with FaultServer(ledger) as server:
        done = judge(monkeypatch, wrap, server.url)
        assert done.returncode == 0, done.stderr
        return {line["body"] for line in server.ledger()}, done.stderr


def test_earlier_prompt_differs_in_two_spaces_alone() -> None:
    assert EARLIER_CRITERIA.replace(". \n", ".\n") == CRITERIA
    assert len(EARLIER_CRITERIA) == len(CRITERIA) + 2 and " \n" not in CRITERIA


@pytest.mark.parametrize("num_before", [1, 5])
def test_begun_reviews_are_finished_with_their_own_prompt(
    num_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 3)
    requests = requests_of(wrap, EARLIER)
    journal = write_journal(wrap, requests[:num_before])
    asked, said = asked_bodies(wrap, monkeypatch, tmp_path / "ledger.jsonl")
    assert asked == {request.key for request in requests[num_before:]}
    assert said.startswith(f"note: {journal} was begun with an earlier version's prompt") and said.count("\n") == 1
    content = json.loads(Path(review_path(str(wrap), "gpt-4")).read_text(encoding="utf-8"))
    assert content["data"][0]["scores"] == "[8.0, 2.0]"
    assert content["Meta_Info"]["judge"]["prompt"] == "a space before two line breaks"


def test_finished_reviews_ask_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 3)
    journal = write_journal(wrap, requests_of(wrap, EARLIER))
    before = sha256_of(journal)
    done = judge(monkeypatch, wrap, None, key=None)
    assert (done.returncode, sha256_of(journal)) == (0, before)
    assert "6 requests answered before, 0 to send" in done.stdout


@pytest.mark.parametrize("flags", [(), ("--max_tokens", "5")])
def test_what_was_not_begun_with_it_is_asked_with_the_published_prompt(
    flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 3)
    if flags:  # begun, but with another --max_tokens: all of it is asked anew
        write_journal(wrap, requests_of(wrap, EARLIER))
    wanted = Judge("gpt-4", 5 if flags else 1024, 0.0, True)
    with FaultServer(tmp_path / "ledger.jsonl") as server:
        done = judge(monkeypatch, wrap, server.url, *flags)
        assert (done.returncode, done.stderr) == (0, "")
        assert {line["body"] for line in server.ledger()} == {request.key for request in requests_of(wrap, wanted)}
    content = json.loads(Path(review_path(str(wrap), "gpt-4")).read_text(encoding="utf-8"))
    assert "prompt" not in content["Meta_Info"]["judge"]


def test_more_answers_to_the_published_prompt_decide_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 3)
    published = requests_of(wrap, PUBLISHED)
    write_journal(wrap, [*requests_of(wrap, EARLIER)[:2], *published[:3]])
    asked, said = asked_bodies(wrap, monkeypatch, tmp_path / "ledger.jsonl")
    assert (asked, said) == ({request.key for request in published[3:]}, "")
