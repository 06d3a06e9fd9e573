"""The report's numbers, its records and their texts, and its figures; test_report_page.py looks at the page."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.dataset import write_dataset
from reporting.agreement import check_length
from reporting.axes import log_labels, log_ticks
from reporting.data import ScoredData, stand_by_file, stand_by_rank
from reporting.figure_parts import ifd_limit
from reporting.figure_style import figure_style
from reporting.figures import FIGURES, draw_figure, make_figure
from reporting.html_page import encode_data
from reporting.rows import MAX_TEXTS, bounded_texts, said
from reporting.sample import GROUPS, NUM_OF_GROUP, NUM_SHOWN, take_sample
from reporting.text import counts, group_names, lead, length_lines, notes, quantiles, report_warnings
from script_runs import ROOT, RunScript, error_line, files_in, write_json

NAN = math.nan
SAMPLE = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"
PNGS = [f"report_{name}.png" for name in ("ifd", "length", "ppl_condition", "ppl_direct")]


def scored(scores: list[float], lengths: list[int] | None = None, reason: str = "short_response") -> ScoredData:
    values = np.array(scores, dtype=np.float64)
    reasons = dict.fromkeys(np.flatnonzero(np.isnan(values)).tolist(), reason)
    return ScoredData(values, values * 20, values * 10, np.array(lengths or range(len(scores))), reasons)


def numbers_of(data: ScoredData, num_wanted: int = 1, threshold: float = 1.0) -> dict[str, int]:
    found = counts(data, stand_by_rank(data.scores, threshold, num_wanted))
    return {part["kind"]: part["num"] for part in found}


def test_counts_add_up_and_are_those_of_step_3() -> None:
    data = scored([0.4, 0.9, NAN, 0.95, 1.0, 0.1, NAN, 1.7])
    assert numbers_of(data, 2) == {"selected": 2, "below": 2, "over": 2, "skipped": 2}
    assert numbers_of(data, 2, 0.5) == {"selected": 2, "below": 0, "over": 4, "skipped": 2}


def test_cut_is_the_lowest_selected_score() -> None:
    data = scored([0.4, 0.9, NAN, 0.95, 1.0])
    assert stand_by_rank(data.scores, 1.0, 2).cut == 0.9
    assert stand_by_file(data.scores, 1.0, [1, 3]).cut == 0.9
    assert (
        lead(data, stand_by_rank(data.scores, 1.0, 2), "(x)")
        == "2 of 5 records are selected (x): the highest below 1, down to 0.900."
    )


@pytest.mark.parametrize(
    ("selected", "note", "warning"),
    [
        ([0, 3], "not simply those with the highest scores", None),
        ([1, 3, 4], None, "1 record is selected at or over the threshold 1"),
        ([2, 3], None, "1 record is selected without having a score"),
    ],
)
def test_selection_that_does_not_follow_the_score_has_no_cut_and_says_why(
    selected: list[int], note: str | None, warning: str | None
) -> None:
    data = scored([0.4, 0.9, NAN, 0.95, 1.0])
    standing = stand_by_file(data.scores, 1.0, selected)
    assert standing.cut is None
    for lines, wanted in ((notes(data, standing), note), (report_warnings(data, standing), warning)):
        assert len(lines) == (wanted is not None) and (wanted or "") in "".join(lines)
    assert sum(part["num"] for part in counts(data, standing)) == 5


def test_cut_among_equal_scores_is_one() -> None:
    assert stand_by_file(np.array([0.5, 0.5, 0.5]), 1.0, [2]).cut == 0.5


@pytest.mark.parametrize(("threshold", "note"), [(1.0, "the prompt does not help the response"), (0.5, "")])
def test_records_at_or_over_the_threshold_are_named_by_it_and_said_to_be_no_more_than_that(
    threshold: float, note: str
) -> None:
    data = scored([0.4, 0.9, 1.2])
    part = next(part for part in counts(data, stand_by_rank(data.scores, threshold, 1)) if part["kind"] == "over")
    assert (part["name"], part["note"]) == (f"at or over {threshold:g}", note)
    assert group_names(threshold)["over"] == f"At or over {threshold:g}"


def test_quantiles_leave_out_what_has_no_score() -> None:
    rows = quantiles(scored([step / 20 for step in range(1, 22)] + [NAN] * 9))
    assert [row[1] for row in rows] == ["0.050", "0.100", "0.300", "0.550", "0.800", "1.000", "1.050"]
    assert rows[3] == ["50% (median)", "0.550", f"{0.55 * 20:.1f}", f"{0.55 * 10:.1f}"]


@pytest.mark.parametrize(
    ("scores", "column"),
    [
        ([1e-9, 0.5, 1234.5], ["0.000", "0.500", "1,234.500"]),
        ([1e-9, 0.5, 1e12], ["1.00e-09", "5.00e-01", "1.00e+12"]),
        ([NAN] * 3, ["\u2013"] * 3),
    ],
    ids=["decimals", "powers", "none"],
)
def test_quantiles_of_a_column_are_in_one_notation(scores: list[float], column: list[str]) -> None:
    assert [row[1] for row in quantiles(scored(scores))][::3] == column


@pytest.mark.parametrize(
    ("num_scored", "said_of_it"),
    [(29, "1.00, of only 29 records."), (30, "1.00; longer responses tend to score higher.")],
    ids=["few", "enough"],
)
def test_few_scores_say_nothing_of_length(num_scored: int, said_of_it: str) -> None:
    data = scored([step / 100 for step in range(1, num_scored + 1)] + [NAN] * 50)
    check = check_length(data.scores, data.lengths, [np.array([0])])
    assert length_lines(check)[1] == f"Spearman of IFD and length: {said_of_it}"


@pytest.mark.parametrize(
    ("value", "threshold", "text"),
    [
        (0.95123, 1.0, "0.951"),
        (0.9996, 1.0, "0.9996"),
        (0.9999999999, 1.0, "0.9999999999"),
        (1.00000004, 1.0, "1.00000004"),
        (1.0, 1.0, "1.000"),
        (0.9996, None, "1.000"),
        (0.00005, 1.0, "5.0e-05"),
        (1234.5, None, "1,234"),
        (1e6, None, "1.00e+06"),
        (NAN, 1.0, "\u2013"),
    ],
)
def test_numbers_are_said_in_few_digits_but_never_like_the_threshold(
    value: float, threshold: float | None, text: str
) -> None:
    assert said(value, threshold) == text


def test_sample_has_every_group_and_is_bounded() -> None:
    # 1,000 below the threshold, 200 over it, 200 skipped; the 400 highest are selected.
    data = scored([step / 1001 for step in range(1, 1001)] + [1 + step / 100 for step in range(200)] + [NAN] * 200)
    sample = take_sample(data, stand_by_rank(data.scores, 1.0, 400))
    members = {name: {number for number, groups in sample.groups.items() if groups == name} for name in GROUPS}
    assert {name: len(numbers) for name, numbers in members.items()} == dict.fromkeys(members, NUM_OF_GROUP)
    assert members["highest"] == set(range(900, 1000))
    assert members["lowest"] == set(range(100))
    assert members["cut"] == set(range(550, 650))  # 600 is the lowest that is selected
    assert members["over"] == set(range(1100, 1200))
    assert len(sample.numbers) == NUM_SHOWN
    assert (sample.ranks[999], sample.ranks[0]) == (1, 1000) and 1100 not in sample.ranks


@pytest.mark.parametrize("num_wanted", [1, 2, 5, 60, 150, 199, 200])
@pytest.mark.parametrize("num_below", [1, 2, 3, 30, 200])
def test_groups_of_few_records_are_those_of_the_ranking_cut_in_pieces(num_wanted: int, num_below: int) -> None:
    data = scored([step / 1001 for step in range(num_below, 0, -1)] + [1.5, NAN])  # record i has rank i + 1
    standing = stand_by_rank(data.scores, 1.0, num_wanted)
    groups = take_sample(data, standing).groups
    names = [groups.get(number) for number in range(num_below)]
    # One piece of each, in this order; what is in none is between two of them.
    assert [name for name in names if name] == sorted(filter(None, names), key=GROUPS.index)
    assert max(names.count(name) for name in GROUPS) <= NUM_OF_GROUP
    near = [number for number, name in enumerate(names) if name == "cut"]
    num = standing.num_selected
    wanted = min(num // 2, NUM_OF_GROUP // 2) if num < num_below else 0
    assert sum(number < num for number in near) == wanted
    assert (groups[num_below], groups[num_below + 1]) == ("over", "skipped")


def test_small_dataset_is_shown_whole() -> None:
    data = scored([0.5] * NUM_SHOWN)
    assert take_sample(data, stand_by_rank(data.scores, 1.0, 5)).numbers == list(range(NUM_SHOWN))


def test_rare_reason_is_among_the_skipped() -> None:
    data = scored([NAN] * 1000 + [0.5])
    data.reasons[999] = "rare"
    assert 999 in take_sample(data, stand_by_rank(data.scores, 1.0, 1)).numbers


@pytest.mark.parametrize(
    "unit", ["word ", "\u6c49", "<&>", '\U0001f389\u2028\x00"\\'], ids=["words", "chinese", "markup", "escapes"]
)
def test_texts_take_no_more_room_than_they_may(unit: str) -> None:
    text = unit * 9000
    found, num_left_out = bounded_texts({"instruction": text, "input": "short", "output": text}, "ifd_ppl", {}, 6000)
    sizes = [len(encode_data(part["text"]).encode()) - 2 for part in found]
    assert num_left_out == 0
    assert sum(sizes) <= 6000 and min(sizes[0], sizes[2]) > 2900  # what the short one leaves is theirs, in equal parts
    assert found[1]["text"] == "short"
    assert [part["length"] for part in found] == [len(text), 5, len(text)]
    assert all(text.startswith(found[place]["text"]) for place in (0, 2))


def test_long_conversation_shows_its_beginning_and_its_end() -> None:
    turns = [{"role": ("user", "assistant")[place % 2], "content": f"turn {place}"} for place in range(100)]
    found, num_left_out = bounded_texts({"messages": turns}, "ifd_ppl", {}, 6000)
    half = MAX_TEXTS // 2
    assert [part["text"] for part in found] == [f"turn {place}" for place in (*range(half), *range(100 - half, 100))]
    assert num_left_out == 100 - MAX_TEXTS


def test_turns_have_their_own_scores() -> None:
    record = {
        "messages": [{"role": role, "content": "x"} for role in ("user", "assistant", "assistant")],
        "ifd_turns": [{"ifd_ppl": 0.25, "ifd_skipped": None}, {"ifd_ppl": None, "ifd_skipped": "short_response"}],
    }
    assert [text["score"] for text in bounded_texts(record, "ifd_ppl", {}, 999)[0]] == [
        "",
        "IFD 0.250",
        "short_response",
    ]
    assert [text["score"] for text in bounded_texts(record | {"ifd_turns": [7]}, "ifd_ppl", {}, 999)[0]] == ["", "", ""]


ODD = {
    "everything skipped": [NAN] * 5,
    "one record": [0.5],
    "all equal": [0.5] * 9,
    "far out": [0.5, 0.7, 1e6],
    "only far out": [1e6],
    "huge": [1e300, 0.5],
    "tiny": [1e-300, 0.5],
    "many": [step / 3000 for step in range(1, 4000)],
    "mixed": [0.5, NAN, 2.0],
}


@pytest.mark.parametrize("scores", ODD.values(), ids=ODD)
def test_figures_of_odd_scores_are_drawn_without_a_word(scores: list[float], recwarn: pytest.WarningsRecorder) -> None:
    data = scored(scores)
    for standing in (stand_by_rank(data.scores, 1.0, 1), stand_by_file(data.scores, 0.6, [len(scores) - 1])):
        for name in FIGURES:
            assert draw_figure(name, data, standing, "svg", "dark").rstrip().endswith(b"</svg>")
    assert not recwarn.list


def test_axis_of_ifd_shows_the_threshold_and_is_not_stretched_by_a_few() -> None:
    assert ifd_limit(np.array([0.5] * 99 + [1e6]), 1.0) == pytest.approx(1.5, rel=0.03)
    assert ifd_limit(np.array([0.2, 0.5]), 1.0) == pytest.approx(0.5, rel=0.03)
    assert ifd_limit(np.array([3.0] * 100), 1.0) == pytest.approx(3.0, rel=0.03)


def label_boxes(name: str, data: ScoredData) -> list[tuple[float, float]]:
    """Return where the labels of x begin and end, in shares of the figure's width."""
    with figure_style("light"):
        figure = make_figure(name, data, stand_by_rank(data.scores, 1.0, 1), "light")
        figure.draw_without_rendering()
        low, high = figure.axes[0].get_xlim()
        labels = [tick.label1 for tick in figure.axes[0].xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        return [
            (box.x0 / figure.bbox.width, box.x1 / figure.bbox.width)
            for box in (label.get_window_extent() for label in labels)
        ]


def length_axes(scores: list[float]) -> Any:
    """Return the axes of IFD against length, of which the record with the highest score below 1 is selected."""
    data = scored(scores)
    with figure_style("light"):
        return make_figure("length", data, stand_by_rank(data.scores, 1.0, 1), "light").axes[0]


def test_scores_beyond_the_axis_are_triangles_that_are_whole() -> None:
    axes = length_axes([0.4, 0.5, 1.2, 50.0, 80.0])
    triangles = next(points for points in axes.collections if len(points.get_paths()[0].vertices) == 4)
    places = axes.transData.transform(triangles.get_offsets())[:, 1]  # of the middles, in pixels
    height = triangles.get_sizes()[0] ** 0.5 * axes.figure.dpi / 72
    top = axes.transAxes.transform((0, 1))[1]
    assert len(places) == 2  # 50 and 80
    assert (places + height / 2 <= top).all() and (places > top - 2 * height).all()
    assert axes.get_ylabel().startswith("IFD (2 over ") and axes.get_ylabel().endswith(" as triangles)")


def test_few_points_are_larger() -> None:
    few, many = (length_axes([0.5] * num).collections[0].get_sizes()[0] for num in (100, 101))
    assert few == 2 * many


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        ([0.4, 0.5], ["selected", "below the cut", "cut 0.500"]),
        ([0.4, 1.2], ["selected", "at or over 1", "threshold 1", "cut 0.400"]),
        ([0.4] * 9 + [90.0], ["selected", "below the cut", "at or over 1", "threshold 1", "cut 0.400"]),
        ([0.4], ["selected", "cut 0.400"]),
    ],
    ids=["none over", "none below", "only a triangle over", "one"],
)
def test_legend_names_what_is_there_and_nothing_else(scores: list[float], names: list[str]) -> None:
    assert [text.get_text() for text in length_axes(scores).get_legend().get_texts()] == names


