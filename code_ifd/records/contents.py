"""What stands in the content of a turn: a text, or a list of parts, of which some are texts."""

import json
from dataclasses import dataclass
from typing import Any

from records.keys import NAMES, PART_NAMES, TURN_NAMES
from shared.cli import UserError
from shared.texts import describe

MEDIA = NAMES["media"]


@dataclass(frozen=True)
class Content:
    """What a turn says under `key`: its text, None where there is none; its reasoning, and its calls."""

    key: str
    text: str | None
    reasoning: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


def is_filled(value: Any) -> bool:
    """Tell whether a value says anything: null and what is empty do not."""
    return value is not None and value != "" and value != [] and value != {}


def read_content(
    turn: dict[str, Any], usual: str, takes_objects: bool, where: str, left_out: frozenset[str]
) -> Content:
    """Return the content of a turn, which is under the usual key or under one of its other names.

    With `takes_objects`, an object is a text too, as JSON: what a tool returns. Parts of the kinds of media in
    `left_out` are passed over. Raises UserError, beginning with `where`, for what is no text.
    """
    keys = [key for key in TURN_NAMES["said"] if is_filled(turn.get(key))]
    key = usual if usual in keys or not keys else keys[0]
    other = next((other for other in keys if turn[other] != turn[key]), None)
    if other:
        raise UserError(f"{where}: has both {key!r} and {other!r}, which differ; remove one of them")
    content = turn.get(key)
    if not is_filled(content):
        content = next((turn[name] for name in TURN_NAMES["said"] if turn.get(name) == ""), None)
    if isinstance(content, list):
        return _read_parts(key, content, f"{where}: {key}", left_out)
    if content is None or isinstance(content, str):
        return Content(key, content)
    if takes_objects:
        return Content(key, as_text(content))
    raise UserError(f"{where}: {key!r} is {describe(content)}; it must be a string")


def as_text(value: Any) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def parse_json(text: str) -> Any:
    """Return what a text holds as JSON where that is an array or an object, else the text."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def checked_text(value: Any, what: str) -> str:
    """Return a value that must be a text. Raises UserError, beginning with `what`, for another."""
    if not isinstance(value, str):
        raise UserError(f"{what} is {describe(value)}; it must be a string")
    return value


def check_media(entry: dict[str, Any], where: str, left_out: frozenset[str]) -> None:
    """Raise UserError when a record or turn has images or their like, unless they are in `left_out`."""
    for key in MEDIA:
        if entry.get(key) and key not in left_out:
            raise UserError(
                f"{where}: has {key!r}, and a language model is shown texts alone; --fields {key}= goes on without them"
            )


def _read_parts(key: str, parts: list[Any], where: str, left_out: frozenset[str]) -> Content:
    texts, reasoning, calls = [], [], []
    for number, part in enumerate(parts):
        here = f"{where}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            texts.append(part)
        elif not isinstance(part, dict):
            raise UserError(f"{here} is {describe(part)}; a part must be a text or an object with a type")
        elif kind is None or kind in PART_NAMES["text"]:
            texts.append(_text_of(part, ("text", "value", "content"), here))
        elif kind in PART_NAMES["reasoning"]:
            reasoning.append(_text_of(part, (kind, "text", "value", "content"), here))
        elif kind in PART_NAMES["call"]:
            said = next((part[name] for name in (kind, "value", "text") if is_filled(part.get(name))), None)
            calls.append(as_text({name: part[name] for name in part if name != "type"} if said is None else said))
        elif not any(name.rstrip("s") in str(kind) for name in left_out if name in MEDIA):
            raise UserError(
                f"{here} is a part of type {describe(kind)}, and a language model is shown texts alone; "
                "--fields images= (or videos=, audios=) goes on without such parts"
            )
    text = "".join(texts) if texts or not (reasoning or calls) else None
    return Content(key, text, tuple(reasoning), tuple(calls))


def _text_of(part: dict[str, Any], names: tuple[str, ...], where: str) -> str:
    value = next((part[name] for name in names if part.get(name) is not None), None)
    if isinstance(value, list) and all(isinstance(inner, dict) for inner in value):  # Mistral's thinking
        return "".join(_text_of(inner, ("text", "value"), where) for inner in value)
    return checked_text(value, f"{where}: its text")
