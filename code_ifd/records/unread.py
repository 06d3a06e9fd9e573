"""What a record says that is not read: refused by name, or left out with a note."""

from records.contents import check_media, is_filled
from records.keys import FIELD_ROLES, NAMES
from records.places import Fields, Places, plan_for
from records.record import Record
from shared.cli import UserError


def check_wanted(record: Record, fields: Fields, where: str) -> list[str]:
    """Return what the keys of a record say that is not read, whatever its shape.

    Raises UserError when it has images or their like, or an answer that nobody should give.
    """
    plan = plan_for(tuple(record), tuple(fields.items()))
    keys = plan.keys
    otherwise = plan.spelled_otherwise
    if not (keys["label"] or keys["media"] or keys["rejected"] or keys["aside"] or keys["weight"] or otherwise):
        return []
    check_media({key: record[key] for key in keys["media"]}, where, plan.left_out)
    for key in keys["label"]:
        # Other labels, such as classes, say nothing about the answer.
        if record[key] is False or (key == "kto_tag" and record[key] in (0, "false", "False")):
            raise UserError(
                f"{where}: {key!r} is false: its answer is one that was not wanted; remove such records, or "
                f"--fields {key}= scores them like any others"
            )
    left_out = [key for key in (*keys["rejected"], *keys["aside"]) if is_filled(record[key])]
    # A 0 may be KTO's, or one of many classes.
    left_out += [key for key in (*keys["weight"], *keys["label"]) if record[key] == 0 and record[key] is not None]
    notes = [f"{key!r} is left out (--fields {key}= says that this is meant)" for key in left_out]
    for key, name in otherwise.items():
        if is_filled(record[key]):
            role = next(role for role, names in NAMES.items() if name in names)
            remedy = f"--fields {role}={key} reads it" if role in FIELD_ROLES else "rename it"
            notes.append(f"{key!r} is left out: only {name!r} is known ({remedy})")
    return notes


def other_names(places: Places, used: dict[str, str | None]) -> list[str]:
    """Return a note for each key that could have had a role which another one has."""
    return [
        f"{other!r} is left out: {key!r} is the {role}"
        for role, key in used.items()
        for other in places.filled(role)
        if key and other != key and places.record[other] != places.record[key]
    ]
