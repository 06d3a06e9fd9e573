"""What the scripts of the verdict are asked with, and the review files that this names."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.cli import UserError, new_parser
from shared.files import refuse_overwriting
from shared.texts import printable
from verdict.review_file import ReviewFile, judge_slug, read_review_file, review_path
from verdict.verdict import RULES


@dataclass(frozen=True)
class VerdictSettings:
    """What a verdict is asked for: the review files in a folder, the names of the two models, judge and rule.

    `save_name` is the path of what is written, without its extension.
    """

    review_home_path: str
    task_list: list[str]
    key1: str
    key2: str
    api_model: str
    rule: str
    save_name: str


def parse_verdict_flags(docstring: str | None, argv: Sequence[str] | None) -> VerdictSettings:
    """Parse the flags that review_eval_score.py and review_viewer.py share.

    Raises UserError for names that make no sense together.
    """
    parser = new_parser(docstring)
    _add_flags(parser)
    args = parser.parse_args(argv)
    if args.key1 == args.key2:
        raise UserError(f"--key1 and --key2 are both {args.key1!r}; give the two models different names")
    save_name = args.save_name
    if save_name is None:
        save_name = os.path.join(args.review_home_path, f"verdict_{judge_slug(args.api_model)}")
    return VerdictSettings(
        args.review_home_path,
        _tasks(args.task_list),
        args.key1,
        args.key2,
        args.api_model,
        args.rule,
        save_name,
    )


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--review_home_path", required=True, help="folder with the <task>_wrap_reviews_<judge>.json files of eval.py"
    )
    parser.add_argument(
        "--task_list",
        nargs="+",
        required=True,
        metavar="TASK",
        help="test sets to count, in this order: words, or one word with commas (vicuna koala)",
    )
    parser.add_argument(
        "--key1",
        type=key_name,
        default="model1",
        help="name of the model of Answer1, for people (default: %(default)s)",
    )
    parser.add_argument(
        "--key2",
        type=key_name,
        default="model2",
        help="name of the model of Answer2, for people (default: %(default)s)",
    )
    parser.add_argument(
        "--save_name",
        help="what is written, path without extension (default: verdict_<judge> in --review_home_path)",
    )
    parser.add_argument(
        "--api_model", default="gpt-4", help="judge whose reviews are read, as given to eval.py (default: %(default)s)"
    )
    parser.add_argument(
        "--rule",
        choices=RULES,
        default="published",
        help="when a pair is won. published: the sign of the two orders' winners added up, a win and a loss cancel; "
        "strict: both orders "
        "agree; mean: the sign of the mean score difference (default: %(default)s)",
    )


def key_name(text: str) -> str:
    """Return a name on one line without characters that cannot be drawn; argparse reports an empty one."""
    name = printable(" ".join(text.split()))
    if not name:
        raise argparse.ArgumentTypeError("it must not be empty")
    return name


def read_reviews(settings: VerdictSettings, *extensions: str) -> list[ReviewFile]:
    """Return the review file of each task.

    Raises UserError for a missing or wrong file, and for an output `save_name + extension` that would overwrite one.
    """
    folder, api_model = settings.review_home_path, settings.api_model
    paths = [review_path(os.path.join(folder, f"{task}_wrap.json"), api_model) for task in settings.task_list]
    for extension in extensions:
        refuse_overwriting(settings.save_name + extension, *paths)
    return [_read(task, path, folder, api_model) for task, path in zip(settings.task_list, paths, strict=True)]


def _tasks(words: list[str]) -> list[str]:
    tasks = [task.strip() for word in words for task in word.split(",") if task.strip()]
    if not tasks:
        raise UserError("--task_list: no test set in it; name at least one, such as vicuna")
    for task in tasks:
        if tasks.count(task) > 1:
            raise UserError(
                f"--task_list: {task} is there {tasks.count(task)} times; its pairs would be counted again; name it "
                "once"
            )
    return tasks


def _read(task: str, path: str, folder: str, api_model: str) -> ReviewFile:
    if not os.path.isfile(path):
        raise UserError(
            f"{path}: not there; {_what_is_there(folder)}; run eval.py --api_model {api_model} "
            "first, or "
            "change --task_list, --api_model or --review_home_path"
        )
    file = read_review_file(path)
    if file.dataset_name != task:
        raise UserError(
            f"{path}: its pairs are of the test set {file.dataset_name!r} (Meta_Info.dataset_name), not {task!r}; "
            "give the file the name of its test set"
        )
    return file


def _what_is_there(folder: str) -> str:
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    names = sorted(path.name for path in Path(folder).glob("*_wrap_reviews_*.json"))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"the folder has {', '.join(names[:8])}{more}" if names else f"no *_wrap_reviews_*.json is in {folder}"
