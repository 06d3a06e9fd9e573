"""What a report's page does beyond its table: the parts that are folded or stay in sight, and what it hands out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from browser import OpenPage
from records.dataset import write_dataset
from report_pages import ATTACK, ATTACKS, HEBREW, SCORES, MakePage, make_page, make_records, numbered, titles
from script_runs import ROOT

__all__ = ["make_page"]  # a fixture
MANY = [step / 100 for step in range(1, 99)] + [None, 1.5]


def downloaded(page: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return the name and the records of the file that the page makes."""
    with page.expect_download() as waited:
        page.locator("#download").click()
    lines = Path(waited.value.path()).read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return waited.value.suggested_filename, [json.loads(line) for line in lines]


def test_rows_show_the_first_line_of_the_response(make_page: MakePage, open_page: OpenPage) -> None:
    records = make_records([0.9, 0.8, 0.7])
    for record, output in zip(records, ["\n\n first \nsecond", "```python\nx = 1\n```", ""], strict=True):
        record["output"] = output
    page = open_page(make_page(records, "--sample_num=1")).page
    assert page.locator("#table .response").all_inner_texts() == ["first", "x = 1", "(empty)"]


def test_response_of_a_conversation_is_the_first_that_is_scored(make_page: MakePage, open_page: OpenPage) -> None:
    turns = [("human", "hi"), ("function_call", "f(6)"), ("observation", "42"), ("gpt", "good")]
    record = {"conversations": [{"from": role, "value": text} for role, text in turns]}
    record |= {"ifd_ppl": 0.5, "ppl_A_direct": 4.0, "ppl_A_condition": 2.0}
    page = open_page(make_page([record], "--sample_num=1")).page
    assert page.locator("#table .response").inner_text() == "good"


def test_perplexities_are_shown_when_they_are_asked_for(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    cells = page.locator("#table .folded-ppl")
    assert not any(cell.is_visible() for cell in cells.all())
    page.locator("#ppls").check()
    assert all(cell.is_visible() for cell in cells.all()) and cells.count() == 2 * (7 + 1)
    folded = page.locator("#perplexities img")
    assert folded.count() == 2 and not folded.first.is_visible()
    page.locator("#perplexities summary").click()
    assert folded.first.is_visible() and page.locator("#ppl-quantiles").is_visible()


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_search_stays_in_sight_and_the_head_of_the_table_below_it(
    width: int, make_page: MakePage, open_page: OpenPage
) -> None:
    page = open_page(make_page(make_records(MANY)), width=width).page
    page.locator("#table tr.record").nth(60).scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 300)")
    tools = page.locator("#tools").bounding_box()
    assert tools["y"] == pytest.approx(0, abs=1)
    if width > 760:  # a narrow page has lists in place of the head
        head = page.locator("#table thead th").first.bounding_box()
        assert head["y"] == pytest.approx(tools["height"], abs=2)
    for name in ("#search", "#count"):
        assert page.locator(name).evaluate(
            "e => {const b = e.getBoundingClientRect(); return e.contains(document.elementFromPoint(b.x + 5, b.y + 5))}"
        )


