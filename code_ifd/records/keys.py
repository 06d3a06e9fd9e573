"""Every key of a record that carries meaning, and what becomes of it: one table, which docs/formats.md prints.

A key that is not in it (id, source, category) is kept in the files and never looked at.
To print the tables of the page: PYTHONPATH=code_ifd python -m records.keys
"""

from dataclasses import dataclass

from shared.cli import say


@dataclass(frozen=True)
class Key:
    """One thing that a record may say: the keys it is found under, the first of them being its usual one."""

    role: str  # as --fields calls it
    names: tuple[str, ...]
    use: str
    meaning: str


READ, CONTEXT, REFUSED, LEFT_OUT = "read", "context", "refused by name", "left out, with a note"

RECORD_KEYS = (
    Key("instruction", ("instruction", "prompt", "question", "query"), READ, "the prompt: a text, or a list of turns"),
    Key("input", ("input", "context"), READ, "more of the prompt, on a line of its own after the instruction"),
    Key(
        "output",
        ("output", "completion", "response", "answer"),
        READ,
        "the response: a text, or a list of turns of which those of the assistant are scored (those in a prompt are "
        "context)",
    ),
    Key(
        "conversations",
        ("conversations", "messages", "conversation", "dialog", "dialogue", "dialogs", "dialogues", "chat", "turns"),
        READ,
        "a list of turns; under any other key too, where a record has one list that says who speaks, and no "
        "instruction and output",
    ),
    Key("system", ("system", "system_prompt", "system_message"), CONTEXT, "a text that stands before all turns"),
    Key("history", ("history",), READ, "earlier turns, as [question, answer] or as messages; its answers are scored"),
    Key(
        "chosen",
        ("chosen",),
        READ,
        "the last answer: a text, a turn, or a list of turns (all of them, where users speak)",
    ),
    Key(
        "reasoning",
        ("reasoning_content", "thinking"),
        READ,
        "the beginning of the response: `<think>`, the reasoning, `</think>`, an empty line, the answer",
    ),
    Key(
        "tools",
        ("tools", "functions"),
        CONTEXT,
        "given to the chat template (`--prompt chat`); the other templates have no place for them, and a note says so",
    ),
    Key(
        "rejected",
        ("rejected", "rejected_response", "rejected_responses", "rejected_messages", "rejected_output"),
        LEFT_OUT,
        "the answer that was not preferred",
    ),
    Key(
        "aside",
        (
            *("reasoning", "thought", "thoughts", "think", "cot", "rationale", "choices", "options", "examples"),
            *("few_shot", "fewshot", "demonstrations", "document", "documents", "passage", "passages", "knowledge"),
            *("background", "persona", "file", "files", "chat_template_kwargs", "loss_mask"),
        ),
        LEFT_OUT,
        "what may belong to the prompt or to the response; `--fields reasoning=cot` or `input=options` reads a text",
    ),
    Key(
        "weight",
        ("weight", "loss_weight", "train"),
        LEFT_OUT,
        "where it is 0 or false: the record is scored like any other (a turn is not, see below)",
    ),
    Key("label", ("label", "kto_tag"), REFUSED, "where it is false (KTO): the answer is one that was not wanted"),
    Key(
        "media",
        ("images", "image", "videos", "video", "audios", "audio"),
        REFUSED,
        "the model sees texts alone; marks such as `<image>` in a text are text, and a note says so",
    ),
)
TURN_KEYS = (
    Key("speaker", ("role", "from", "speaker", "author"), READ, "who speaks; see the roles below"),
    Key("said", ("content", "value", "text"), READ, "what is said: a text, a list of parts, or nothing beside calls"),
    Key(
        "calls",
        ("tool_calls", "function_call"),
        CONTEXT,
        "calls of tools, as JSON, in a line after what the assistant says; never scored",
    ),
    Key(
        "reasoning",
        ("reasoning_content", "thinking", "reasoning"),
        READ,
        "the beginning of what the assistant says, in `<think>` and `</think>` as above; part of later context too",
    ),
    Key(
        "weight",
        ("weight", "loss", "loss_weight", "train", "training", "trainable", "output_with_loss"),
        READ,
        "0 or false: this turn of the assistant is context and is not scored; other weights make no difference",
    ),
    Key(
        "mask",
        ("train_detail", "mask", "loss_mask"),
        REFUSED,
        "a part of the turn is not trained on, which has no score of its own; `--fields mask=` reads the whole turn",
    ),
    Key("tools", ("tools",), REFUSED, "tools belong beside the turns"),
    Key("media", RECORD_KEYS[-1].names, REFUSED, "as beside the turns"),
)
PART_KEYS = (
    Key(
        "text",
        ("text", "input_text", "output_text"),
        READ,
        "its `text` (or `value`, `content`); texts are joined as they are",
    ),
    Key("reasoning", ("reasoning", "thinking"), READ, "as `reasoning_content`"),
    Key("call", ("tool_call", "tool_calls", "tool_use", "function_call"), CONTEXT, "as `tool_calls`"),
    Key(
        "other", ("any other type",), REFUSED, "images, videos, audio, files: `--fields images=` goes on without images"
    ),
)
# What chat templates call speakers, and what the data does, whatever the case.
ROLE_NAMES = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter", "customer"),
    "assistant": (
        *("assistant", "gpt", "chatgpt", "gpt4", "gpt_4", "model", "bot", "chatbot", "ai", "bing", "bard", "claude"),
        *("gemini", "llm"),
    ),
    "tool": (
        *("tool", "function", "observation", "ipython", "tool_response", "tool_result", "tool_output"),
        *("function_response", "function_result", "environment"),
    ),
}
CALL_NAMES = ("function_call", "tool_call", "tool_calls")
ROLES = {name: role for role, names in ROLE_NAMES.items() for name in names} | dict.fromkeys(CALL_NAMES, "assistant")

NAMES = {key.role: key.names for key in RECORD_KEYS}
TURN_NAMES = {key.role: key.names for key in TURN_KEYS}
PART_NAMES = {key.role: key.names for key in PART_KEYS}
# What --fields may name, and what it may only leave out (KEY=).
FIELD_ROLES = {
    **{role: role for role in ("instruction", "input", "output", "conversations", "system", "history", "chosen")},
    "messages": "conversations",
    "reasoning": "reasoning",
    "tools": "tools",
}
# Keys that --fields KEY= may leave out.
LEAVABLE = {name for names in (*NAMES.values(), TURN_NAMES["mask"]) for name in names} - {"instruction", "output"}


def key_tables() -> str:
    """Return the tables in Markdown, as docs/formats.md has them."""
    roles = [(f"`{role}`", _listed(names)) for role, names in ROLE_NAMES.items()]
    parts = [
        ("### Keys of a record", _table(RECORD_KEYS, "key")),
        ("### Keys of a turn", _table(TURN_KEYS, "key")),
        ("### Types of a part of `content`", _table(PART_KEYS, "type")),
        ("### Roles", _rows(("role", "names in the data"), [*roles, ("a call (context)", _listed(CALL_NAMES))])),
    ]
    return "\n\n".join(f"{title}\n\n{table}" for title, table in parts)


def _table(keys: tuple[Key, ...], first: str) -> str:
    return _rows((first, "is", "what it means"), [(_listed(key.names), key.use, key.meaning) for key in keys])


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(name if " " in name else f"`{name}`" for name in names)


if __name__ == "__main__":
    say(key_tables())
