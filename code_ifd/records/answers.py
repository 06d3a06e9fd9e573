"""The answers of a record as turns: its response, or the chosen one of several."""

from records.contents import checked_text
from records.places import Places
from records.turns import Turn, TurnOptions, holds_turns, read_turns, with_reasoning
from shared.cli import UserError


def options_of(places: Places, is_scored: bool = True, alternates: bool = False) -> TurnOptions:
    """Return how the turns of a record are read."""
    return TurnOptions(is_scored, alternates, places.plan.left_out)


def answers_of(places: Places, key: str, reasoning: str = "") -> list[Turn]:
    """Return an answer as turns: a text is one of the assistant."""
    value = places.record[key]
    if holds_turns(value):
        turns = read_turns(value, key, places.where, options_of(places))
        if not reasoning:
            return turns
        last = max((number for number, turn in enumerate(turns) if turn.is_response), default=None)
        return [
            turn._replace(text=with_reasoning(turn.text, reasoning)) if number == last else turn
            for number, turn in enumerate(turns)
        ]
    text = checked_text(value, f"{places.where}: field {key!r}")
    return [Turn("assistant", with_reasoning(text, reasoning), True)]


def with_chosen(places: Places, turns: list[Turn], reasoning: str = "") -> list[Turn]:
    """Return the turns with the chosen answer as the last one. It may be a conversation that begins with the turns."""
    key = next(iter(places.filled("chosen")), None)
    if not key:
        return turns
    chosen = answers_of(places, key, reasoning)
    if any(turn.name == "user" for turn in chosen):
        said, told = ([turn for turn in part if turn.name != "system"] for part in (turns, chosen))
        if said_by(said) != said_by(told)[: len(said)]:
            raise UserError(
                f"{places.where}: {key!r} is a conversation that begins otherwise than what stands beside it; "
                f"--fields {key}= leaves it out"
            )
        return [turn for turn in turns or chosen if turn.name == "system"] + told if len(said) < len(turns) else chosen
    if turns and turns[-1].name == "assistant" and not turns[-1].continues and turns[-1].is_response:
        if said_by(turns[-len(chosen) :]) == said_by(chosen):
            return turns
        raise UserError(
            f"{places.where}: {key!r} is a second answer after the last turn; --fields {key}= leaves it out"
        )
    return turns + chosen


def said_by(turns: list[Turn]) -> list[tuple[str, str]]:
    """Return who says what, to compare turns by."""
    return [(turn.name, turn.text) for turn in turns]