def test_narrow_page_has_two_lists_in_place_of_buttons(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2"), width=400).page
    shown = [button for button in page.locator("main button:not(.open), main input").all() if button.is_visible()]
    assert [button.get_attribute("id") for button in shown] == ["search", "download"]
    page.locator("#order").select_option(label="IFD: lowest first")
    assert titles(page) == numbered([5, 0, 1, 3, 4, 6, 2])
    page.locator("#order").select_option(label="IFD: highest first")
    assert titles(page) == numbered([6, 4, 3, 1, 0, 5, 2])
    page.locator("#kind").select_option(label="Selected (2)")
    assert titles(page) == numbered([3, 1])


def test_lists_follow_the_chips_and_the_head(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.locator("#kinds label", has_text="Lowest").click()
    page.locator("#table thead button", has_text="Length").click()
    chosen = "list => list.selectedOptions[0].textContent"
    assert page.locator("#kind").evaluate(chosen) == "Lowest (1)"
    assert page.locator("#order").evaluate(chosen) == "Length: lowest first"


def test_download_has_the_records_that_are_shown_in_their_order(make_page: MakePage, open_page: OpenPage) -> None:
    opened = open_page(make_page(make_records(SCORES), "--sample_num=2"))
    page = opened.page
    name, records = downloaded(page)
    assert (name, len(records)) == ("data_shown.jsonl", len(SCORES))
    page.fill("#search", "ask 3")
    assert downloaded(page)[1] == [
        {
            "number": 3,
            "rank": 1,
            "selected": True,
            "ifd_ppl": 0.95,
            "ppl_A_direct": 10 - 0.95,
            "ppl_A_condition": 20 + 0.95,
            "instruction": "ask 3",
            "output": "word " * 4,
        }
    ]
    page.fill("#search", "nowhere")
    assert page.locator("#download").is_disabled()
    assert (opened.requests, opened.complaints) == ([], [])


def test_download_of_a_skipped_record_says_why(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.locator("#kinds label", has_text="Skipped").click()
    (record,) = downloaded(page)[1]
    assert (record["ifd_ppl"], record["rank"], record["ifd_skipped"]) == (None, None, "short_response")


def test_download_keeps_every_character_and_the_roles_of_turns(make_page: MakePage, open_page: OpenPage) -> None:
    talk = {"system": HEBREW, "messages": [{"role": "user", "content": ATTACK}, {"role": "assistant", "content": "\0"}]}
    records = [*make_records([0.9], instruction=ATTACK, input=HEBREW), talk | {"ifd_ppl": 0.8}]
    page = open_page(make_page(records, "--sample_num=1", name="my \u6c49.data.json")).page
    name, (plain, conversation) = downloaded(page)
    assert name.endswith("data_shown.jsonl")
    assert (plain["instruction"], plain["input"]) == (ATTACK, HEBREW)
    assert conversation["messages"] == [{"role": "system", "content": HEBREW}, *talk["messages"]]
    assert "shortened" not in plain and "shortened" not in conversation


def test_download_says_where_a_text_is_not_whole(
    make_page: MakePage, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting.rows.TEXT_BYTES", 1000)
    page = open_page(make_page(make_records([0.5], output="\U0001f389" * 5000), "--sample_num=1")).page
    (record,) = downloaded(page)[1]
    assert record["shortened"] is True and set(record["output"]) == {"\U0001f389"}


def test_page_says_what_other_rates_would_select(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(MANY))).page
    lines = page.locator("#what-if tbody tr").all_inner_texts()
    cut = [98 - rate + 1 for rate in (5, 10, 15)]
    assert [line.split()[0] for line in lines] == ["5%", "10%", "15%"]
    assert [line.split("\t")[2] for line in lines] == [f"0.{number}0" for number in cut]
    assert page.locator("#what-if tr", has_text="this page").inner_text().startswith("10%")
    few = open_page(make_page(make_records([0.5] * 6), "--sample_num=2")).page  # 15 percent are less than one
    lines = few.locator("#what-if tbody tr").all_inner_texts()
    assert [line.split()[0] for line in lines] == ["33.3%", "50%"]


def test_page_compares_selected_and_not_selected_by_each_key_of_few_values(
    make_page: MakePage, open_page: OpenPage
) -> None:
    records = make_records(MANY)
    for index, record in enumerate(records):
        record |= {"source": ATTACKS[0] if index < 50 else "web", "id": index}
    opened = open_page(make_page(records))
    page = opened.page
    assert page.locator("#categories table").count() == 1
    assert page.locator("#categories thead").inner_text().split("\t")[0] == "source"
    lines = [line.split("\t")[:4] for line in page.locator("#categories tbody tr").all_inner_texts()]
    assert lines == [["web", "10", "40", "20.0%"], [ATTACKS[0], "0", "50", "0.0%"]]
    assert opened.complaints == []
    bare = open_page(make_page(make_records(MANY))).page
    assert not bare.locator("#categories").is_visible()


def test_next_step_is_step_3_until_there_is_a_file(make_page: MakePage, open_page: OpenPage, tmp_path: Path) -> None:
    records = make_records(MANY)
    page = open_page(make_page(records, "--sample_num=2", "--filter_threash=0.9")).page
    assert page.locator("#next pre").inner_text().endswith("  --sample_num 2 --filter_threash 0.9")
    write_dataset(str(tmp_path / "chosen.jsonl"), records[:3])
    page = open_page(make_page(records, f"--selected={tmp_path}/chosen.jsonl")).page
    assert "train on chosen.jsonl" in page.locator("#next").inner_text()
    assert json.loads(page.locator("#next pre").inner_text())["superfiltered"] == {"file_name": "/path/to/chosen.jsonl"}


@pytest.mark.parametrize("width", [400, 1400])
def test_tables_of_long_values_fit(width: int, make_page: MakePage, open_page: OpenPage) -> None:
    records = make_records(MANY)
    for index, record in enumerate(records):
        record |= {"k" * 50: ("x" if index % 2 else "y") * 60}
    page = open_page(make_page(records, "--model=" + "m" * 200), width=width).page
    page.locator("#perplexities summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#categories td, #what-if td, #ppl-quantiles td").evaluate_all(
        "cells => cells.every(cell => cell.getBoundingClientRect().right <= innerWidth)"
    )


def make_images(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script that makes the README's pictures, in the environment of the tests."""
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix, "IMAGES": str(tmp_path / "images")} | variables
    environment["PATH"] = f"{sys.prefix}/bin:{environment['PATH']}"
    command = ["bash", "scripts/make_images.sh"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_pictures_need_chromium_and_say_so(tmp_path: Path) -> None:
    done = make_images(tmp_path, CHROMIUM="no-such-browser")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: no-such-browser is not installed")
    assert not (tmp_path / "images").exists()


@pytest.mark.long
def test_pictures_are_of_the_report_and_not_empty(tmp_path: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed: no browser to make the pictures")
    done = make_images(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "images").iterdir()}
    assert sorted(sizes) == ["report.png", "report_ifd.png", "report_records.png"]
    assert all(30_000 < size < 400_000 for size in sizes.values())  # an empty picture has 4,000 bytes
