"""From a record to text: the prompt that a model sees before the response."""

from records.record import Record
from shared.cli import UserError

TEMPLATES = ("none", "alpaca", "vicuna", "wiz", "chat")

ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
ALPACA_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: {question} ASSISTANT:"
)
WIZ = "{question}\n\n### Response:"


def build_prompt(record: Record, template: str) -> str:
    """Return the text that comes before the response.

    `none` is the published convention: the instruction and the input, or all turns so far, each with a line end. `chat`
    returns the user's turn alone, for the tokenizer's own chat template to wrap. An `input` that is missing, null or empty
    is none at all. Raises UserError for a conversation and a template that has room for one question only.
    """
    if "messages" in record:
        if template != "none":
            raise UserError(
                f"--prompt {template}: has room for one question, and this dataset has conversations; choose none or chat"
            )
        return "".join(message["content"] + "\n" for message in record["messages"])
    instruction, context = record["instruction"], record.get("input") or ""
    if template == "none":
        return instruction + "\n" + (context + "\n" if context else "")
    if template == "alpaca":
        # str.format reads its arguments once, so braces in the data stay as they are.
        pattern = ALPACA_WITH_INPUT if context else ALPACA_WITHOUT_INPUT
        return pattern.format(instruction=instruction, input=context)
    question = instruction + ("\n" + context if context else "")
    if template == "chat":
        return question
    return {"vicuna": VICUNA, "wiz": WIZ}[template].format(question=question)
