"""The page of a verdict, opened in a real browser with the network off."""

import json
import re
from pathlib import Path

import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, write_review_file

from browser import OpenPage
from reporting.html_page import encode_data
from review_viewer import page as page_of
from script_runs import RunScript, error_line
from verdict import page_data
from verdict.flags import VerdictSettings
from verdict.page_data import text_limit
from verdict.review_search import read_reviews
from verdict.scoreboard import compare_judges

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!--<script>",
    "{{data}} {{script}} ${1}",
    "\u2028\u2029 &lt;b&gt;",
)
ATTACK = " ".join(ATTACKS)


def make_page(home: Path, *tasks: str, key1: str = "ours", key2: str = "theirs", more_judges: tuple = ()) -> Path:
    settings = VerdictSettings(
        review_home_path=str(home),
        task_list=list(tasks),
        key1=key1,
        key2=key2,
        save_name=str(home / "verdict"),
        api_models=["gpt-4", *more_judges],
        rule="published",
    )
    files = read_reviews(settings, ".html")
    path = home / "verdict.html"
    path.write_bytes(page_of(files, compare_judges(files, key1, key2, "published")))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two test sets: 2 wins, 1 loss, 1 tie, 1 conflict in one; 1 win, 1 unparsed in two."""
    home = tmp_path_factory.mktemp("made")
    write_review_file(home, "one", WIN, WIN, LOSE, TIE, CONFLICT)
    write_review_file(home, "two", ONE_SIDED, UNPARSED)
    return make_page(home, "one", "two")


def counted(page) -> str:
    return page.locator("#count").inner_text()


def test_page_shows_verdict_figure_health_and_pairs(made: Path, open_page: OpenPage) -> None:
    opened = open_page(made)
    page = opened.page
    assert page.title() == "ours against theirs"
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert [re.split(r"\s+", row)[:6] for row in rows] == [
        ["one", "5", "2", "2", "1", "1.20"],
        ["two", "1", "1", "0", "0", "2.00"],
        ["total", "6", "3", "2", "1", "1.33"],
    ]
    assert page.locator("figure img").evaluate("image => image.naturalWidth") > 0
    assert "17%" in page.locator("#health").inner_text()  # 1 of 6
    assert "two 1 of 2" in page.locator("#warnings").inner_text()
    assert page.locator("#list > li").count() == 7
    assert (opened.requests, opened.complaints) == ([], [])


def test_judge_health_is_a_table_with_marks(made: Path, open_page: OpenPage) -> None:
    rows = open_page(made).page.locator("#health tr").all_inner_texts()
    marks = {row.split()[0].lower(): row.split()[2] for row in rows}
    # 6 of 7 pairs can be read, 1 of 6 conflicts, and two places say nothing beyond chance.
    assert marks == {"readable": "Worrying", "conflicts": "Fine", "place": "Fine"}


def test_columns_and_outcomes_have_the_names_of_the_models(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    heads = [text.split("\n")[0] for text in page.locator("#table thead th").all_inner_texts()]
    assert heads == ["Test set", "Pairs", "ours", "Tie", "theirs", "Score", "At equal length"]
    assert page.locator("#list .badge").first.inner_text() == "ours wins"
    assert page.locator("#list .scores").first.inner_text().split("\n") == [
        "order 1: 8\u2009\u2013\u20096",
        "order 2: 8\u2009\u2013\u20096",
    ]


@pytest.mark.parametrize("width", [400, 1400])
def test_sign_test_is_seen_at_every_width(width: int, made: Path, open_page: OpenPage) -> None:
    cell = open_page(made, width=width).page.locator("#table td small", has_text="p = 1.000").first
    assert cell.is_visible()
    box = cell.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_result_comes_before_the_rules(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    tops = [page.locator(place).bounding_box()["y"] for place in ("#conclusion", "#table", "#health", "#meanings")]
    assert tops == sorted(tops)
    assert "Published rule" not in page.locator("header").inner_text()


@pytest.fixture(scope="module")
def two_judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("two_judges")
    write_review_file(home, "one", WIN, WIN, LOSE, TIE, UNPARSED)
    write_review_file(home, "one", WIN, LOSE, LOSE, TIE, WIN, api_model="other")
    return make_page(home, "one", more_judges=("other",))


def test_two_judges_stand_side_by_side(two_judges: Path, open_page: OpenPage) -> None:
    opened = open_page(two_judges)
    page = opened.page
    totals = [re.split(r"\s+", row)[:5] for row in page.locator("#totals tbody tr").all_inner_texts()]
    assert totals == [["gpt-4", "4", "2", "1", "1"], ["other", "5", "2", "1", "2"]]
    assert "same verdict to 3 of 4 pairs (75%)" in page.locator("#agreements").inner_text()
    crossed = [row.split("\t")[1:] for row in page.locator(".crossed tbody tr").all_inner_texts()]
    assert crossed == [["1", "0", "1"], ["0", "1", "0"], ["0", "0", "1"]]
    assert opened.complaints == []


def test_where_judges_differ_is_a_filter_and_both_are_read(two_judges: Path, open_page: OpenPage) -> None:
    page = open_page(two_judges).page
    page.locator("#kinds label", has_text="Judges differ").click()
    assert counted(page) == "1 of 5 pairs"
    page.locator("#list summary").click()
    titles = page.locator("#list .panel h3").all_inner_texts()
    assert titles[3:] == [
        f"Review by {judge} in order {order}: {shown} shown first"
        for judge in ("gpt-4", "other")
        for order, shown in ((1, "ours"), (2, "theirs"))
    ]


def test_a_judge_that_cannot_be_read_stands_beside_one_that_can(tmp_path: Path, open_page: OpenPage) -> None:
    write_review_file(tmp_path, "one", UNPARSED, UNPARSED)
    write_review_file(tmp_path, "one", WIN, UNPARSED, api_model="other")
    opened = open_page(make_page(tmp_path, "one", more_judges=("other",)))
    page = opened.page
    assert page.locator("#conclusion").inner_text().startswith("No verdict: gpt-4 gave no scores")
    assert "Nothing to tell" in page.locator("#health").inner_text()
    assert "gpt-4 and other have no pair for which both gave scores." in page.locator("#agreements").inner_text()
    totals = [re.split(r"\s+", row)[:5] for row in page.locator("#totals tbody tr").all_inner_texts()]
    assert totals == [["gpt-4", "0", "0", "0", "0"], ["other", "1", "1", "0", "0"]]
    assert opened.complaints == []


def test_one_judge_has_no_table_of_judges(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    assert page.locator("#judges").count() == 0
    assert page.locator("#kinds label", has_text="Judges differ").count() == 0


def test_thinking_is_named_and_left_out(tmp_path: Path, open_page: OpenPage) -> None:
    thought = "<think>4 8</think>"
    write_review_file(tmp_path, "one", WIN, review=f"{thought}\n8 6\nBecause.")
    page = open_page(make_page(tmp_path, "one")).page
    page.locator("#list summary").click()
    text = page.locator(".panel").nth(3).locator(".text").text_content()
    assert text == f"[{len(thought)} characters of thinking are in the review file]\n\n8 6\nBecause."


@pytest.mark.parametrize(
    ("lengths", "room", "limit"),
    [([], 10, 0), ([3, 4], 10, 4), ([1, 9], 6, 5), ([9, 9, 2], 10, 4), ([9, 9], 0, 0), ([2, 5, 9], 12, 5)],
)
def test_limit_of_texts_cuts_no_more_than_it_must(lengths: list[int], room: int, limit: int) -> None:
    assert text_limit(lengths, room) == limit
    assert sum(min(length, limit) for length in lengths) <= room


def test_huge_texts_are_cut_in_the_page_and_say_so(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "TEXT_CHARS", 20_000)
    write_review_file(tmp_path, "one", WIN, LOSE, Answer1="x" * 30_000)
    made = make_page(tmp_path, "one")
    assert made.stat().st_size < 200_000
    page = open_page(made).page
    page.locator("#list summary").first.click()
    page.locator(".panel button").click()
    shown = page.locator(".panel").nth(1).locator(".text").text_content()
    assert re.search(r"\[Shortened: the first 9,\d\d\d of 30,000 characters\]$", shown)


def test_what_looks_like_markup_stays_text_everywhere(tmp_path: Path, open_page: OpenPage) -> None:
    fields = dict.fromkeys(
        ["prompt", "Answer1", "Answer2", "review", "review_reverse", "id", "category", "input"], ATTACK
    )
    write_review_file(tmp_path, "one", WIN, **fields)
    opened = open_page(make_page(tmp_path, "one", key1=ATTACKS[0], key2=ATTACKS[1]))
    page = opened.page
    page.locator("#list summary").click()
    texts = page.locator(".text").all_text_contents()
    assert texts == [ATTACK] * 6  # question, input, two answers, two reviews
    assert page.locator("#key1").text_content() == ATTACKS[0]
    assert page.locator("#key2").text_content() == ATTACKS[1]
    assert page.locator("#list img, #list script, h1 *:not(span)").count() == 0
    assert (opened.requests, opened.complaints) == ([], [])


def test_data_cannot_end_its_script() -> None:
    text = encode_data(ATTACK)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == ATTACK


def test_page_names_no_address(made: Path) -> None:
    text = made.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href|url|srcset)\s*[=(]\s*["']?(?!data:|#)[\w/.]""", text)
    assert "default-src 'none'" in text and "unsafe-inline" not in text