# Each power of ten, and ranges that begin and end between two of them.
ENDS = [
    *((1.0, 10.0**power) for power in range(1, 13)),
    *((3.3 * 10**power, 8.7 * 10**power) for power in range(12)),
    (1.5, 4e5),
    (70, 9e11),
    (7.6e10, 1.5e11),
]


@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: f"{ends[0]:g} to {ends[1]:g}")
@pytest.mark.parametrize("name", ["ppl_direct", "length"])
def test_labels_of_a_log_axis_are_two_or_more_that_neither_overlap_nor_are_cut(
    name: str, ends: tuple[float, float]
) -> None:
    scores, values = np.array([0.4, 0.6]), np.array(ends)
    boxes = label_boxes(name, ScoredData(scores, values, values, values.astype(np.int64), {}))
    assert len(boxes) >= 2
    assert boxes[0][0] >= 0 and boxes[-1][1] <= 1
    assert all(one[1] + 0.005 < other[0] for one, other in pairwise(boxes))


@pytest.mark.parametrize("length", [0, 1, 2, 7, 64, 999, 123_456])
def test_equal_lengths_have_two_whole_labels(length: int) -> None:
    boxes = label_boxes("length", scored([0.4, 0.5, 0.6], [length] * 3))
    assert len(boxes) >= 2


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (3, 2e9, ["10\u00b2", "10\u2074", "10\u2076", "10\u2078"]),
        (2, 5000, ["10", "100", "1,000"]),
        (4, 90, ["5", "10", "20", "50"]),
        (60, 99, ["60", "70", "80", "90"]),
        (1, 1e5, ["10\u2070", "10\u00b9", "10\u00b2", "10\u00b3", "10\u2074", "10\u2075"]),
        (3e6, 4e6, ["3\u00d710\u2076", "3.5\u00d710\u2076", "4\u00d710\u2076"]),
        (0.02, 0.5, ["0.02", "0.05", "0.1", "0.2", "0.5"]),
    ],
)
def test_labels_of_a_log_axis_are_decades_or_even_steps(low: float, high: float, labels: list[str]) -> None:
    assert log_labels(log_ticks(low, high)) == labels


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_the_same_bytes_each_time(name: str) -> None:
    data = scored([step / 100 for step in range(1, 130)])
    standing = stand_by_rank(data.scores, 1.0, 10)
    for file_format in ("png", "svg"):
        assert draw_figure(name, data, standing, file_format) == draw_figure(name, data, standing, file_format)


