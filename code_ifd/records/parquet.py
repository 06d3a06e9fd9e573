"""Records in Arrow's formats: Parquet files, and the .arrow files of a Hugging Face dataset.

Tables are read batch by batch and written with the column types that they came with. Needs pyarrow.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from records.column_types import common_schema, fit, values_of
from records.record import COUNTS, NUMBERS, Column, Record
from shared.cli import UserError

PARQUET = (".parquet",)
ARROW = (".arrow",)
TYPES = {
    "number": pa.float64(),
    "count": pa.int64(),
    "text": pa.string(),
}
TYPES["turns"] = pa.list_(
    pa.struct(
        [(name, TYPES["count" if name in COUNTS else "number"]) for name in NUMBERS] + [("ifd_skipped", pa.string())]
    )
)
ROWS_PER_BATCH = 1024
# Rows that are written as one group: readers take a group into memory at once.
ROWS_PER_GROUP = 16 * ROWS_PER_BATCH


@dataclass(frozen=True)
class TableBlock:
    """Some rows of a table. What JsonBlock is to JSON. `path` is the file's, for messages."""

    batch: pa.RecordBatch
    path: str

    def __len__(self) -> int:
        return self.batch.num_rows

    def records(self) -> list[Record]:
        """Return the rows as dicts of values that JSON has. Raises UserError for a damaged column, naming it."""
        names = self.batch.schema.names
        return [dict(zip(names, row, strict=True)) for row in zip(*map(self._values, names), strict=True)]

    def values(self, key: str) -> list[Any] | None:
        """Return a column's values as `records` does, None where there is no such column."""
        return self._values(key) if key in self.batch.schema.names else None

    def _values(self, key: str) -> list[Any]:
        try:
            return values_of(self.batch.column(key))
        except (pa.ArrowException, ValueError, OverflowError) as error:
            raise UserError(
                f"{self.path}: column {key!r} has a damaged value: {_first_line(error)}; mend it or leave it out"
            ) from None

    def with_columns(self, columns: list[Column]) -> "TableBlock":
        """Return the rows with columns added; one that they have already is replaced where it stands."""
        batch = self.batch
        for column in columns:
            place = batch.schema.get_field_index(column.name)
            array = pa.array(column.values, TYPES[column.kind])
            batch = (
                batch.append_column(column.name, array) if place < 0 else batch.set_column(place, column.name, array)
            )
        return TableBlock(batch, self.path)

    def take(self, indices: list[int]) -> "TableBlock":
        """Return the rows at these places, in this order."""
        return TableBlock(self.batch.take(pa.array(indices, pa.int64())), self.path)


def schema_of_files(paths: Sequence[str]) -> pa.Schema:
    """Return the columns of a dataset's files together. Raises UserError as `common_schema` does."""
    return common_schema((path, _schema_of(path)) for path in paths)


def read_table(path: str, schema: pa.Schema) -> Iterator[TableBlock]:
    """Yield the rows of a file in order, at most ROWS_PER_BATCH at once, with the columns of `schema`.

    Raises UserError if they cannot be read.
    """
    with _readable(path):
        if _is_parquet(path):
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(ROWS_PER_BATCH):
                    yield TableBlock(fit(batch, schema), path)
            return
        with pa.memory_map(path) as source:
            for batch in _batches(source):
                for start in range(0, batch.num_rows, ROWS_PER_BATCH):
                    yield TableBlock(fit(batch.slice(start, ROWS_PER_BATCH), schema), path)


def _schema_of(path: str) -> pa.Schema:
    with _readable(path):
        if _is_parquet(path):
            return pq.read_schema(path)
        with pa.memory_map(path) as source:
            return _open_arrow(source).schema


def _is_parquet(path: str) -> bool:
    return path.lower().endswith(PARQUET)


def _open_arrow(source: pa.MemoryMappedFile) -> Any:
    # Hugging Face writes streams; pyarrow's own files have an index at their end.
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        return pa.ipc.open_file(source)


def _batches(source: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    opened = _open_arrow(source)
    if isinstance(opened, pa.ipc.RecordBatchFileReader):
        return (opened.get_batch(index) for index in range(opened.num_record_batches))
    return iter(opened)


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {_first_line(error)}") from None


def join(blocks: list[TableBlock]) -> TableBlock:
    """Return the rows of all blocks as one."""
    table = pa.Table.from_batches([block.batch for block in blocks])
    return TableBlock(table.combine_chunks().to_batches()[0], blocks[0].path)


class TableWriter:
    """Writes batches of one schema into an open binary file, as Parquet."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file, self._path = file, path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []

    def write(self, block: TableBlock) -> None:
        """Add rows. Raises UserError when their columns differ from those before."""
        batch = block.batch
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, batch.schema, compression="zstd")
        if batch.schema != self._writer.schema:
            raise UserError(
                f"{self._path}: the files of the dataset have different columns: "
                f"{_difference(self._writer.schema, batch.schema)}"
            )
        self._waiting.append(batch)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and the end; the underlying file stays open."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """Write nothing more: the file will be thrown away."""
        if self._writer is not None:
            self._writer.is_open = False  # or pyarrow would close it, into a closed file

    def _flush(self) -> None:
        if self._waiting and self._writer is not None:
            self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=ROWS_PER_GROUP)
            self._waiting = []


def _difference(one: pa.Schema, other: pa.Schema) -> str:
    left, right = ({field.name: str(field.type) for field in schema} for schema in (one, other))
    names = [name for name in left | right if left.get(name) != right.get(name)]
    return (
        ", ".join(f"{name} ({left.get(name, 'none')} and {right.get(name, 'none')})" for name in names[:5])
        or "their order"
    )


def _first_line(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).split("\n")[0]
