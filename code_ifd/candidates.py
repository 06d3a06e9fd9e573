"""The records among which a selection for diversity chooses, and their texts."""

import argparse
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from cli import UserError
from dataset import Dataset
from diversity_flags import is_range
from embedded_text import embedded_text
from ifd import Selection, select
from selection_flags import number_of

if TYPE_CHECKING:
    from array import array

    import numpy as np


def candidates_of(scores: "array[float]", args: argparse.Namespace) -> Selection:
    """Return the candidates, highest score first. Raises UserError when there is none."""
    if is_range(args):
        found = select(scores, float(args.ifd_upper), len(scores))
        within = [index for index in found.indices.tolist() if scores[index] >= float(args.ifd_lower)]
        found = Selection(found.indices[: len(within)], found.num_skipped, found.num_at_or_over, len(found.indices) - len(within))
        wanted = f"from {args.ifd_lower} to below {args.ifd_upper}"
    else:
        threshold = Decimal(1) if args.filter_threash is None else args.filter_threash
        num_wanted = number_of(args.ifd_num, args.ifd_rate or Decimal("0.2"), len(scores), "ifd")
        found = select(scores, float(threshold), num_wanted)
        wanted = f"below {threshold}"
        if 0 < len(found.indices) < num_wanted:
            print(f"note: {num_wanted} candidates were asked for, but only {len(found.indices)} have a score below {threshold}", file=sys.stderr)
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
