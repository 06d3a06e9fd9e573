"""Write chosen records of a dataset in another order than the dataset's, without holding them all in memory.

Records are dealt into buckets of neighbouring ranks, each a temporary file beside the target, while the dataset is read
once. Then one bucket after the other is read, sorted and written.
"""

import os
import tempfile
from array import array
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from records.dataset import Dataset, Writer, dataset_writer, new_writer
from records.record import Block

if TYPE_CHECKING:
    import numpy as np

RANKS_PER_BUCKET = 4096
# Files that are open at once; more records make larger buckets.
MAX_BUCKETS = 256


def write_selected(dataset: Dataset, path: str, indices: "np.ndarray", keep_order: bool) -> None:
    """Write the records at `indices` in that order, or in the dataset's.

    Raises UserError when they cannot be written.
    """
    import numpy as np

    ranks = np.full(int(indices.max()) + 1, -1, dtype=np.int64)
    ranks[indices] = np.arange(len(indices))
    with dataset_writer(path, dataset) as writer, ExitStack() as stack:
        buckets = None if keep_order else stack.enter_context(Buckets(dataset.is_table, path, len(indices)))
        position = 0
        for block in dataset.blocks():
            of_block = ranks[position : position + len(block)]
            places = np.flatnonzero(of_block >= 0)
            position += len(block)
            if buckets:
                buckets.deal(block, places, of_block[places])
            elif len(places):
                writer.write(block.take(places.tolist()))
        if buckets:
            buckets.write_to(writer)


class Buckets:
    """Temporary files of records, each with a range of ranks. Use it in a `with` statement: the files go with it."""

    def __init__(self, is_table: bool, path: str, num_ranked: int) -> None:
        self._is_table, self._path = is_table, path
        self._size = max(RANKS_PER_BUCKET, -(-num_ranked // MAX_BUCKETS))
        self._ranks = [array("q") for _ in range(-(-num_ranked // self._size))]

    def __enter__(self) -> "Buckets":
        target = Path(self._path)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{target.name[:20]}.", dir=target.parent))
            names = [
                os.path.join(folder, f"{number}{'.parquet' if self._is_table else '.jsonl'}")
                for number in range(len(self._ranks))
            ]
            self._files = [stack.enter_context(open(name, "wb")) for name in names]
            self._stack = stack.pop_all()
        self._writers = [new_writer(file, self._path, self._is_table) for file in self._files]
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def deal(self, block: Block, places: "np.ndarray", ranks: "np.ndarray") -> None:
        """Put the records at these places of a block into the buckets of their ranks."""
        numbers = ranks // self._size
        for number in set(numbers.tolist()):
            chosen = numbers == number
            self._writers[number].write(block.take(places[chosen].tolist()))
            self._ranks[number].extend(ranks[chosen].tolist())

    def write_to(self, writer: Writer) -> None:
        """Write all records in the order of their ranks."""
        for file, own_writer, ranks in zip(self._files, self._writers, self._ranks, strict=True):
            own_writer.close()
            file.close()
            whole = Dataset(file.name).whole()
            writer.write(whole.take(sorted(range(len(ranks)), key=ranks.__getitem__)))
