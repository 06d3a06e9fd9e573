"""Which review file belongs to a test set and a judge: ours by its exact name, the original tool's as that finds them.

The original names its files for two families of judges alone, and looks for both names anywhere in a file's name.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from shared.cli import UserError, tell
from shared.files import refuse_overwriting
from shared.texts import shorten
from verdict.flags import VerdictSettings
from verdict.review_file import ReviewFile, read_review_file, review_path

# What a judge's name holds, and what its files may be called: in the original tool, and in ours.
FAMILIES = {"gpt-3.5": ("reviews_gpt3.5", "reviews_gpt-3.5"), "gpt-4": ("reviews_gpt4", "reviews_gpt-4")}
NUM_NAMED = 8


def read_reviews(settings: VerdictSettings, *extensions: str) -> dict[str, list[ReviewFile]]:
    """Return the review file of each task, by judge.

    Raises UserError for a missing or wrong file, and for an output `save_name + extension` that would overwrite one.
    Where the test sets are the default, those without reviews by every judge are left out with a warning.
    """
    folder, judges = settings.review_home_path, settings.api_models
    found = {judge: {task: find_review_file(folder, task, judge) for task in settings.task_list} for judge in judges}
    lacking = [(task, judge) for task in settings.task_list for judge in judges if found[judge][task] is None]
    lacking_tasks = dict.fromkeys(task for task, _ in lacking)
    if lacking and not (settings.may_lack and len(lacking_tasks) < len(settings.task_list)):
        raise _missing(*lacking[0], folder)
    if lacking:
        tell(
            f"warning: no reviews by {' and '.join(judges)} in {folder} of {', '.join(lacking_tasks)}; the other test "
            "sets are counted"
        )
    paths = {
        judge: {task: path for task, path in found[judge].items() if path is not None and task not in lacking_tasks}
        for judge in judges
    }
    for extension in extensions:
        refuse_overwriting(
            settings.save_name + extension, *(path for of_judge in paths.values() for path in of_judge.values())
        )
    return {
        judge: [_read(task, path, judge, folder) for task, path in of_judge.items()]
        for judge, of_judge in paths.items()
    }


def find_review_file(folder: str, task: str, api_model: str) -> str | None:
    """Return the path of a test set's reviews by a judge, None where there are none.

    The file of that very name comes first, then one that differs in the case of the test set, then, for judges of the
    two published families, files below the folder whose names hold the test set and the family. Raises UserError when
    several fit alike.
    """
    exact = review_path(os.path.join(folder, f"{task}_wrap.json"), api_model)
    if os.path.isfile(exact):
        return exact
    fits = {path: _fit(path, Path(folder), task, api_model) for path in sorted(Path(folder).rglob("*.json"))}
    best = min((fit for fit in fits.values() if fit is not None), default=None)
    fitting = [str(path) for path, fit in fits.items() if fit is not None and fit == best]
    if len(fitting) > 1:
        raise UserError(
            f"--task_list {task}, --api_model {api_model}: {len(fitting)} files fit: {_names(fitting)}; give the judge "
            "its full name, or a --review_home_path that has one of them"
        )
    return fitting[0] if fitting else None


def _fit(path: Path, folder: Path, task: str, api_model: str) -> tuple[int, bool, int] | None:
    """Return how well a file's name fits a test set and a judge, the lower the better, None where it does not."""
    name, task = path.name.casefold(), task.casefold()
    parts = next((names for family, names in FAMILIES.items() if family in api_model), ())
    if name == os.path.basename(review_path(f"{task}_wrap.json", api_model)):
        judge_fit = 0
    elif task in name and any(part in name for part in parts):
        judge_fit = 1 + next(number for number, part in enumerate(parts) if part in name)
    else:
        return None
    return judge_fit, not name.startswith(f"{task}_wrap_"), len(path.relative_to(folder).parts)


def _read(task: str, path: str, api_model: str, folder: str) -> ReviewFile:
    """Return a review file. Raises UserError when it is of another test set, or says that another judge wrote it."""
    file = read_review_file(path)
    if file.dataset_name.casefold() != task.casefold():
        raise UserError(
            f"{path}: its pairs are of the test set {file.dataset_name!r} (Meta_Info.dataset_name), not {task!r}; "
            "give the file the name of its test set"
        )
    about = file.meta.get("judge")
    judge = about.get("api_model") if isinstance(about, dict) else None
    exact = review_path(os.path.join(folder, f"{task}_wrap.json"), api_model)
    if not isinstance(judge, str) or judge == api_model or path == exact:
        return file
    if api_model not in judge:
        raise UserError(
            f"{path}: its judge was {shorten(judge)} (Meta_Info.judge), not {api_model}; give --api_model that name"
        )
    tell(f"note: {path}: its judge was {judge}; counted as {api_model}")
    return file


def _missing(task: str, api_model: str, folder: str) -> UserError:
    path = review_path(os.path.join(folder, f"{task}_wrap.json"), api_model)
    return UserError(
        f"{path}: not there; {_what_is_there(folder)}; run eval.py --api_model {api_model} first, or change "
        "--task_list, --api_model or --review_home_path"
    )


def _what_is_there(folder: str) -> str:
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    names = sorted(path.name for path in Path(folder).glob("*_wrap_reviews_*.json"))
    return f"the folder has {_names(names)}" if names else f"no *_wrap_reviews_*.json is in {folder}"


def _names(paths: Iterable[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    names = list(paths)
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return f"{', '.join(names[:NUM_NAMED])}{more}"
