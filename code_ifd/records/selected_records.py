"""Which records of a dataset a file of selected records holds.

They are found by their texts, wherever they stand in either file.
"""

import hashlib
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from records.conversations import Fields, texts_of
from records.dataset import Dataset
from records.record import Record
from shared.cli import UserError
from shared.files import encode_json

if TYPE_CHECKING:
    import numpy as np

REMEDY = "give the file that was selected from this dataset"


class SelectedRecords:
    """The records of a file of selected records, to be found in the dataset that they come from.

    Records with the same texts are as many as the file has of them. Raises UserError for a record that is not
    understood.
    """

    def __init__(self, path: str, fields: Fields) -> None:
        self.path = path
        self._fields = fields
        self._wanted: Counter[bytes] = Counter()
        self._first: dict[bytes, int] = {}
        for index, record in enumerate(Dataset(path).records()):
            key = self._key(record, f"{path}: record {index}")
            self._wanted[key] += 1
            self._first.setdefault(key, index)
        self._places: defaultdict[bytes, list[int]] = defaultdict(list)

    def look_at(self, record: Record, index: int, where: str) -> None:
        """Note a record of the dataset, and its number there."""
        key = self._key(record, where)
        if key in self._wanted:
            self._places[key].append(index)

    def numbers(self, scores: "np.ndarray", data_path: str) -> list[int]:
        """Return the numbers of the selected records in the dataset, rising, after all of it was looked at.

        Of records with the same texts the file may hold some only: they are those of the highest score, then the
        earliest. Raises UserError when the file holds what the dataset does not.
        """
        found: list[int] = []
        for key, num_wanted in self._wanted.items():
            places = self._places[key]
            if len(places) < num_wanted:
                where = f"{self.path}: record {self._first[key]}"
                if not places:
                    raise UserError(f"{where} is not in {data_path}; {REMEDY}")
                raise UserError(
                    f"{where} is {num_wanted} times in this file, and only {len(places)} times in {data_path}; {REMEDY}"
                )
            # NaN, no score, is last.
            places = sorted(places, key=lambda place: (math.isnan(scores[place]), -scores[place], place))
            found += places[:num_wanted]
        return sorted(found)

    def _key(self, record: Record, where: str) -> bytes:
        return hashlib.blake2b(encode_json(texts_of(record, self._fields, where)), digest_size=16).digest()
