"""What a record asks and answers, whatever its keys: exchanges, each one response and all that comes before it.

A plain record is one exchange. A conversation has one for each turn of the assistant that is scored; turns of functions
and tools are context. In an exchange, the response is `output`, and what comes before is `instruction` and `input`, or
`messages` and maybe `tools`. `keys` has the table of all keys that are looked at.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from records.contents import as_text
from records.keys import FIELD_ROLES, LEAVABLE
from records.places import Fields, places_of
from records.reading import Reading, read_record
from records.record import Record
from records.unread import check_wanted
from shared.cli import UserError, tell
from shared.texts import is_encodable, shorten

__all__ = ["Fields"]

PLAIN = ("instruction", "input", "output")
# Raised when a record would be read otherwise than before: a begun score file must not mix two readings. The first has
# no number. Plain records of the usual keys have always been read alike.
READING = 2
IMAGE_MARK = "<image>"
Message = dict[str, str]  # role and content


class Text(NamedTuple):
    """A text of a record: the instruction, input or output, or a turn, which is named after its role."""

    name: str
    text: str
    is_response: bool  # whether it is scored


class Checked(NamedTuple):
    """What the check of a dataset has found."""

    num_records: int
    first_talk: int | None  # the number of the first conversation
    is_usual: bool  # whether each is an instruction, maybe an input, and an output, under their own or given names


def parse_fields(text: str) -> Fields:
    """Parse `instruction=question,images=`: our names and the dataset's keys; argparse reports the rest."""
    fields: Fields = {}
    for part in text.split(","):
        name, sign, key = (piece.strip() for piece in part.partition("="))
        if not sign or name in fields or (name not in FIELD_ROLES if key else name not in LEAVABLE):
            raise argparse.ArgumentTypeError(
                f"{part!r} is not NAME=KEY with NAME one of {', '.join(FIELD_ROLES)}, each once, nor KEY= with a key "
                "that can be left out, such as images"
            )
        if key and key in fields.values():
            raise argparse.ArgumentTypeError(f"{part!r}: {key!r} has another role already")
        fields[name] = key
    return fields


def add_fields_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --fields to a parser, or to a group of its flags."""
    parser.add_argument(
        "--fields",
        type=parse_fields,
        default={},
        metavar="NAME=KEY,...",
        help="where the dataset uses other keys: instruction=question,output=answer,system=task, and which keys to "
        "leave out: images= (default: instruction, input, output; or conversations, or messages; see docs/formats.md)",
    )


def needed_part(record: Record, fields: Fields) -> Record:
    """Return a record without what the reading of it never looks at."""
    places = places_of(record, fields, "record")
    wanted = {key for keys in places.plan.keys.values() for key in keys}
    return {key: value for key, value in record.items() if key in wanted or isinstance(value, list)}


def is_conversation(record: Record, fields: Fields, where: str = "record") -> bool:
    """Return whether a record is read as turns. Raises UserError as `exchanges` does."""
    return read_record(record, fields, where).plain is None


def check_records(records: Iterable[Record], path: str, fields: Fields) -> Checked:
    """Return the number of records, and which is the first conversation; say on stderr what is left out of how many.

    Raises UserError for the first record that cannot be scored, naming file, record index, field and value.
    """
    num_records, first_talk, is_usual = 0, None, True
    notes: Counter[str] = Counter()
    for index, record in enumerate(records):
        num_records += 1
        where = f"{path}: record {index}"
        more = check_wanted(record, fields, where)
        reading = read_record(record, fields, where)
        if reading.plain is None and first_talk is None:
            first_talk = index
        is_usual = is_usual and reading.plain == {name: record.get(fields.get(name, name)) for name in PLAIN}
        more += _check_texts(reading, where)
        if more or reading.notes:
            notes.update(more + reading.notes)
    for note, count in notes.items():
        tell(f"note: {path}: {note}, in {count} of {num_records} records")
    return Checked(num_records, first_talk, is_usual)


def exchanges(record: Record, fields: Fields, where: str = "record") -> list[Record]:
    """Return the exchanges of a record.

    Raises UserError, beginning with `where`, for a record that is not understood.
    """
    reading = read_record(record, fields, where)
    if reading.plain is not None:
        return [reading.plain]
    found: list[Record] = []
    messages: list[Message] = []
    with_tools = {"tools": reading.tools} if reading.tools else {}
    for name, text, is_response, continues in reading.turns:
        if is_response:
            found.append({"messages": list(messages), "output": text} | with_tools)
        if continues and messages:
            text = messages.pop()["content"] + "\n" + text
        messages.append({"role": name, "content": text})
    return found


def has_prompt(exchange: Record) -> bool:
    """Tell whether anything stands before the response of an exchange."""
    if "messages" in exchange:
        return any(message["content"].strip() for message in exchange["messages"])
    return bool(exchange["instruction"].strip() or (exchange.get("input") or "").strip())


def texts_of(record: Record, fields: Fields, where: str = "record") -> list[Text]:
    """Return all texts of a record in order; an empty input is none. Raises UserError as `exchanges` does."""
    reading = read_record(record, fields, where)
    if reading.plain is None:
        return [Text(turn.name, turn.text, turn.is_response) for turn in reading.turns]
    plain = reading.plain
    return [Text(name, plain[name], name == "output") for name in PLAIN if name != "input" or plain[name]]


def first_texts(record: Record, fields: Fields, where: str = "record") -> tuple[Any, Any]:
    """Return what shows a record in two lines: `first_prompt`, and the first response; of a record with none, None.

    Raises UserError as `first_prompt` does.
    """
    asked = first_prompt(record, fields, where)
    try:
        texts = texts_of(record, fields, where)
    except UserError:
        return asked, None
    return asked, next((text.text for text in texts if text.is_response), None)


def first_prompt(record: Record, fields: Fields, where: str = "record") -> Any:
    """Return what names a record in a list: its instruction, or the first that the user says in a conversation.

    The instruction is returned whatever it is, a text or not. Raises UserError for a conversation that is not
    understood.
    """
    places = places_of(record, fields, where)
    try:
        plain, turns, _, _ = read_record(record, fields, where)
    except UserError:
        if places.filled("conversations"):
            raise
        return next((record[key] for key in places.plan.keys["instruction"] if key in record), None)
    if plain is not None:
        return plain["instruction"]
    return next((turn.text for turn in turns if turn.name == "user"), turns[0].text if turns else "")


def _check_texts(reading: Reading, where: str) -> list[str]:
    """Return a note where a text has the mark of an image in it. Raises UserError for one that has no UTF-8 form."""
    if reading.plain is not None:
        texts = [(f"field {name!r}", text) for name, text in reading.plain.items() if text is not None]
    else:
        texts = [(f"a turn of {turn.name}", turn.text) for turn in reading.turns]
        texts += [("a tool", as_text(tool)) for tool in reading.tools]
    for name, text in texts:
        if not text.isascii() and not is_encodable(text):
            raise UserError(
                f"{where}: {name} holds half of a surrogate pair, which is no character: {shorten(text)}; "
                "mend or remove it"
            )
    marked = any(IMAGE_MARK in text for _, text in texts)
    return [f"{IMAGE_MARK} in a text is scored as the text that it is"] if marked else []
