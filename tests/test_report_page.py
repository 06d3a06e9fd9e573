"""The page of a report, opened in a real browser with the network off."""

import math
import random
import re
import sys
from pathlib import Path

import pytest

import report
from browser import OpenPage
from records.dataset import write_dataset
from report_pages import ATTACK, ATTACKS, HEBREW, ORDER, SCORES, MakePage, make_page, make_records, numbered, titles
from script_runs import ROOT, write_json

__all__ = ["make_page"]  # a fixture


def panels(page) -> list[str]:
    return [re.sub(r"\n+", "\n", text) for text in page.locator(".panel").all_inner_texts()]


def counted(page) -> str:
    return page.locator("#count").inner_text()


def test_page_of_the_sample_shows_all_of_it_and_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    data = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"
    monkeypatch.setattr(sys, "argv", ["report.py", f"--json_data_path={data}", f"--save_path={tmp_path}/report.html"])
    report.main()
    opened = open_page(tmp_path / "report.html")
    page = opened.page
    assert page.title().startswith("sample_alpaca_smollm2_data.json \u00b7 20")
    assert page.title().endswith(": IFD report")
    assert (
        page.locator("#lead")
        .inner_text()
        .startswith("25 of 253 records are selected (--sample_rate 0.1): the highest below 1, down to 0.877")
    )
    assert page.locator("#counts strong").all_inner_texts() == ["25", str(253 - 25 - 17 - 7), "17", "7"]
    assert "short_response 7" in page.locator("#counts").inner_text()
    assert (
        page.locator("figure img").evaluate_all("images => images.map(image => image.naturalWidth > 0)") == [True] * 5
    )
    assert page.locator("#sampled").inner_text().startswith("All 253 records.")
    assert counted(page) == "253 of 253 shown"
    assert (opened.requests, opened.complaints) == ([], [])


def test_records_are_in_rank_order_then_at_or_over_the_threshold_then_skipped(
    make_page: MakePage, open_page: OpenPage
) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    assert titles(page) == numbered(ORDER)
    assert page.locator("#table tr.record").first.locator("td").all_inner_texts()[:6] == [
        "1",
        "0.950",
        "9.050",
        "20.950",
        "20",
        "selected",
    ]
    assert page.locator("#table tr.record", has=page.locator(".badge.selected")).count() == 2
    assert page.locator("#table tr.record").last.locator(".why").inner_text() == "short_response"


