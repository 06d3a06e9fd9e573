"""Where a record has what it says: which of its keys is the instruction, which the response, which a list of turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from records.contents import is_filled
from records.keys import FIELD_ROLES, NAMES
from records.record import Record
from records.turns import is_turn_list, names_speakers
from shared.cli import UserError

Fields = dict[str, str]  # our names and the dataset's; "" leaves a key out
# Lists under these keys are turns, whatever they hold; under the others only where they look so.
SURE = ("conversations", "messages")
# Keys that tell what is asked and what is answered in some datasets, and something else in others: only hinted at.
ASKED_ELSEWHERE = ("input", "inputs", "problem", "task", "source", "document", "article", "text")
ANSWERED_ELSEWHERE = ("solution", "target", "targets", "summary", "reply")
UNDERSTOOD = (
    "wanted instruction, (input,) output; or conversations, a list of {from, value}; or messages, a list of "
    "{role, content}; --fields names other keys"
)


@dataclass(frozen=True)
class Plan:
    """Where records with certain keys may have what they say."""

    keys: dict[str, tuple[str, ...]]  # of each role: the keys to look under, the usual one first
    named: frozenset[str]  # roles whose key --fields has given
    left_out: frozenset[str]  # keys that --fields leaves out
    spelled_otherwise: dict[str, str]  # keys that are a known one but for capitals, spaces or hyphens, and that one
    pair: tuple[str, str, str] | None  # the keys of instruction, input ("" for none) and output, where that is all


@dataclass(frozen=True)
class Places:
    """A record, and where it has what it says. `where` begins the errors about it."""

    record: Record
    plan: Plan
    where: str

    def filled(self, role: str) -> list[str]:
        """Return the keys under which the record says something in a role."""
        keys = self.plan.keys[role]
        return [key for key in keys if is_filled(self.record.get(key))] if keys else []

    def one(self, role: str) -> str | None:
        """Return the key that has a role: the usual one, else the only one. Null is as good as a missing key.

        Raises UserError where several keys could have it.
        """
        keys = [key for key in self.plan.keys[role] if self.record.get(key) is not None]
        if not keys or role in self.plan.named or keys[0] == NAMES[role][0]:
            return keys[0] if keys else None
        filled = [key for key in keys if is_filled(self.record[key])] or keys[:1]
        if any(self.record[key] != self.record[filled[0]] for key in filled):
            raise UserError(
                f"{self.where}: {_listed(filled)} could each be the {role}; say which: --fields {role}={filled[0]}"
            )
        return filled[0]

    def turn_lists(self) -> list[str]:
        """Return the keys that have turns, of the known ones."""
        found = self.filled("conversations")
        is_named = "conversations" in self.plan.named
        return [key for key in found if is_named or key in SURE or _looks_like_turns(self.record[key])]

    def no_turn_lists(self) -> list[str]:
        """Return the keys that often have turns and have a text or an object here, maybe a part of the prompt."""
        turn_lists = self.turn_lists()
        others = [key for key in self.filled("conversations") if key not in turn_lists]
        return [key for key in others if isinstance(self.record[key], str | list | dict)]

    def other_turn_list(self) -> str | None:
        """Return the key of a list of turns that is none of the known ones. Raises UserError for several."""
        others = [key for key in self.record if key not in _KNOWN and key not in self.plan.left_out]
        found = [key for key in others if names_speakers(self.record[key])]
        if len(found) > 1:
            raise UserError(
                f"{self.where}: {_listed(found)} are lists of turns; say which: --fields conversations={found[0]}"
            )
        return found[0] if found else None

    def empty_turn_list(self) -> str | None:
        """Return the key of a conversation in which nobody says anything."""
        return next((key for key in self.plan.keys["conversations"] if self.record.get(key) == []), None)

    def missing(self, role: str) -> UserError:
        """Return the error for a record without a role."""
        named = self.plan.keys[role] if role in self.plan.named else ()
        key = named[0] if named else NAMES[role][0]
        keys = ", ".join(map(repr, list(self.record)[:8])) or "none"
        what = "null; it must be a string" if key in self.record else "missing"
        return UserError(f"{self.where}: field {key!r} is {what} (there are {keys}); {self._hint()}{UNDERSTOOD}")

    def _hint(self) -> str:
        for key, value in self.record.items():
            if isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) for text in value):
                return (
                    f"if the texts of {key!r} are of user and assistant in turn, --fields conversations={key} reads "
                    "them so; "
                )
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return (
                    f"if {key!r} holds turns, --fields conversations={key} reads them; if it holds the records, write "
                    "that list as the file; "
                )
        if self.plan.named:
            return ""
        spelled = {_folded(key): key for key in reversed(self.record)}
        asked = next((spelled[name] for name in (*NAMES["instruction"], *ASKED_ELSEWHERE) if name in spelled), None)
        answered = next((spelled[name] for name in (*NAMES["output"], *ANSWERED_ELSEWHERE) if name in spelled), None)
        if asked is None or answered is None:
            return ""
        context = next((key for key, name in self.plan.spelled_otherwise.items() if name in NAMES["input"]), None)
        meant = {"instruction": asked, "input": context, "output": answered}
        fields = ",".join(f"{role}={key}" for role, key in meant.items() if key not in (None, role))
        return f"--fields {fields} takes {asked!r} for the prompt and {answered!r} for the response; "


def places_of(record: Record, fields: Fields, where: str) -> Places:
    """Return where a record has what it says."""
    return Places(record, plan_for(tuple(record), tuple(fields.items())), where)


@lru_cache(maxsize=4096)
def plan_for(keys: tuple[str, ...], fields: tuple[tuple[str, str], ...]) -> Plan:
    """Return where records with these keys have what they say; a key that --fields gives a role has no other."""
    left_out = frozenset(name for name, key in fields if not key)
    claimed = {key for _, key in fields if key}
    named: dict[str, list[str]] = {}
    for name, key in fields:
        if key:
            named.setdefault(FIELD_ROLES[name], []).append(key)
    found = {
        role: tuple(named.get(role) or [name for name in names if name in keys and name not in claimed | left_out])
        for role, names in NAMES.items()
    }
    instruction, context, output = found["instruction"], found["input"], found["output"]
    more = ("conversations", "system", "history", "chosen", "reasoning", "tools")
    is_pair = len(instruction) == len(output) == 1 and len(context) < 2 and not any(found[role] for role in more)
    pair = (instruction[0], context[0] if context else "", output[0]) if is_pair else None
    others = [key for key in keys if key not in claimed | left_out and key not in _KNOWN]
    spelled_otherwise = {key: name for key in others if (name := _folded(key)) in _KNOWN}
    return Plan(found, frozenset(named), left_out, spelled_otherwise, pair)


def _folded(key: str) -> str:
    return key.strip().casefold().replace(" ", "_").replace("-", "_")


def _looks_like_turns(value: Any) -> bool:
    is_pairs = isinstance(value, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value)
    return is_pairs or is_turn_list(value) or (isinstance(value, str) and value.lstrip().startswith("[{"))


def _listed(keys: Iterable[str]) -> str:
    return " and ".join(map(repr, keys))


_KNOWN = {name for names in NAMES.values() for name in names}
