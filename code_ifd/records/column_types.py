"""Column types of Arrow: which a table keeps through all steps, and what Python and JSON get for their values.

A column that a later step could not write or read is refused when its file is opened, before anything is scored.
"""

import io
import math
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.cli import UserError

# A view is not turned into a list: pyarrow 26 forgets the end of the last one.
LISTS = {
    pa.lib.Type_LIST: pa.list_,
    pa.lib.Type_LARGE_LIST: pa.large_list,
    pa.lib.Type_LIST_VIEW: pa.list_view,
    pa.lib.Type_LARGE_LIST_VIEW: pa.large_list_view,
}
REMEDY = "leave the column out, or give it another type"


def common_schema(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the columns of a dataset from those of its files, by path: the wider type where two files differ.

    A column that a file lacks is null there. Raises UserError for a column that the steps cannot keep, and for types
    that have no wider one, naming file and column.
    """
    found: pa.Schema | None = None
    first = ""
    for path, schema in schemas:
        checked = kept_schema(schema, path)
        if found is None:
            found, first = checked, path
        elif checked != found:
            found = kept_schema(_wider(found, checked, first, path), path)
    assert found is not None, "a dataset has a file"
    return found


def kept_schema(schema: pa.Schema, path: str) -> pa.Schema:
    """Return a file's columns in the types that are kept. Raises UserError for one that cannot be, naming it."""
    return _kept_schema(schema.remove_metadata(), path).with_metadata(schema.metadata)


@lru_cache(maxsize=4)  # most files of a dataset have the same columns
def _kept_schema(schema: pa.Schema, path: str) -> pa.Schema:
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: has two columns of the name {twice[0]!r}; rename one")
    fields = [field.with_type(kept_type(field.type)) for field in schema]
    for field in fields:
        fault = _fault_of(field)
        if fault:
            raise UserError(f"{path}: column {field.name!r} is of the type {field.type}: {fault}; {REMEDY}")
    return pa.schema(fields)


def fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows with the columns of a dataset: in its order and types, null where they have none.

    Raises pyarrow.ArrowException for values that do not fit.
    """
    if batch.schema == schema:
        return batch
    columns = [
        _cast(batch.column(field.name), field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def kept_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a table keeps a column: the same, but for those that cannot be taken from or written."""
    if pa.types.is_run_end_encoded(kind):
        return kept_type(kind.value_type)
    if kind in (pa.string_view(), pa.binary_view()):
        return pa.string() if kind == pa.string_view() else pa.binary()
    return _with_members(kind, kept_type)


def readable_type(kind: pa.DataType, texts: bool) -> pa.DataType:
    """Return the type whose values are those of JSON; with `texts`, bytes are taken for text.

    Dates and times become text, of those with a time zone in UTC: Python has neither all years nor all zones. Decimal
    numbers become text, which keeps their digits; durations the number of their units.
    """
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return readable_type(kind.storage_type, texts)
    if pa.types.is_dictionary(kind):
        return readable_type(kind.value_type, texts)
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_float16(kind):
        return pa.float32()
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    if texts and is_bytes:
        return pa.large_string() if pa.types.is_large_binary(kind) else pa.string()
    return _with_members(kind, lambda member: readable_type(member, texts))


def values_of(column: pa.Array) -> list[Any]:
    """Return a column's values as JSON has them; bytes stay bytes where one of them is no UTF-8.

    NaN and infinite numbers are null. Raises pyarrow.ArrowException, or UnicodeDecodeError for a damaged text.
    """
    column = _cast(column, _in_utc(column.type))
    try:
        column = _cast(column, readable_type(column.type, texts=True))
    except pa.ArrowInvalid:
        column = _cast(column, readable_type(column.type, texts=False))
    values = column.to_pylist()
    return [_plain(value) for value in values] if _may_be_odd(column.type) else values


def _wider(one: pa.Schema, other: pa.Schema, path: str, other_path: str) -> pa.Schema:
    one, other = _without_dictionaries(one, other), _without_dictionaries(other, one)
    try:
        return pa.unify_schemas([one, other], promote_options="permissive")
    except pa.ArrowException:
        types = {field.name: field.type for field in other}
        differ = [field for field in one if field.name in types and field.type != types[field.name]]
        seen = ", ".join(f"{field.name} ({field.type} and {types[field.name]})" for field in differ[:5])
        raise UserError(
            f"{other_path}: its columns have other types than those of {path}: {seen}; give them one type"
        ) from None


def _without_dictionaries(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Return a schema in which dictionaries are their values where another schema has another type."""
    types = {field.name: field.type for field in other}
    fields = [
        field.with_type(field.type.value_type)
        if pa.types.is_dictionary(field.type) and types.get(field.name, field.type) != field.type
        else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def _fault_of(field: pa.Field) -> str | None:
    """Return why a column of this type would not come through all steps; None where it does, as a trial shows."""
    if _any_part(field.type, _has_equal_names):
        return "two of its fields have one name"
    if _any_part(field.type, lambda kind: pa.types.is_fixed_size_list(kind) and not kind.list_size):
        return "Parquet cannot hold lists of no value"
    if _any_part(field.type, pa.types.is_union):
        return "Parquet cannot hold a union"
    table = pa.schema([field.with_nullable(True)]).empty_table()
    try:
        pq.write_table(table, io.BytesIO())
        empty = table.column(0).combine_chunks()
        empty.take(pa.array([], pa.int64()))
        values_of(empty)
    except (pa.ArrowException, TypeError, ValueError) as error:
        return str(error).split("\n")[0]
    return None


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_run_end_encoded(column.type):
        return _cast(pc.run_end_decode(column), kind)
    return column.cast(kind)


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """Return a type without time zones that a machine may not know; the values are those of UTC in any case."""
    if pa.types.is_dictionary(kind):
        return _in_utc(kind.value_type)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    return _with_members(kind, _in_utc)


def _with_members(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a nested type with other types of its members; any other type as it is."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(change(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(
            kind.key_field.with_type(change(kind.key_type)), kind.item_field.with_type(change(kind.item_type))
        )
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(change(kind.value_type)), kind.list_size)
    make = LISTS.get(kind.id)
    return make(kind.value_field.with_type(change(kind.value_type))) if make else kind


def _any_part(kind: pa.DataType, has: Callable[[pa.DataType], bool]) -> bool:
    members = [kind.field(index).type for index in range(kind.num_fields)] if pa.types.is_nested(kind) else []
    if pa.types.is_dictionary(kind):
        members = [kind.value_type]
    return has(kind) or any(_any_part(member, has) for member in members)


def _has_equal_names(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and len({field.name for field in kind}) < kind.num_fields


def _may_be_odd(kind: pa.DataType) -> bool:
    """Tell whether values may be numbers that JSON does not have, or ids."""
    return _any_part(kind, lambda part: pa.types.is_floating(part) or isinstance(part, pa.BaseExtensionType))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return {key: _plain(member) for key, member in value.items()} if isinstance(value, dict) else value
