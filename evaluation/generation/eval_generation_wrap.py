"""Step 2 of judging: put the answers of two models side by side.

Reads the generation files of both models, ours or the original tool's. Writes
<save_name>/<dataset_name>_wrap.json, in logs/ where the name is no path: each
question with Answer1 and Answer2. A question that one of the models could not be
asked is left out and named.

python evaluation/generation/eval_generation_wrap.py --dataset_name sample \\
    --fname1 outputs/evaluation/model1 --fname2 outputs/evaluation/model2 \\
    --save_name outputs/evaluation/model1-VS-model2
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from answering.answer_pairs import pair_answers
from answering.generation_file import ModelAnswer, generation_path, read_generation_file
from answering.question_sets import question_keys
from answering.wrap_file import WrapRow, write_wrap_file
from records.dataset_files import FORMATS
from shared.cli import UserError, new_parser, positive_int, run, say
from shared.files import in_folder, refuse_overwriting

# Where the published commands leave and find their pairs, below the folder that they are called in.
LOGS = "logs"


def answers_path(fname: str, dataset_name: str, max_length: int) -> str:
    """Return the generation file that a flag means: itself, or the test set's file in the folder of that name."""
    return (
        fname
        if fname.endswith(FORMATS) and not os.path.isdir(fname)
        else generation_path(fname, dataset_name, max_length)
    )


def wrap_row(one: ModelAnswer, two: ModelAnswer, prompt_key: str) -> WrapRow:
    """Return the row of two answers; its first three keys are the original tool's."""
    question = one.question
    return {
        prompt_key: question.prompt,
        "Answer1": one.response,
        "Answer2": two.response,
        "id": question.id,
        "category": question.category,
        "input": question.input,
    }


def left_out_entry(one: ModelAnswer, two: ModelAnswer) -> dict[str, Any]:
    """Return what Meta_Info says of a question that not both models could be asked."""
    files = [number for number, answer in ((1, one), (2, two)) if answer.response is None]
    return {"id": one.question.id, "skipped": one.skipped or two.skipped, "file": files if len(files) > 1 else files[0]}


def say_wrap_file(path: str, num_pairs: int, left_out: list[dict[str, Any]]) -> None:
    """Print what the wrap file holds and which questions it does not."""
    names = ", ".join(f"{entry['id']} ({entry['skipped']}, file {entry['file']})" for entry in left_out)
    say(f"{num_pairs} pairs, {len(left_out)} questions left out{': ' if names else ''}{names} -> {path}")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--dataset_name", required=True, help="test set: sample, vicuna, koala, wizardlm, sinstruct, lima, or your own"
    )
    parser.add_argument(
        "--fname1", required=True, help="answers of the first model: a generation file, or the folder that has it"
    )
    parser.add_argument("--fname2", required=True, help="answers of the second model, in the same way")
    parser.add_argument(
        "--save_name",
        required=True,
        help=f"folder for the wrap file: a path, or a name, such as a-VS-b, of a folder in {LOGS}/",
    )
    parser.add_argument(
        "--max_length",
        type=positive_int,
        default=1024,
        help="that of the generation, which is part of its files' names in a folder (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Pair the answers of two models and write the wrap file."""
    args = parse_args(argv)
    paths = [answers_path(fname, args.dataset_name, args.max_length) for fname in (args.fname1, args.fname2)]
    save_path = os.path.join(in_folder(LOGS, args.save_name), f"{args.dataset_name}_wrap.json")
    refuse_overwriting(save_path, *paths)
    first, second = (read_generation_file(path, args.dataset_name) for path in paths)
    pairs = pair_answers(first, second, (paths[0], paths[1]))
    answered = [(one, two) for one, two in pairs if one.response is not None and two.response is not None]
    left_out = [left_out_entry(one, two) for one, two in pairs if one.response is None or two.response is None]
    if not answered:
        raise UserError(
            f"{paths[0]} and {paths[1]}: there is no question that both models could be asked; raise --max_length of "
            "the generation"
        )
    prompt_key = question_keys(args.dataset_name).prompt
    meta = {"dataset_name": args.dataset_name, "fname1": args.fname1, "fname2": args.fname2, "left_out": left_out}
    write_wrap_file(save_path, meta, [wrap_row(*pair, prompt_key) for pair in answered])
    say_wrap_file(save_path, len(answered), left_out)


if __name__ == "__main__":
    run(main)
