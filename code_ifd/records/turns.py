"""Turns of a conversation in whatever spelling: {from, value}, {role, content}, questions with answers, texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from records.contents import as_text, check_media, checked_text, is_filled, parse_json, read_content
from records.keys import CALL_NAMES, NAMES, ROLES, TURN_NAMES
from shared.cli import UserError
from shared.texts import describe, json_type

# In a pair without roles: what is asked, and what is answered.
ASKED, ANSWERED = (*NAMES["instruction"], "input"), NAMES["output"]
# In a pair with roles as its keys. Not all of ROLES: `model` beside a pair is a name.
SPOKEN = {
    "system": "system",
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot"), "assistant"),
}


class Turn(NamedTuple):
    """What one speaker says; `name` is the role as chat templates call it."""

    name: str
    text: str
    is_response: bool  # whether it is scored
    continues: bool = False  # whether it goes on with the message before it: a call after words


@dataclass(frozen=True)
class TurnOptions:
    """How turns are read."""

    is_scored: bool = True  # or all of them are context
    alternates: bool = False  # whether a list of texts is user and assistant in alternation
    left_out: frozenset[str] = frozenset()  # keys that --fields says to leave out


AS_USUAL = TurnOptions()


def holds_turns(value: Any) -> bool:
    """Tell whether the value of a prompt or an answer is turns and no text: an object, or a list of them."""
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(turn, dict) for turn in value))


def names_speakers(value: Any) -> bool:
    """Tell whether a value is a list that begins with a turn that says who speaks."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    first = value[0]
    speaker = next((first[key] for key in TURN_NAMES["speaker"] if first.get(key) is not None), None)
    return isinstance(speaker, str) and any(key in first for key in (*TURN_NAMES["said"], *TURN_NAMES["calls"]))


def is_turn_list(value: Any) -> bool:
    """Tell whether a value is a list that begins with a turn, or with a pair of a question and an answer."""
    if names_speakers(value):
        return True
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    first = value[0]
    is_pair = all(any(isinstance(first.get(key), str) for key in keys) for keys in (ASKED, ANSWERED))
    return is_pair or {"user", "assistant"} <= {SPOKEN.get(key.casefold()) for key in first}


