"""How long the report of a dataset takes to make and to open, and how large it is.

Makes synthetic records with scores in a temporary folder (or takes a scored
dataset), runs report.py on them, and opens the page in Chromium, offline, a few
times: the time is from the start of navigation to the end of the load event,
when its table is there; processor time is that of the page's main thread.
Prints a table; the last line is one JSON object. Opening needs playwright
(tests/requirements.txt) and Debian's chromium.

PYTHONPATH=code_ifd python -m benchmarks.report --num_records 52002
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.streams import measure_command, write_synthetic
from shared.cli import UserError, missing_package, new_parser, positive_int, run, say

SCRIPTS = Path(__file__).parents[1]
OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def make_scored(num_records: int, folder: Path) -> Path:
    """Return a scored dataset of synthetic records."""
    data, scores, scored = (folder / name for name in ("data.jsonl", "scores.jsonl", "scored.json"))
    write_synthetic(num_records, data, scores)
    lines = folder / "scored.jsonl"
    measure_command(
        _python(
            "put_analysis_to_data.py", "--pt_data_path", scores, "--json_data_path", data, "--json_save_path", lines
        ),
        data,
    )
    # As an array, which is read whole: what Alpaca is.
    with open(lines, encoding="utf-8") as file, open(scored, "w", encoding="utf-8") as array:
        array.write("[" + ",\n".join(line.strip() for line in file) + "]\n")
    return scored


def open_page(page: Path, repeats: int) -> list[tuple[float, float]]:
    """Return the seconds and the processor seconds of each opening of the page.

    Each opening is in a new tab; a first one is not counted.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise missing_package("playwright", "opening the page") from None
    executable = shutil.which("chromium")
    if not executable:
        raise UserError("chromium is not installed here; apt-get install chromium, or leave out opening by --repeats 0")
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for _ in range(repeats + 1):
            tab = browser.new_page(offline=True)
            session = tab.context.new_cdp_session(tab)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            tab.goto(page.as_uri())
            tab.wait_for_function(f"{OPENED} > 0")
            metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
            seconds.append((tab.evaluate(OPENED) / 1000, metrics["TaskDuration"]))
            tab.close()
        browser.close()
    return seconds[1:]


def _python(script: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(SCRIPTS / script), *map(str, arguments)]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--num_records", type=positive_int, default=52_002, help="synthetic records (default: %(default)s)"
    )
    parser.add_argument("--json_data_path", help="a scored dataset to report on, instead of synthetic records")
    parser.add_argument(
        "--repeats", type=int, default=5, help="how often the page is opened; 0 opens none (default: %(default)s)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        scored = Path(args.json_data_path) if args.json_data_path else make_scored(args.num_records, Path(folder))
        page = Path(folder).resolve() / "report.html"
        made = measure_command(_python("report.py", "--json_data_path", scored, "--save_path", page), scored)
        page_bytes = page.stat().st_size
        opened = open_page(page, args.repeats) if args.repeats > 0 else []
    times = (
        " | ".join(
            f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})" for each in zip(*opened, strict=True)
        )
        or " | "
    )
    say(
        "| to make, seconds | of processor time | peak memory, MB | page, MB | to open, seconds "
        "| of processor time |\n|---|---|---|---|---|---|"
    )
    say(
        f"| {made.seconds:.1f} | {made.processor_seconds:.1f} | {made.peak_bytes / 1e6:.0f} | {page_bytes / 1e6:.1f} "
        f"| {times} |"
    )
    say("\n" + json.dumps({"made": asdict(made), "page_bytes": page_bytes, "seconds_to_open": opened}))


if __name__ == "__main__":
    run(main)