def test_every_column_sorts_both_ways_and_says_so(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.locator("#ppls").check()
    heads = page.locator("#table thead th")
    orders = {
        "Rank": [3, 1, 0, 5],
        "IFD": [5, 0, 1, 3, 4, 6],
        "Ppl alone": [6, 4, 3, 1, 0, 5],
        "Ppl after": [5, 0, 1, 3, 4, 6],
        "Length": list(range(7)),
        "Instruction": list(range(7)),
        "Response": list(range(7)),
    }
    for name, order in orders.items():
        head = heads.filter(has_text=name)
        if name != "Rank":  # which it is sorted by at first
            head.locator("button").click()
        assert (name, titles(page)[: len(order)]) == (name, numbered(order))
        assert head.get_attribute("aria-sort") == "ascending"
        head.locator("button").click()
        # What has no number stays last.
        assert (name, titles(page)[: len(order)]) == (name, numbered(order[::-1]))
        assert heads.evaluate_all("heads => heads.filter(head => head.ariaSort).map(head => head.ariaSort)") == [
            "descending"
        ]


@pytest.mark.parametrize(
    ("kind", "num"),
    [
        ("All", 7),
        ("Selected", 2),
        ("Highest", 1),
        ("Near the cut", 2),
        ("Lowest", 1),
        ("At or over 1", 2),
        ("Skipped", 1),
    ],
)
def test_chips_filter_by_group_and_count(kind: str, num: int, make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    label = page.locator("#kinds label", has_text=kind)
    assert label.inner_text() == f"{kind} {num}"
    label.click()
    assert (len(titles(page)), counted(page)) == (num, f"{num} of 7 shown")


def test_search_finds_every_word_in_any_text(make_page: MakePage, open_page: OpenPage) -> None:
    records = make_records(SCORES)
    records[4] |= {"input": "With a NEEDLE inside", "output": "hay"}
    page = open_page(make_page(records, "--sample_num=2")).page
    for words, found in [("needle hay", [4]), ("ASK 3", [3]), ("short_response", [2]), ("", ORDER), ("nowhere", [])]:
        page.fill("#search", words)
        assert (words, titles(page)) == (words, numbered(found))
    assert "No record here has all of these words." in page.locator("#table tbody").inner_text()


def test_selected_file_marks_its_records(make_page: MakePage, tmp_path: Path, open_page: OpenPage) -> None:
    write_dataset(str(tmp_path / "chosen.jsonl"), [make_records(SCORES)[5], make_records(SCORES)[0]])
    page = open_page(make_page(make_records(SCORES), f"--selected={tmp_path}/chosen.jsonl")).page
    page.locator("#kinds label", has_text="Selected").click()
    assert titles(page) == numbered([0, 5])
    assert page.locator("#lead").inner_text() == "2 of 7 records are selected (chosen.jsonl)."
    assert (
        "not simply those with the highest scores, as after the diversity step" in page.locator("#notes").inner_text()
    )
    assert page.locator("#warnings li").count() == 0


def test_keyboard_alone_searches_sorts_and_opens(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.keyboard.press("/")
    page.keyboard.type("ask")
    page.keyboard.press("Enter")  # sends no form
    page.keyboard.press("Tab")  # the groups
    page.keyboard.press("ArrowRight")
    assert counted(page) == "2 of 7 shown"
    page.keyboard.press("Tab")  # the perplexities
    page.keyboard.press("Tab")  # the download
    page.keyboard.press("Tab")  # the head of the first column
    page.keyboard.press("Enter")
    assert titles(page) == numbered([1, 3])
    for _ in range(6):  # past the other heads that are shown
        page.keyboard.press("Tab")
    button = page.locator(".open").first
    for key, is_open in [("Enter", "true"), ("Enter", "false"), ("Space", "true")]:
        page.keyboard.press(key)
        assert button.get_attribute("aria-expanded") == is_open
        assert page.locator("tr.detail").count() == (is_open == "true")
    assert (
        button.evaluate("button => document.activeElement === button && getComputedStyle(button).outlineStyle")
        == "solid"
    )
    assert page.locator("tr.detail").get_attribute("id") == button.get_attribute("aria-controls")
    assert panels(page) == ["Instruction\nask 1", "Response\nword word "]


def test_open_records_stay_open_while_sorting(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.locator("tr.record", has_text="ask 5").click()
    page.locator("#table thead button", has_text="IFD").click()
    assert page.locator("tr.record + tr.detail").count() == 1
    assert page.locator("tr.record:has(+ tr.detail) .title").inner_text() == "ask 5"


def test_marked_text_elsewhere_does_not_keep_a_record_shut(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#lead'))")
    page.locator(".open").first.press("Enter")
    assert page.locator("tr.detail").count() == 1


def test_turns_of_a_conversation_are_shown_with_their_scores(make_page: MakePage, open_page: OpenPage) -> None:
    turns = [("human", "hi"), ("gpt", "ho"), ("function_call", "f(6, 7)"), ("observation", "42"), ("gpt", "good")]
    record = {
        "system": "Be kind.",
        "conversations": [{"from": role, "value": text} for role, text in turns],
        "ifd_ppl": 0.5,
        "ppl_A_direct": 4.0,
        "ppl_A_condition": 2.0,
        "ifd_turns": [{"ifd_ppl": 0.25}, {"ifd_ppl": 0.75}],
    }
    page = open_page(make_page([record], "--sample_num=1")).page
    assert titles(page) == ["hi"]
    page.locator(".open").click()
    assert panels(page) == [
        "System\nBe kind.",
        "User\nhi",
        "Assistant\nIFD 0.250\nho",
        "Assistant\ncontext, not scored\nf(6, 7)",
        "Tool\n42",
        "Assistant\nIFD 0.750\ngood",
    ]


def test_what_looks_like_markup_stays_text_everywhere(make_page: MakePage, open_page: OpenPage) -> None:
    records = make_records([0.5, None], instruction=ATTACK, input=ATTACK, output=ATTACK)
    records[1]["ifd_skipped"] = ATTACKS[0]
    opened = open_page(make_page(records, "--sample_num=1", name="<img src=x onerror=alert(3)>.json"))
    page = opened.page
    assert page.locator("#name").text_content() == "<img src=x onerror=alert(3)>.json"
    page.locator(".open").first.click()
    assert page.locator(".text").all_text_contents() == [ATTACK] * 3
    assert ATTACKS[0] in page.locator("#counts").inner_text() and ATTACKS[0] in page.locator(".why").inner_text()
    assert page.locator("#table img, #table script, h1 img, #counts script").count() == 0
    assert (opened.requests, opened.complaints) == ([], [])


@pytest.mark.parametrize(
    ("scores", "more"),
    [
        ([None] * 3, {}),
        ([0.5], {}),
        ([0.5, 1e6], {}),
        ([math.nan, 0.5], {}),
        ([0.5] * 2, {"output": "half \ud83c"}),
        ([0.5], {"instruction": "", "output": ""}),
        ([0.5], {"instruction": "\x00\x1b[31m\u202eleft"}),
    ],
    ids=["all skipped", "one record", "far out", "NaN", "half a pair", "empty", "controls"],
)
def test_odd_data_gives_a_page_without_a_complaint(
    scores: list[float | None], more: dict, make_page: MakePage, open_page: OpenPage
) -> None:
    opened = open_page(make_page(make_records(scores, **more), "--sample_num=1"))
    opened.page.locator(".open").first.click()
    assert counted(opened.page) == f"{len(scores)} of {len(scores)} shown"
    assert (opened.requests, opened.complaints) == ([], [])


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_page_fits_its_width_and_follows_light_and_dark(
    width: int, color_scheme: str, make_page: MakePage, open_page: OpenPage
) -> None:
    records = make_records(
        [0.5, None, 1e299], instruction="x" * 3000, output=f"{HEBREW} {'y' * 900}", ifd_skipped="z" * 90
    )
    page = open_page(
        make_page(records, "--sample_num=1", name="n" * 200 + ".json"), width=width, color_scheme=color_scheme
    ).page
    page.locator(".open").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert (
        page.locator("tr.record td").evaluate_all(
            "cells => cells.filter(cell => cell.getBoundingClientRect().right > innerWidth).length"
        )
        == 0
    )
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
    assert is_dark == (color_scheme == "dark")


def test_text_from_right_to_left_is_laid_out_so(make_page: MakePage, open_page: OpenPage) -> None:
    page = open_page(make_page(make_records([0.5], instruction=HEBREW), "--sample_num=1")).page
    assert page.locator(".title").evaluate("title => title.matches(':dir(rtl)')")


def test_shortened_text_says_how_long_it_was(
    make_page: MakePage, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting.rows.TEXT_BYTES", 1000)
    page = open_page(make_page(make_records([0.5], output="\U0001f389" * 5000), "--sample_num=1")).page
    page.locator(".open").click()
    # 1000 bytes less those of `ask 0`, at 4 bytes a character.
    assert (
        page.locator(".panel").nth(1).locator(".said").inner_text()
        == f"Shortened: the first {(1000 - 5) // 4} of 5,000 characters"
    )


@pytest.mark.long
@pytest.mark.parametrize("num_words", [40, 4000], ids=["usual", "huge"])
def test_page_of_52002_records_is_bounded_says_it_is_a_sample_and_opens(
    num_words: int, make_page: MakePage, open_page: OpenPage
) -> None:
    generator = random.Random(0)
    num_records = 52_002 if num_words == 40 else 2_000
    records = make_records(
        [max(generator.gauss(0.9, 0.3), 0.01) for _ in range(num_records)], output="\u6c49<> " * num_words
    )
    for record in records[::20]:
        record |= {"ifd_ppl": None, "ifd_skipped": "long_prompt"}
    path = make_page(records)
    assert path.stat().st_size < 8_000_000 - 1_500_000  # the figures, which are left out here, take less than that
    page = open_page(path).page
    assert counted(page) == "500 of 500 shown"
    assert page.locator("#sampled").inner_text().startswith(f"A sample: 500 of {num_records:,} records")


def test_records_that_are_not_sure_are_marked_and_their_intervals_drawn(
    make_page: MakePage, open_page: OpenPage
) -> None:
    records = make_records([0.8, 0.9, 0.1, 1.2, None])
    # Sure; not sure; below the scale; at or over 1; no score.
    for record, upper in zip(records, [0.88, 1.08, 0.11, 1.5, None], strict=True):
        record |= {"ifd_upper": upper, "ifd_tokens": upper and 40}
    page = open_page(make_page(records, "--sample_num=2")).page
    assert page.locator("#notes").inner_text().startswith("1 of 2 selected are not surely below 1")
    marked = page.locator("#table tr.record", has=page.locator(".badge.unsure"))
    assert marked.locator(".title").all_inner_texts() == ["ask 1"]
    low, high = 0.9**2 / 1.08, 1.08
    assert marked.locator(".ends").inner_text() == f"{low:.3f} to {high:.3f}"
    # The scale is 1 wide and begins at 0.5.
    box, line = (marked.locator(place).bounding_box() for place in (".scale", ".scale .line"))
    assert (line["x"] - box["x"]) / box["width"] == pytest.approx(low - 0.5, abs=0.01)
    assert line["width"] / box["width"] == pytest.approx(high - low, abs=0.01)
    assert page.locator("#table .scale").count() == 4
    assert page.locator("#table .scale.before").count() == 1
    marked.locator(".open").click()
    assert "40 tokens \u00b7 95 percent interval of IFD 0.750 to 1.080, so it is not surely" in panels_line(page)
    page.locator("#kinds label", has_text="Not sure").click()
    assert titles(page) == ["ask 1"]


def panels_line(page) -> str:
    return page.locator(".panels > p").first.inner_text()


def test_page_of_scores_without_a_standard_error_says_nothing_of_intervals(
    make_page: MakePage, open_page: OpenPage
) -> None:
    page = open_page(make_page(make_records(SCORES), "--sample_num=2")).page
    heads = page.locator("#table thead button").all_inner_texts()
    assert [name for name in heads if "Interval" in name] == []
    assert "Not sure" not in page.locator("#kinds").inner_text()
    assert page.locator("#notes").inner_text() == ""


def test_columns_are_named_by_a_key_that_is_not_the_ratio_of_perplexities(
    make_page: MakePage, open_page: OpenPage
) -> None:
    records = make_records([0.8, 0.9])
    for record in records:
        record |= {"ifd_upper": 1.7 - record["ifd_ppl"], "ifd_tokens": 9}
    page = open_page(make_page(records, "--sample_num=1", "--key_name=ifd_upper")).page
    assert page.locator("#table thead button").nth(1).inner_text() == "ifd_upper"
    assert page.locator("#quantiles th").nth(1).inner_text() == "ifd_upper"
    # 0.8 has the higher upper end, 0.9.
    assert titles(page) == ["ask 0", "ask 1"]
    assert page.locator("#lead").inner_text().endswith("the highest ifd_upper below 1, down to 0.900.")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_page_with_intervals_fits_and_asks_for_nothing(
    width: int, color_scheme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], open_page: OpenPage
) -> None:
    records = make_records([0.999, 1e-200, 1e200, 0.5, None])
    for record, upper, tokens in zip(records, [1e9, 1e-3, 1e290, None, None], [2, 10**6, 9, 1, None], strict=True):
        record |= {"ifd_upper": upper, "ifd_tokens": tokens}
    data = write_json(tmp_path / "data.json", records)
    report.main([f"--json_data_path={data}", f"--save_path={tmp_path}/report.html", "--sample_num=1"])
    opened = open_page(tmp_path / "report.html", width=width, color_scheme=color_scheme)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".explained img").evaluate("image => image.naturalWidth > 0")
    assert page.locator(".explained figcaption").inner_text().startswith("The prompt helps some tokens")
    # The row of one token has no interval, and says by a word that it is not sure.
    alone = page.locator("tr.record", has_text="ask 3")
    assert alone.locator(".scale").count() == 0 and alone.locator(".badge.unsure").inner_text() == "not sure"
    alone.locator(".open").click()
    assert "1 token \u00b7 not sure: its interval is not known" in panels_line(page)
    within = "lines => lines.every(line => {const [a, b] = [line, line.parentNode].map(e => e.getBoundingClientRect());"
    within += "return a.left > b.left - 2 && a.right < b.right + 2})"
    assert page.locator(".scale .line").evaluate_all(within)
    assert (opened.requests, opened.complaints) == ([], [])
