"""The records among which a selection for diversity chooses, and their texts."""

import argparse
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from records.conversations import Fields, exchanges
from records.dataset import Dataset
from records.prompts import build_prompt
from records.record import Record
from selection.flags import number_of
from selection.ifd import Selection, select
from shared.cli import UserError
from shared.texts import is_encodable

if TYPE_CHECKING:
    from array import array

    import numpy as np


EMB_TYPES = ("whole", "instruction", "response")


def is_range(args: argparse.Namespace) -> bool:
    """Return whether the candidates are all records between two scores."""
    return args.ifd_lower is not None or args.ifd_upper is not None


def candidates_of(scores: "array[float]", args: argparse.Namespace) -> Selection:
    """Return the candidates, highest score first. Raises UserError when there is none."""
    if is_range(args):
        found = select(scores, float(args.ifd_upper), len(scores))
        within = [index for index in found.indices.tolist() if scores[index] >= float(args.ifd_lower)]
        found = Selection(
            found.indices[: len(within)], found.num_skipped, found.num_at_or_over, len(found.indices) - len(within)
        )
        wanted = f"from {args.ifd_lower} to below {args.ifd_upper}"
    else:
        threshold = Decimal(1) if args.filter_threash is None else args.filter_threash
        num_wanted = number_of(args.ifd_num, args.ifd_rate or Decimal("0.2"), len(scores), "ifd")
        found = select(scores, float(threshold), num_wanted)
        wanted = f"below {threshold}"
        if 0 < len(found.indices) < num_wanted:
            print(
                f"note: {num_wanted} candidates were asked for, but only {len(found.indices)} have a score below {threshold}",
                file=sys.stderr,
            )
    if not len(found.indices):
        raise UserError(f"{args.json_data_path}: no record has {args.key_name} {wanted}; nothing was written")
    return found


def read_texts(dataset: Dataset, indices: "np.ndarray", args: argparse.Namespace) -> list[str]:
    """Return the text of each record at `indices`, in their order."""
    places = {index: place for place, index in enumerate(indices.tolist())}
    texts = [""] * len(places)
    for index, record in enumerate(dataset.records()):
        if index in places:
            where = f"{dataset.path}: record {index}"
            texts[places[index]] = embedded_text(record, args.emb_type, args.prompt, args.fields, where)
    return texts


def embedded_text(record: Record, emb_type: str, template: str, fields: Fields, where: str = "record") -> str:
    """Return the text: the prompt and the output (`whole`), the prompt (`instruction`), or the output (`response`).

    Of a conversation, `whole` is all turns up to the last response, `instruction` what comes before the first response,
    and `response` all responses, each on a line. Raises UserError, beginning with `where`, for a record without one.
    """
    found = exchanges(record, fields, where)
    if not found:
        raise UserError(
            f"{where}: a conversation in which the assistant says nothing, and yet it has a score; score it again"
        )
    if emb_type == "response":
        text = "\n".join(exchange["output"] for exchange in found)
    else:
        text = (
            build_prompt(found[0], template)
            if emb_type == "instruction"
            else build_prompt(found[-1], template) + found[-1]["output"]
        )
    if not is_encodable(text):
        raise UserError(f"{where}: its text holds half of a surrogate pair, which is no character; mend or remove it")
    return text