def read_turns(value: Any, key: str, where: str, options: TurnOptions = AS_USUAL) -> list[Turn]:
    """Return the turns of a list, of one turn alone, or of either as JSON in a text, which a record has under `key`.

    Raises UserError, beginning with `where`, for anything else.
    """
    if isinstance(value, str):
        value = parse_json(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise UserError(f"{where}: field {key!r} is {describe(value)}; it must be a list of turns")
    turns: list[Turn] = []
    for number, entry in enumerate(value):
        # The common spellings, at once.
        if isinstance(entry, dict) and len(entry) == 2:
            speaker, text = (
                (entry.get("from"), entry["value"]) if "value" in entry else (entry.get("role"), entry.get("content"))
            )
            role = ROLES.get(speaker) if type(speaker) is str else None
            if role and type(text) is str:
                is_response = role == "assistant" and options.is_scored and speaker not in CALL_NAMES
                turns.append(Turn(role, text, is_response))
                continue
        turns.extend(_read_entry(entry, number, f"{where}: {key}[{number}]", options))
    return turns


def with_reasoning(text: str, reasoning: str) -> str:
    """Return an answer after its reasoning, as models that think write both, unless it is in the answer already."""
    is_there = not reasoning.strip() or ("</think>" in text and reasoning.strip() in text)
    return text if is_there else f"<think>\n{reasoning}\n</think>\n\n{text}"


def _read_entry(entry: Any, number: int, where: str, options: TurnOptions) -> Iterator[Turn]:
    if isinstance(entry, str) and options.alternates:
        is_answer = number % 2 == 1
        yield Turn("assistant" if is_answer else "user", entry, is_answer and options.is_scored)
    elif isinstance(entry, list | tuple) and len(entry) == 2:
        yield from _pair(entry[0], entry[1], where, options.is_scored)
    elif not isinstance(entry, dict):
        hint = "; if the texts are of user and assistant in turn, --fields conversations=KEY reads them so"
        raise UserError(
            f"{where} is {json_type(entry)}, not an object with 'role' and 'content', or 'from' and 'value'"
            f"{hint if isinstance(entry, str) else ''}"
        )
    else:
        yield from _read_object(entry, where, options)


def _read_object(entry: dict[str, Any], where: str, options: TurnOptions) -> Iterator[Turn]:
    speaker_key = next((key for key in TURN_NAMES["speaker"] if entry.get(key) is not None), None)
    if speaker_key is None:
        found = list(_pair_of_object(entry, where, options.is_scored and _is_weighted(entry, where)))
        if found:
            yield from found
            return
        speaker_key = next(
            (key for key in TURN_NAMES["speaker"] if key in entry), "from" if "value" in entry else "role"
        )
    role = _role_of(entry.get(speaker_key))
    if role is None:
        raise UserError(
            f"{where}: {speaker_key!r} is {describe(entry.get(speaker_key))}; wanted one of {', '.join(ROLES)}"
        )
    check_media(entry, where, options.left_out)
    masked = next((key for key in TURN_NAMES["mask"] if entry.get(key) and key not in options.left_out), None)
    if masked:
        raise UserError(
            f"{where}: has {masked!r}, and the response is scored whole; --fields {masked}= says that this is meant"
        )
    if is_filled(entry.get("tools")) and "tools" not in options.left_out:
        raise UserError(f"{where}: has 'tools', which belong beside the turns; --fields tools= goes on without them")
    yield from _said(entry, role, speaker_key, where, options)


def _said(entry: dict[str, Any], role: str, speaker_key: str, where: str, options: TurnOptions) -> Iterator[Turn]:
    """Yield a turn of the assistant as its words, then its calls; any other as it is."""
    is_call = _spelled(entry[speaker_key]) in CALL_NAMES
    usual = "value" if speaker_key == "from" else "content"
    parts = read_content(entry, usual, is_call or role == "tool", where, options.left_out)
    is_scored = options.is_scored and role == "assistant" and _is_weighted(entry, where)
    calls, reasoning = [*parts.calls], [*parts.reasoning]
    if role == "assistant":
        calls += [as_text(entry[key]) for key in TURN_NAMES["calls"] if is_filled(entry.get(key))]
        reasoning += [
            checked_text(entry[key], f"{where}: {key!r}")
            for key in TURN_NAMES["reasoning"]
            if is_filled(entry.get(key))
        ]
    text = parts.text
    if text is None and not calls and not reasoning:
        raise UserError(f"{where}: {parts.key!r} is {describe(entry.get(parts.key))}; it must be a string")
    words = with_reasoning(text or "", "\n\n".join(dict.fromkeys(reasoning)))
    if is_call or not calls:
        yield Turn(role, words, is_scored and not is_call)
    elif text:
        yield Turn(role, words, is_scored)
        yield Turn(role, "\n".join(calls), False, continues=True)
    else:
        yield Turn(role, words + "\n".join(calls), False)


def _pair_of_object(entry: dict[str, Any], where: str, is_scored: bool) -> Iterator[Turn]:
    """Yield the turns of an object whose keys are roles, or what is asked and what is answered; none of others."""
    by_role = {
        role: value for key, value in entry.items() if (role := SPOKEN.get(key.casefold())) and value is not None
    }
    system = by_role.get("system")
    if is_filled(system):
        yield Turn("system", checked_text(system, f"{where}: 'system'"), False)
    if "user" in by_role or "assistant" in by_role:
        yield from _pair(by_role.get("user"), by_role.get("assistant"), where, is_scored)
        return
    asked = [checked_text(entry[key], f"{where}: {key!r}") for key in ASKED if is_filled(entry.get(key))]
    answers = [entry[key] for key in ANSWERED if entry.get(key) is not None]
    if asked or answers:
        yield from _pair("\n".join(asked), answers[0] if answers else None, where, is_scored)


def _pair(asked: Any, answer: Any, where: str, is_scored: bool) -> Iterator[Turn]:
    if is_filled(asked):
        yield Turn("user", checked_text(asked, f"{where}: the question"), False)
    if answer is not None:
        yield Turn("assistant", checked_text(answer, f"{where}: the answer"), is_scored)


def _is_weighted(entry: dict[str, Any], where: str) -> bool:
    for key in TURN_NAMES["weight"]:
        value = entry.get(key)
        if value is None:
            continue
        if not isinstance(value, bool | int | float):
            raise UserError(f"{where}: {key!r} is {describe(value)}; it must be a number, true or false")
        if not value:
            return False
    return True


def _spelled(speaker: Any) -> str:
    return re.sub(r"[\s-]", "_", speaker.strip().rstrip(":").casefold()) if isinstance(speaker, str) else ""


def _role_of(speaker: Any) -> str | None:
    return ROLES.get(_spelled(speaker))
