"""Fetch the public data: Alpaca, two published scored datasets, and the five test sets of the evaluation.

Reads each file from its public repository on GitHub, or from --base_url. Writes them below the repository:
data/alpaca_data.json, data/data_with_ifd/alpaca_*_data.json, evaluation/test_data/*_test_set.jsonl. A file that is
there already is not fetched again, and one with other content is never overwritten. Each must have its known content,
byte for byte.

    python data/download.py --only test_sets
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "code_ifd"))

from shared.cli import Interrupted, UserError, new_parser, positive_int, run, say
from shared.files import open_locked
from verified_fetch import Limits, UnreachableError, fetch, is_in_place

ROOT = Path(__file__).resolve().parents[1]

SUPERFILTERING = "https://raw.githubusercontent.com/tianyi-lab/Superfiltering/main"
# No published file is larger: the test sets have some hundred kilobytes, the datasets some ten megabytes.
MAX_BYTES = {"test_sets": 1 << 20, "alpaca": 1 << 28, "scored": 1 << 28}
ALPACA = "https://raw.githubusercontent.com/tatsu-lab/stanford_alpaca/main"


@dataclass(frozen=True)
class PublicFile:
    """A published file: its place below the repository, the Git blob id of its content, and its public address."""

    path: str
    blob_id: str
    url: str

    @property
    def name(self) -> str:
        """The file name, which is also its name on a mirror."""
        return os.path.basename(self.path)


def _of_superfiltering(path: str, blob_id: str) -> PublicFile:
    return PublicFile(path, blob_id, f"{SUPERFILTERING}/{path}")


# Small files first: what comes before a disk is full, or a user loses patience, is whole.
GROUPS = {
    "test_sets": [
        _of_superfiltering("evaluation/test_data/vicuna_test_set.jsonl", "c946b8f79deba324a88ab0d61a322942b19fa764"),
        _of_superfiltering("evaluation/test_data/koala_test_set.jsonl", "183e2a33efb9b28e54149c40d6dbbed1a3ce7f6a"),
        _of_superfiltering("evaluation/test_data/wizardlm_test_set.jsonl", "8d9086908accd4a36fe9581392e9b10aeef88361"),
        _of_superfiltering("evaluation/test_data/sinstruct_test_set.jsonl", "ed6d5d986e3f4c65ff64d70328a2e1dab146f914"),
        _of_superfiltering("evaluation/test_data/lima_test_set.jsonl", "243df2b8dceb677f2ae010cc2acdb8315fcfd64b"),
    ],
    "alpaca": [
        PublicFile("data/alpaca_data.json", "3779ddbc040543ab1834ef216c983d6fcc06cc9a", f"{ALPACA}/alpaca_data.json")
    ],
    "scored": [
        _of_superfiltering("data/data_with_ifd/alpaca_data_gpt2_data.json", "db989ef796f6ab24b0866c5b7058c2850bcdec77"),
        _of_superfiltering(
            "data/data_with_ifd/alpaca_gpt4_data_gpt2_data.json", "3e04d24dd906704af069e504fa334ceb9b4b8c69"
        ),
    ],
}
FILES = [file for files in GROUPS.values() for file in files]


def base_url(text: str) -> str:
    """Parse the address of a mirror; argparse reports the rest."""
    try:
        parts = urlsplit(text)
        # Both raise ValueError for what is none.
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not (text.isascii() and text.isprintable())
        or " " in text
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address like https://mirror.example/data")
    if "@" in parts.netloc:
        raise argparse.ArgumentTypeError("an address with a user name in it is not supported")
    return text.rstrip("/")


@contextlib.contextmanager
def only_run_in(folder: str) -> Iterator[None]:
    """Keep other runs from fetching into the same folder. Raises UserError when one does."""
    path = os.path.join(folder, ".download.lock")
    fd = open_locked(path, "--output_dir")
    try:
        yield
    finally:
        os.unlink(path)
        os.close(fd)


def missing_files(files: list[PublicFile], output_dir: str, failures: list[str]) -> list[PublicFile]:
    """Return the files that are not there, and say which are; add a line to `failures` for each with other content."""
    missing = []
    for file in files:
        try:
            if is_in_place(Path(output_dir, file.path), file.blob_id):
                say(f"{file.path}: there already")
            else:
                missing.append(file)
        except UserError as error:
            failures.append(str(error))
    return missing


def fetch_files(
    files: list[PublicFile], output_dir: str, mirror: str | None, seconds: tuple[float, float], failures: list[str]
) -> None:
    """Fetch files one after the other, from GitHub where there is no `mirror`, whatever becomes of the others.

    `seconds` are those of a read and of a whole file. Adds a line to `failures` for each that fails.
    """
    for num_done, file in enumerate(files, start=1):
        url = f"{mirror}/{file.name}" if mirror else file.url
        target = Path(output_dir, file.path)
        start = time.perf_counter()
        try:
            fetch(url, target, file.blob_id, Limits(*seconds, max_bytes_of(file)))
        except UnreachableError as error:
            rest = len(files) - num_done
            failures.append(f"{error}" + (f" ({rest} more not tried)" if rest else ""))
            return
        except UserError as error:
            failures.append(str(error))
        else:
            say(
                f"{file.path}: {target.stat().st_size / 1e6:.2f} MB in {time.perf_counter() - start:.1f} s, content "
                "as published"
            )


def max_bytes_of(file: PublicFile) -> int:
    """Return the bytes that a published file has at most."""
    return next(MAX_BYTES[group] for group, members in GROUPS.items() if file in members)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    choices = [*GROUPS, *(file.name for file in FILES)]
    parser.add_argument(
        "--only",
        nargs="+",
        choices=choices,
        metavar="NAME",
        default=list(GROUPS),
        help=f"groups ({', '.join(GROUPS)}) or file names; default: all",
    )
    parser.add_argument(
        "--base_url", type=base_url, help="a mirror that has each file as <base_url>/<file name>; default: GitHub"
    )
    parser.add_argument(
        "--output_dir",
        default=str(ROOT),
        help="folder that gets data/ and evaluation/test_data/; default: this repository",
    )
    parser.add_argument(
        "--timeout_seconds",
        type=positive_int,
        default=30,
        help="seconds to wait for a connection or for more bytes (default: 30)",
    )
    parser.add_argument(
        "--file_seconds",
        type=positive_int,
        default=3600,
        help="seconds that one file may take in all (default: 3600)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch the files that are not there yet."""
    args = parse_args(argv)
    files = [file for group, members in GROUPS.items() for file in members if {group, file.name} & set(args.only)]
    failures: list[str] = []
    try:
        if missing := missing_files(files, args.output_dir, failures):
            with only_run_in(args.output_dir):
                fetch_files(
                    missing, args.output_dir, args.base_url, (args.timeout_seconds, args.file_seconds), failures
                )
    except KeyboardInterrupt:
        raise Interrupted("what came is kept, half a file too; the same command goes on from there") from None
    finally:
        for failure in failures:
            print(f"error: {failure}", file=sys.stderr)
    if failures:
        sys.exit(2)


if __name__ == "__main__":
    run(main)
