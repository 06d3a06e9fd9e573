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
from verdict.flags import VerdictSettings
from verdict.review_search import read_reviews
from verdict.scoreboard import make_scoreboard

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!--<script>",
    "{{data}} {{script}} ${1}",
    "\u2028\u2029 &lt;b&gt;",
)
ATTACK = " ".join(ATTACKS)


def make_page(home: Path, *tasks: str, key1: str = "ours", key2: str = "theirs") -> Path:
    settings = VerdictSettings(
        review_home_path=str(home),
        task_list=list(tasks),
        key1=key1,
        key2=key2,
        save_name=str(home / "verdict"),
        api_model="gpt-4",
        rule="published",
    )
    files = read_reviews(settings, ".html")
    path = home / "verdict.html"
    path.write_bytes(page_of(files, make_scoreboard(files, key1, key2, "gpt-4", "published")))
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
    [("All", 7), ("Win", 3), ("Tie", 2), ("Lose", 1), ("Conflict", 1), ("Unparsed", 1)],
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
    page.locator("#kinds label", has_text="Win").click()
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
    assert opened.page.locator("#conclusion").inner_text().startswith("No verdict")
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