def test_report_writes_a_page_and_five_figures_the_same_each_time(run_script: RunScript, tmp_path: Path) -> None:
    once, again = ({}, {})
    for found in (once, again):
        done = run_script("report", "--json_data_path", SAMPLE, "--save_path=report.html", cwd=tmp_path)
        assert done.stdout == "report            report.html\n                  (253 of 253 records in its table)\n"
        found.update(files_in(tmp_path))
    assert sorted(path.name for path in once) == sorted(["report.html", "report_tokens.png", *PNGS])
    assert once == again


def records_of(scores: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "instruction": f"ask {index}",
            "output": "b" * (index + 1),
            "ppl_A_direct": score,
            "ppl_A_condition": score,
            "ifd_ppl": score,
        }
        for index, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--selected=other.json"],
            "other.json: record 1 is not in data.json; give the file that was selected from this dataset",
        ),
        (
            ["--selected=data.json", "--save_path=data.json"],
            "argument --save_path: 'data.json' does not end in .html; see report.py --help",
        ),
        (
            ["--selected=other.json", "--sample_num=3"],
            "argument --selected: not allowed with --sample_rate or --sample_num: the file says how many",
        ),
        (["--sample_rate=0.1"], "--sample_rate 0.1: of 3 records that is none; give a higher rate or --sample_num"),
        (
            ["--key_name=ifd_loss"],
            "data.json: no record has 'ifd_loss'; run step 2 on it first, or choose another --key_name",
        ),
        (["--fields=output=answer"], "data.json: record 0: field 'answer' is missing"),
        (["--selected=none.json"], "none.json: cannot be read: No such file or directory"),
    ],
)
def test_mistake_takes_one_line_and_writes_nothing(
    flags: list[str], message: str, run_script: RunScript, tmp_path: Path
) -> None:
    write_json(tmp_path / "data.json", records_of([0.5, 0.9, None]))
    write_json(tmp_path / "other.json", [records_of([0.5])[0], {"instruction": "not there", "output": "x"}])
    before = files_in(tmp_path)
    error = error_line(
        run_script("report", "--json_data_path=data.json", "--save_path=report.html", *flags, cwd=tmp_path)
    )
    assert error.startswith(message)
    assert files_in(tmp_path) == before


