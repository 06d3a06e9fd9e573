"""What a record says, whatever its shape: a plain record as its instruction, input and output, any other as turns."""

from typing import Any, NamedTuple

from records.answers import answers_of, options_of, said_by, with_chosen
from records.contents import checked_text, is_filled, parse_json
from records.places import Fields, Places, plan_for
from records.record import Record
from records.turns import Turn, holds_turns, read_turns, with_reasoning
from records.unread import other_names
from shared.cli import UserError
from shared.texts import describe


class Reading(NamedTuple):
    """What a record says: `plain` (instruction, input, output), or else `turns`.

    `notes` are what it also says and is not read.
    """

    plain: Record | None
    turns: list[Turn]
    tools: list[Any]
    notes: list[str]


def read_record(record: Record, fields: Fields, where: str = "record") -> Reading:
    """Return what a record says. Raises UserError, beginning with `where`, for one that is not understood."""
    plan = plan_for(tuple(record), tuple(fields.items()))
    if plan.pair:
        # Most records are no more than this.
        instruction_key, input_key, output_key = plan.pair
        instruction, context, output = record.get(instruction_key), record.get(input_key), record.get(output_key)
        if type(instruction) is str and type(output) is str and (context is None or type(context) is str):
            return Reading({"instruction": instruction, "input": context, "output": output}, [], [], [])
    places = Places(record, plan, where)
    key = _turn_key(places)
    return _read_talk(places, key) if key else _read_pair(places)


def _turn_key(places: Places) -> str | None:
    """Return the key of the record's turns, None where it has an instruction and an output instead.

    Raises UserError where it has both, or two lists that differ.
    """
    keys, named = places.turn_lists(), places.plan.named
    if not keys or "conversations" in named:
        return keys[0] if keys else None
    asked, answered = places.filled("instruction"), places.filled("output")
    if asked and answered:
        if named & {"instruction", "output"}:
            return None
        if asked[0] == "instruction" and answered[0] == "output":
            raise UserError(
                f"{places.where}: has {keys[0]!r} beside 'instruction' and 'output'; say which is meant: "
                f"--fields conversations={keys[0]}, or --fields {keys[0]}= for the others"
            )
    if len(keys) > 1:
        lists = [said_by(read_turns(places.record[key], key, places.where, options_of(places))) for key in keys]
        if any(turns != lists[0] for turns in lists):
            raise UserError(
                f"{places.where}: {' and '.join(map(repr, keys))} are lists of turns, and differ; say which is meant: "
                f"--fields conversations={keys[0]}"
            )
    return keys[0]


def _read_talk(places: Places, key: str) -> Reading:
    """Read a record with a list of turns."""
    record, notes = places.record, []
    options = options_of(places, alternates="conversations" in places.plan.named)
    before, turns = _before(places), read_turns(record[key], key, places.where, options)
    if before and turns and before[0] == turns[0] and turns[0].name == "system":
        turns = turns[1:]
    turns = before + turns
    is_open = not turns or turns[-1].name != "assistant" or turns[-1].continues
    answer = places.one("output") if is_open and not places.filled("chosen") and places.filled("output") else None
    if answer:
        if "output" not in places.plan.named:
            raise UserError(
                f"{places.where}: {key!r} ends before the answer, and there is {answer!r}; --fields "
                f"conversations={key},output={answer} takes it for the answer, --fields {answer}= leaves it out"
            )
        turns = [*turns, *answers_of(places, answer)]
    turns = with_chosen(places, turns)
    said = {turn.text for turn in turns}
    others = [other for role in ("instruction", "input", "output") for other in places.filled(role) if other != answer]
    notes += [
        f"{other!r} is left out beside {key!r}"
        for other in others
        if not isinstance(record[other], str) or record[other] not in said
    ]
    notes += [f"{other!r} is left out beside {key!r}" for other in places.filled("reasoning")]
    notes += other_names(places, {"system": next(iter(places.filled("system")), None)})
    notes += [f"{other!r} is left out: it is no list of turns" for other in places.no_turn_lists()]
    return Reading(None, turns, _tools(places, notes), notes)


def _read_pair(places: Places) -> Reading:
    """Read a record with a prompt and a response, each a text or a list of turns."""
    record, notes = places.record, list[str]()
    asked, answered, chosen = places.one("instruction"), places.one("output"), places.filled("chosen")
    if chosen and answered and not is_filled(record[answered]):
        answered = None
    if chosen and answered and record[answered] != record[chosen[0]]:
        raise UserError(
            f"{places.where}: {answered!r} and 'chosen' are both answers; say which is meant: --fields "
            "output=chosen, or --fields chosen="
        )
    if asked is None or not (answered or chosen):
        if asked is None and chosen and not isinstance(record[chosen[0]], str):
            return Reading(None, with_chosen(places, _before(places)), _tools(places, notes), notes)
        key = places.other_turn_list() or places.empty_turn_list()
        if key:
            return _read_talk(places, key)
        raise places.missing("instruction" if asked is None else "output")
    context_key = places.one("input")
    context = _context(places, context_key)
    notes += [f"{other!r} is left out beside {asked!r}" for other in (*places.turn_lists(), *places.no_turn_lists())]
    notes += other_names(places, {"instruction": asked, "input": context_key, "output": answered or chosen[0]})
    notes += other_names(places, {"system": next(iter(places.filled("system")), None)})
    before, tools = _before(places), _tools(places, notes)
    reasoning = "\n\n".join(
        checked_text(record[key], f"{places.where}: field {key!r}") for key in places.filled("reasoning")
    )
    question, answer_key = record[asked], answered or chosen[0]
    texts = isinstance(question, str) and isinstance(record[answer_key], str)
    if texts and not before and not tools:
        output = with_reasoning(record[answer_key], reasoning)
        return Reading({"instruction": question, "input": context, "output": output}, [], [], notes)
    if holds_turns(question):
        turns = read_turns(question, asked, places.where, options_of(places, is_scored=False))
        notes += [f"{context_key!r} is left out beside a list of turns"] if context else []
    else:
        text = checked_text(question, f"{places.where}: field {asked!r}")
        turns = [Turn("user", text + ("\n" + context if context else ""), False)]
    turns = before + turns
    turns = turns + answers_of(places, answered, reasoning) if answered else with_chosen(places, turns, reasoning)
    return Reading(None, turns, tools, notes)


def _before(places: Places) -> list[Turn]:
    """Return what stands before a record's own turns: the system text, and the turns of its history."""
    record, where, turns = places.record, places.where, list[Turn]()
    key = next(iter(places.filled("system")), None)
    if key:
        turns.append(Turn("system", checked_text(record[key], f"{where}: field {key!r}"), False))
    key = next(iter(places.filled("history")), None)
    if key:
        turns += read_turns(record[key], key, where, options_of(places))
    return turns


def _context(places: Places, key: str | None) -> str | None:
    value = places.record[key] if key else None
    if value is not None and not isinstance(value, str):
        raise UserError(
            f"{places.where}: field {key!r} is {describe(value)}; it must be a string; --fields {key}= leaves it out"
        )
    return value


def _tools(places: Places, notes: list[str]) -> list[Any]:
    """Return the tools beside a record's turns, each as chat templates want it."""
    key = next(iter(places.filled("tools")), None)
    tools = places.record[key] if key else []
    tools = parse_json(tools) if isinstance(tools, str) else tools
    tools = [tools] if isinstance(tools, dict) else tools
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        notes.append(f"{key!r} is left out: it is no list of objects")
        return []
    if tools:
        notes.append(f"{key!r} is shown to the model by --prompt chat, and by no other template")
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]
