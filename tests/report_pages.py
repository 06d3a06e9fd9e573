"""Pages of reports for tests that open them: records, the page made of them, and what is read from it."""

import sys
from pathlib import Path
from typing import Any

import pytest

import report
from script_runs import write_json

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!--<script>",
    "{{data}} {{script}} ${1}",
    "\u2028\u2029 &lt;b&gt;",
)
ATTACK = " ".join(ATTACKS)
HEBREW = "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"
# By score: 3, 1, 0, 5 below 1, of which 3 and 1 are selected; 4 and 6 at or over it; 2 has no score.
SCORES = [0.4, 0.9, None, 0.95, 1.0, 0.1, 1.7]
ORDER = [3, 1, 0, 5, 6, 4, 2]
MakePage = Any


def make_records(scores: list[float | None], **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "instruction": f"ask {index}",
            "input": "",
            "output": "word " * (index + 1),
            "ppl_A_direct": score and 10 - score,
            "ppl_A_condition": score and 20 + score,
            "ifd_ppl": score,
            **({} if score else {"ifd_skipped": "short_response"}),
            **more,
        }
        for index, score in enumerate(scores)
    ]


@pytest.fixture
def make_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Make the page of records and return its path. The figures have tests of their own, and are left empty."""

    def make(records: list[dict[str, Any]], *flags: str, name: str = "data.json") -> Path:
        path = tmp_path / name
        write_json(path, records)
        monkeypatch.setattr(
            report, "draw_figure", lambda *_: b"<svg xmlns='http://www.w3.org/2000/svg' width='500' height='350'/>"
        )
        # What stands for a figure is none.
        flags = (f"--json_data_path={path}", f"--save_path={tmp_path}/report.html", "--overwrite", *flags)
        monkeypatch.setattr(sys, "argv", ["report.py", *flags])
        report.main()
        assert capsys.readouterr().out.startswith("report            ")
        return tmp_path / "report.html"

    return make


def titles(page) -> list[str]:
    return page.locator("#table .title").all_inner_texts()


def numbered(numbers: list[int]) -> list[str]:
    return [f"ask {number}" for number in numbers]
