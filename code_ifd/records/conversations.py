"""What a record asks and answers, whatever its keys: exchanges, each one response and all that comes before it.

A plain record is one exchange. A conversation has one for each turn of the assistant; turns of functions and tools are
context. In an exchange, the response is `output`, and what comes before is `instruction` and `input`, or `messages`.
"""

import argparse
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from records.record import Record
from shared.cli import UserError
from shared.texts import describe, is_encodable, json_type, shorten

PLAIN = ("instruction", "input", "output")
# Where each kind of conversation has its turns, and under which keys a turn has who speaks and what is said.
CONVERSATIONS = {"conversations": ("from", "value"), "messages": ("role", "content")}
# What speakers are called in the data, and what chat templates call them.
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
    "function_call": "assistant",
    "tool_call": "assistant",
}
CALLS = ("function_call", "tool_call")
UNDERSTOOD = (
    "wanted instruction, (input,) output; or conversations, a list of {from, value}; or messages, a list of "
    "{role, content}; --fields names other keys"
)
Fields = dict[str, str]
Message = dict[str, str]  # role and content


class Text(NamedTuple):
    """A text of a record: the instruction, input or output, or a turn, which is named after its role."""

    name: str
    text: str
    is_response: bool  # whether it is scored


def parse_fields(text: str) -> Fields:
    """Parse `instruction=question,output=answer`: our names and the dataset's; argparse reports the rest."""
    fields: Fields = {}
    known = (*PLAIN, *CONVERSATIONS)
    for part in text.split(","):
        name, sign, key = (piece.strip() for piece in part.partition("="))
        if not sign or not key or name not in known or name in fields:
            raise argparse.ArgumentTypeError(f"{part!r} is not NAME=KEY with NAME one of {', '.join(known)}, each once")
        fields[name] = key
    return fields


def add_fields_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --fields to a parser, or to a group of its flags."""
    parser.add_argument(
        "--fields",
        type=parse_fields,
        default={},
        metavar="NAME=KEY,...",
        help="where the dataset uses other keys: instruction=question,output=answer (default: instruction, input, "
        "output; or conversations, or messages)",
    )


def needed_keys(fields: Fields) -> set[str]:
    """Return the keys of a record that `exchanges` may look at."""
    return {fields.get(name, name) for name in (*PLAIN, *CONVERSATIONS)} | {"system"}


def is_conversation(record: Record, fields: Fields) -> bool:
    """Return whether a record has turns."""
    return (
        any(fields.get(name, name) in record for name in CONVERSATIONS) and fields.get("output", "output") not in record
    )


def check_records(records: Iterable[Record], path: str, fields: Fields) -> tuple[int, bool]:
    """Return the number of records, and whether they are conversations.

    Raises UserError for the first record that cannot be scored, or that is of another shape than those before, naming
    file, record index, field and value.
    """
    num_records, shape = 0, None
    for index, record in enumerate(records):
        num_records += 1
        where = f"{path}: record {index}"
        if shape is None:
            shape = is_conversation(record, fields)
        elif shape != is_conversation(record, fields):
            one, other = (
                ("a conversation", "instruction and output") if shape else ("instruction and output", "a conversation")
            )
            raise UserError(f"{where}: has {other}, and record 0 has {one}; score them as two datasets")
        _check(exchanges(record, fields, where), where)
    return num_records, bool(shape)


def exchanges(record: Record, fields: Fields, where: str = "record") -> list[Record]:
    """Return the exchanges of a record.

    Raises UserError, beginning with `where`, for a record that is not understood.
    """
    if not is_conversation(record, fields):
        return [_plain(record, fields, where)]
    found: list[Record] = []
    messages: list[Message] = []
    for turn in _turns(record, fields, where):
        if turn.is_response:
            found.append({"messages": list(messages), "output": turn.text})
        messages.append({"role": turn.name, "content": turn.text})
    return found


def texts_of(record: Record, fields: Fields, where: str = "record") -> list[Text]:
    """Return all texts of a record in order; an empty input is none. Raises UserError as `exchanges` does."""
    if is_conversation(record, fields):
        return _turns(record, fields, where)
    plain = _plain(record, fields, where)
    return [Text(name, plain[name], name == "output") for name in PLAIN if name != "input" or plain[name]]


def first_prompt(record: Record, fields: Fields, where: str = "record") -> Any:
    """Return what names a record in a list: its instruction, or the first that the user says in a conversation.

    The instruction is returned whatever it is, a text or not. Raises UserError for a conversation that is not
    understood.
    """
    if not is_conversation(record, fields):
        return record.get(fields.get("instruction", "instruction"))
    turns = _turns(record, fields, where)
    return next((turn.text for turn in turns if turn.name == "user"), turns[0].text if turns else "")


def _turns(record: Record, fields: Fields, where: str) -> list[Text]:
    name = next(name for name in CONVERSATIONS if fields.get(name, name) in record)
    key = fields.get(name, name)
    turns = record[key]
    if not isinstance(turns, list):
        raise UserError(f"{where}: field {key!r} is {describe(turns)}; it must be a list of turns")
    has_system = isinstance(record.get("system"), str) and record["system"]
    found = [Text("system", record["system"], False)] if has_system else []
    return found + [
        _read_turn(turn, *CONVERSATIONS[name], f"{where}: {key}[{number}]") for number, turn in enumerate(turns)
    ]


def _plain(record: Record, fields: Fields, where: str) -> Record:
    found = {name: record.get(fields.get(name, name)) for name in PLAIN}
    for name in ("instruction", "output"):
        key = fields.get(name, name)
        if key not in record:
            keys = ", ".join(map(repr, list(record)[:8]))
            raise UserError(f"{where}: field {key!r} is missing (there are {keys or 'none'}); {UNDERSTOOD}")
    for name, value in found.items():
        if not isinstance(value, str) and not (name == "input" and value is None):
            raise UserError(f"{where}: field {fields.get(name, name)!r} is {describe(value)}; it must be a string")
    return found


def _read_turn(turn: Any, role_key: str, content_key: str, where: str) -> Text:
    """Return a turn."""
    if not isinstance(turn, dict):
        raise UserError(f"{where} is {json_type(turn)}, not an object with {role_key!r} and {content_key!r}")
    speaker, content = turn.get(role_key), turn.get(content_key)
    if not isinstance(speaker, str) or speaker not in ROLES:
        raise UserError(f"{where}: {role_key!r} is {describe(speaker)}; wanted one of {', '.join(ROLES)}")
    is_call = speaker in CALLS
    if not content and isinstance(turn.get("tool_calls"), list) and ROLES[speaker] == "assistant":
        content, is_call = json.dumps(turn["tool_calls"], ensure_ascii=False), True
    if not isinstance(content, str):
        raise UserError(f"{where}: {content_key!r} is {describe(content)}; it must be a string")
    return Text(ROLES[speaker], content, ROLES[speaker] == "assistant" and not is_call)


def _check(found: list[Record], where: str) -> None:
    for exchange in found:
        texts = [(f"field {name!r}", value) for name, value in exchange.items() if isinstance(value, str)]
        texts += [("a turn", message["content"]) for message in exchange.get("messages", ())]
        for name, text in texts:
            if not text.isascii() and not is_encodable(text):
                raise UserError(
                    f"{where}: {name} holds half of a surrogate pair, which is no character: {shorten(text)}; "
                    "mend or remove it"
                )
