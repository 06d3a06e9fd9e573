"""What the scripts of the verdict are asked with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from shared.cli import UserError, new_parser, non_empty, positive_int
from shared.files import in_folder
from shared.texts import printable
from verdict.review_file import judge_slug
from verdict.verdict import RULES

# The test sets of the published comparisons, as the original tool spells them.
PUBLISHED_TASKS = ("Vicuna", "Koala", "WizardLM", "SInstruct", "LIMA")


@dataclass(frozen=True)
class VerdictSettings:
    """What a verdict is asked for: the review files in a folder, the names of the two models, judges and rule.

    `save_name` is the path of what is written, without its extension. With `may_lack` a test set of `task_list` that
    has no reviews is left out, unless none has any.
    """

    review_home_path: str
    task_list: list[str]
    key1: str
    key2: str
    api_models: list[str]
    rule: str
    save_name: str
    may_lack: bool = False


def parse_verdict_flags(docstring: str | None, argv: Sequence[str] | None) -> VerdictSettings:
    """Parse the flags that review_eval_score.py and review_viewer.py share.

    Raises UserError for names that make no sense together.
    """
    parser = new_parser(docstring)
    _add_flags(parser)
    args = parser.parse_args(argv)
    if args.key1 == args.key2:
        raise UserError(f"--key1 and --key2 are both {args.key1!r}; give the two models different names")
    for judge in args.api_model:
        if args.api_model.count(judge) > 1:
            raise UserError(f"--api_model: {judge} is there {args.api_model.count(judge)} times; name each judge once")
    save_name = args.save_name or f"verdict_{'_'.join(map(judge_slug, args.api_model))}"
    return VerdictSettings(
        args.review_home_path,
        _tasks(args.task_list or PUBLISHED_TASKS),
        args.key1,
        args.key2,
        args.api_model,
        args.rule,
        in_folder(args.review_home_path, save_name),
        may_lack=args.task_list is None,
    )


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--review_home_path", required=True, help="folder with the <task>_wrap_reviews_<judge>.json files of eval.py"
    )
    parser.add_argument(
        "--task_list",
        nargs="+",
        metavar="TASK",
        help="test sets to count, in this order, in any case: words, or one word with commas (default: those of "
        f"{' '.join(PUBLISHED_TASKS)} that have reviews)",
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
        help="what is written, without extension: a path, or a name in --review_home_path (default: verdict_<judge>, "
        "with all judges)",
    )
    parser.add_argument(
        "--api_model",
        type=non_empty,
        nargs="+",
        metavar="JUDGE",
        default=["gpt-4"],
        help="judges whose reviews are read, as given to eval.py; the first one's verdict is shown in full, and every "
        "other one beside it, with how far two agree; a name that holds gpt-4 or gpt-3.5 also finds files named "
        "reviews_gpt4 or reviews_gpt3.5 (default: gpt-4)",
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=1024,
        help="taken for the sake of published commands; no review depends on it (default: %(default)s)",
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


def _tasks(words: Sequence[str]) -> list[str]:
    tasks = [task.strip() for word in words for task in word.split(",") if task.strip()]
    if not tasks:
        raise UserError("--task_list: no test set in it; name at least one, such as vicuna")
    for task in tasks:
        num = sum(other.casefold() == task.casefold() for other in tasks)
        if num > 1:
            raise UserError(f"--task_list: {task} is there {num} times; its pairs would be counted again; name it once")
    return tasks