def test_other_rules_are_a_click_away(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    page.locator("#others summary").click()
    totals = page.locator("#others tr.total").all_inner_texts()
    assert [re.split(r"\s+", total)[:5] for total in totals] == [
        ["total", "6", "2", "3", "1"],
        ["total", "6", "3", "2", "1"],
    ]  # strict, mean


@pytest.mark.parametrize(
    ("kind", "num"),
    [("All", 7), ("ours wins", 3), ("Tie", 2), ("theirs wins", 1), ("Conflict", 1), ("Unparsed", 1)],
)
def test_filter_by_outcome(kind: str, num: int, made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    label = page.locator("#kinds label", has_text=kind)
    assert label.inner_text() == f"{kind} {num}"
    label.click()
    assert (page.locator("#list > li").count(), counted(page)) == (num, f"{num} of 7 pairs")
    badges = page.locator("#list .badge").all_inner_texts()
    assert kind == "All" or badges.count(kind) == num


def test_filter_by_test_set_goes_with_the_outcome(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    page.select_option("#set", "two")
    assert counted(page) == "2 of 7 pairs"
    page.locator("#kinds label", has_text="ours wins").click()
    assert counted(page) == "1 of 7 pairs"


def test_search_finds_every_word_in_any_text(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    for words, num in [
        ("QUESTION 3", 1),
        ("of two?", 2),
        ("because two", 7 - 1 + 1),
        ("one-4", 1),
        ("nowhere", 0),
        ("", 7),
    ]:
        page.fill("#search", words)
        assert (words, counted(page)) == (words, f"{num} of 7 pairs")


def test_pair_opens_with_both_answers_and_scores_as_given_to_each(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    page.locator("#list summary").nth(4).click()  # CONFLICT: 6 and 8, then 8 and 6 for Answer 1 and 2
    panels = page.locator("#list > li").nth(4).locator(".panel").all_inner_texts()
    assert [panel.split("\n")[0] for panel in panels] == [
        "Question",
        "Answer 1: ours",
        "Answer 2: theirs",
        "Review in order 1: ours shown first",
        "Review in order 2: theirs shown first",
    ]
    assert "One 4." in panels[1] and "Two 4." in panels[2]
    assert "ours: 6 \u00b7 theirs: 8" in panels[3] and "ours: 8 \u00b7 theirs: 6" in panels[4]


def test_long_text_is_shown_whole_on_demand(tmp_path: Path, open_page: OpenPage) -> None:
    long = "word " * 4000 + "end"
    write_review_file(tmp_path, "one", WIN, Answer1=long)
    page = open_page(make_page(tmp_path, "one")).page
    page.locator("#list summary").click()
    panel = page.locator(".panel").nth(1)
    assert len(panel.locator(".text").text_content()) < 2000
    panel.locator("button", has_text="Show all 20,003 characters").click()
    assert panel.locator(".text").text_content() == long
    assert panel.locator("button").count() == 0


def test_keyboard_alone_searches_moves_and_opens(made: Path, open_page: OpenPage) -> None:
    page = open_page(made).page
    page.keyboard.press("/")
    page.keyboard.type("of one?")
    assert counted(page) == "5 of 7 pairs"
    page.keyboard.press("Enter")  # submits nothing
    page.keyboard.press("Tab")  # the test sets
    page.keyboard.press("Tab")  # the outcomes
    page.keyboard.press("ArrowRight")
    assert counted(page) == "2 of 7 pairs"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#list details[open] .title").all_inner_texts() == ["Question 1 of one?"]


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_page_fits_its_width_and_follows_light_and_dark(
    width: int,
    color_scheme: str,
    tmp_path: Path,
    open_page: OpenPage,
) -> None:
    write_review_file(tmp_path, "one", *[CONFLICT] * 3, Answer1="x" * 3000, prompt="y" * 500, category="z" * 300)
    page = open_page(
        make_page(tmp_path, "one", key1="k" * 200, key2="$m_1$"), width=width, color_scheme=color_scheme
    ).page
    page.locator("#list summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground, ink = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    light, dark = sorted((ground, ink), key=lambda color: -int(re.findall(r"\d+", color)[0]))
    assert (ground, ink) == ((light, dark) if color_scheme == "light" else (dark, light))


def test_a_thousand_pairs_are_made_as_they_are_scrolled_to(tmp_path: Path, open_page: OpenPage) -> None:
    write_review_file(
        tmp_path, "one", *[WIN, LOSE, TIE, CONFLICT, UNPARSED] * 206, Answer1="word " * 400, Answer2="word " * 300
    )
    page = open_page(make_page(tmp_path, "one")).page
    # Measured: 300 to 2000 ms on a busy machine.
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 10_000
    assert counted(page) == "1030 of 1030 pairs"
    assert page.locator("#list > li").count() == 40
    page.locator("#more").scroll_into_view_if_needed()
    page.locator("#list > li").nth(40).wait_for(state="attached")
    assert page.locator(".body").count() == 0


def test_nothing_parsed_gives_a_page(tmp_path: Path, open_page: OpenPage) -> None:
    write_review_file(tmp_path, "one", UNPARSED)
    opened = open_page(make_page(tmp_path, "one"))
    assert opened.page.locator("main").inner_text().split("\n")[-1].startswith("No verdict: gpt-4 gave no scores")
    assert opened.page.locator("main section, main table, main img, main ul").count() == 0
    assert opened.complaints == []


def test_page_of_the_real_reviews_has_no_complaint(
    run_script: RunScript, real_data_dir: Path, tmp_path: Path, open_page: OpenPage
) -> None:
    done = run_script(
        "review_viewer",
        "--review_home_path",
        real_data_dir / "reviews",
        "--task_list",
        "vicuna,koala",
        "--save_name",
        tmp_path / "v",
    )
    assert done.stdout == f"260 pairs -> {tmp_path}/v.html, for any browser\n"
    opened = open_page(tmp_path / "v.html")
    assert counted(opened.page) == "260 of 260 pairs"
    assert (opened.requests, opened.complaints) == ([], [])


def test_missing_reviews_are_one_line(run_script: RunScript, tmp_path: Path) -> None:
    assert "not there; no *_wrap_reviews_*.json is in" in error_line(
        run_script("review_viewer", "--review_home_path", tmp_path, "--task_list", "one")
    )


def test_half_of_a_surrogate_pair_gives_a_page(tmp_path: Path, open_page: OpenPage) -> None:
    write_review_file(tmp_path, "one", WIN, Answer1="half \ud83c")
    opened = open_page(make_page(tmp_path, "one"))
    opened.page.locator("#list summary").click()
    assert opened.complaints == []
