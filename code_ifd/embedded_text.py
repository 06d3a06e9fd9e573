"""Which text of a record is embedded: all of it, what it asks, or what it answers."""

from cli import UserError
from prompts import build_prompt
from records import Record, is_encodable
from shapes import Fields, exchanges

EMB_TYPES = ("whole", "instruction", "response")


def embedded_text(record: Record, emb_type: str, template: str, fields: Fields, where: str = "record") -> str:
    """Return the text: the prompt and the output (`whole`), the prompt (`instruction`), or the output (`response`).

    Of a conversation, `whole` is all turns up to the last response, `instruction` what comes before the first response,
    and `response` all responses, each on a line. Raises UserError, beginning with `where`, for a record without one.
    """
    found = exchanges(record, fields, where)
    if not found:
        raise UserError(f"{where}: a conversation in which the assistant says nothing, and yet it has a score; score it again")
    if emb_type == "response":
        text = "\n".join(exchange["output"] for exchange in found)
    else:
        text = build_prompt(found[0], template) if emb_type == "instruction" else build_prompt(found[-1], template) + found[-1]["output"]
    if not is_encodable(text):
        raise UserError(f"{where}: its text holds half of a surrogate pair, which is no character; mend or remove it")
    return text
