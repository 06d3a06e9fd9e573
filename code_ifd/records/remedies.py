"""How to make a dataset of a file that is none: what its error says."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

from records.contents import is_filled
from records.keys import NAMES
from records.turns import is_turn_list
from shared.texts import json_type

# Programs in one line, which need Python alone. Each reads the file that is named first, and prints lines of JSON.
FROM_TABLE = (
    "import csv, json, sys; csv.field_size_limit(2**31 - 1); [print(json.dumps(row)) for row in "
    "csv.DictReader(open(sys.argv[1], encoding='utf-8-sig', newline=''){options})]"
)
FROM_FIELD = (
    "import json, sys; [print(json.dumps(row)) for row in "
    "json.load(open(sys.argv[1], encoding='utf-8-sig'))[{field!r}]]"
)
FROM_VALUES = (
    "import json, sys; [print(json.dumps(row)) for row in json.load(open(sys.argv[1], encoding='utf-8-sig')).values()]"
)
FROM_COLUMNS = (
    "import json, sys; d = json.load(open(sys.argv[1], encoding='utf-8-sig')); "
    "c = [list(v.values()) if isinstance(v, dict) else v for v in d.values()]; "
    "[print(json.dumps(dict(zip(d, row)))) for row in zip(*c)]"
)


def wrong_ending(path: str, wanted: str) -> str:
    """Return the error for a file whose name says that it is no dataset, with the remedy where there is one."""
    ending = Path(path).suffix.lower()
    said = f"{path}: the file name must end in {wanted}"
    if ending in (".csv", ".tsv"):
        options = ", delimiter='\\t'" if ending == ".tsv" else ""
        return f"{said}; a table of texts becomes one by: {_command(FROM_TABLE.format(options=options), path)}"
    if ending in (".xls", ".xlsx", ".ods"):
        return f"{said}; save the sheet as CSV, and give that"
    if ending in (".gz", ".zst") and path.lower().endswith((".json.gz", ".json.zst")):
        return f"{said}; unpack it first"
    if ending == ".zip":
        return f"{said}; unpack it, and give a file or the folder"
    return said


def not_an_array(path: str, value: Any) -> str:
    """Return the error for a .json file that holds something else than an array of records."""
    said = f"{path}: this is {json_type(value)}, not an array of records"
    if not isinstance(value, dict):
        return f"{said}; a .json dataset is [{{...}}, {{...}}]"
    texts = [key for role in ("instruction", "output") for key in NAMES[role] if isinstance(value.get(key), str)]
    if texts or any(is_turn_list(value.get(key)) for key in NAMES["conversations"]):
        return f"{said}, but one record; put it in brackets: [{{...}}]"
    lists = [
        key
        for key, inner in value.items()
        if key.isidentifier() and isinstance(inner, list) and inner and isinstance(inner[0], dict)
    ]
    if lists:
        return f"{said}; its field {lists[0]!r} holds one: {_command(FROM_FIELD.format(field=lists[0]), path)}"
    inner = [column for column in value.values() if isinstance(column, dict | list) and is_filled(column)]
    if inner and len(inner) == len(value):
        if all(re.fullmatch(r"\d+", key) for key in value) and all(isinstance(record, dict) for record in inner):
            return f"{said}, but records under their numbers: {_command(FROM_VALUES, path)}"
        if len({len(column) for column in inner}) == 1:
            return (
                f"{said}, but a table by columns (pandas writes records with to_json(..., orient='records')): "
                f"{_command(FROM_COLUMNS, path)}"
            )
    return f"{said}; a .json dataset is [{{...}}, {{...}}]"


def _command(program: str, path: str) -> str:
    return f'python3 -c "{program}" {shlex.quote(path)} > {shlex.quote(os.path.splitext(path)[0] + ".jsonl")}'