def test_files_of_the_original_tool_give_a_report(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", records_of([0.5, NAN, 1.5, 0]))
    done = run_script("report", "--json_data_path=data.json", "--save_path=report.html", "--sample_num=1", cwd=tmp_path)
    assert (done.returncode, done.stderr.startswith("note: data.json: 3 NaN or Infinity")) == (0, True)
    shown = json.loads(re.search(r'id="data">(.*)</script>', (tmp_path / "report.html").read_text(encoding="utf-8"))[1])
    rows = [(row["number"], row["rank"], row["reason"]) for row in shown["rows"]]
    assert rows == [(0, 1, None), (2, None, None), (1, None, "no score"), (3, None, "no score")]


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".jsonl.gz", ".parquet"])
def test_scores_of_every_format_are_reported_by_their_upper_ends(
    ending: str, run_script: RunScript, tmp_path: Path
) -> None:
    records = records_of([0.5, 0.9, 0.7, None])
    # Surely below 1, not surely, of one token, without a score.
    for record, upper, tokens in zip(records, [0.8, 1.1, None, None], [30, 20, 1, None], strict=True):
        record |= {"ifd_upper": upper, "ifd_tokens": tokens}
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), tmp_path / "data.parquet")
    else:
        write_dataset(str(tmp_path / f"data{ending}"), records)
    flags = (f"--json_data_path=data{ending}", "--save_path=report.html", "--sample_num=1", "--key_name=ifd_upper")
    done = run_script("report", *flags, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(re.search(r'id="data">(.*)</script>', (tmp_path / "report.html").read_text(encoding="utf-8"))[1])
    rows = {row["number"]: (row["rank"], row["selected"], row["unsure"], row["tokens"]) for row in shown["rows"]}
    assert rows == {
        0: (1, True, False, 30),
        1: (None, False, True, 20),
        2: (None, False, True, 1),
        3: (None, False, False, None),
    }
    assert shown["notes"][0].startswith("1 of 1 selected are surely below 1")
    assert (tmp_path / "report_tokens.png").exists()


@pytest.mark.parametrize("upper", [{}, {"ifd_upper": None}], ids=["missing", "null"])
def test_scores_without_upper_ends_are_refused_by_them_and_reported_without(
    upper: dict[str, None], run_script: RunScript, tmp_path: Path
) -> None:
    write_json(tmp_path / "data.json", [record | upper for record in records_of([0.5, 0.9])])
    flags = ("--json_data_path=data.json", "--save_path=report.html", "--sample_num=1")
    error = error_line(run_script("report", *flags, "--key_name=ifd_upper", cwd=tmp_path))
    assert error.startswith("data.json: no record has a number under 'ifd_upper'; the scores were made before step 1")
    assert run_script("report", *flags, cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in files_in(tmp_path)) == sorted(["data.json", "report.html", *PNGS])


def test_turns_that_are_not_sure_say_so() -> None:
    record = {
        "messages": [{"role": role, "content": "x"} for role in ("user", "assistant", "assistant", "assistant")],
        "ifd_turns": [
            {"ifd_ppl": 0.9, "ifd_upper": 1.2},
            {"ifd_ppl": 0.5, "ifd_upper": 0.7},
            {"ifd_ppl": 0.5, "ifd_upper": None},
        ],
    }
    found = {
        key: [text["score"] for text in bounded_texts(record, key, {}, 999)[0]] for key in ("ifd_ppl", "ifd_upper")
    }
    assert found["ifd_ppl"] == ["", "IFD 0.900, not sure", "IFD 0.500", "IFD 0.500, not sure"]
    assert found["ifd_upper"] == ["", "ifd_upper 1.200, not sure", "ifd_upper 0.700", ""]
