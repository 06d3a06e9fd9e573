"""From questions to token ids, and to batches of prompts of like length. No torch here."""

from typing import TYPE_CHECKING

from answering.question_sets import Question
from models.chat_template import ChatTemplate
from models.sequences import build_prompt, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# `none`, the template of the scores, is no way to ask a question.
ASKING_TEMPLATES = ("alpaca", "wiz", "vicuna", "chat")
ANSWER = "An answer."


def encode_questions(tokenizer: "PreTrainedTokenizerBase", questions: list[Question], template: str) -> list[list[int]]:
    """Return each question's prompt as token ids, untruncated. Raises UserError for `chat` without a chat template."""
    prompts = [
        build_prompt({"instruction": question.prompt, "input": question.input}, template) for question in questions
    ]
    if template != "chat":
        return encode(tokenizer, prompts)
    # The template's text already holds the special tokens; adding them again would double the BOS.
    chat = ChatTemplate(tokenizer)
    texts = [chat.prompt([{"role": "user", "content": prompt}]) for prompt in prompts]
    return encode(tokenizer, texts, special_tokens=False)


def cut_batches(lengths: list[int], batch_size: int, max_length: int) -> tuple[list[list[int]], list[int]]:
    """Return batches of the indices of prompts, longest prompts first.

    And the indices of those that leave no room to answer.

    `lengths` are in tokens. The result depends on nothing else, so that a run that goes on cuts the same batches.
    """
    with_room = [index for index, length in enumerate(lengths) if length < max_length]
    with_room.sort(key=lambda index: -lengths[index])
    batches = [with_room[start : start + batch_size] for start in range(0, len(with_room), batch_size)]
    return batches, [index for index, length in enumerate(lengths) if length >= max_length]


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int | None:
    """Return the token that the chat template sets after an answer, or None when that is no token of its own."""
    turns = [{"role": "user", "content": "A question."}, {"role": "assistant", "content": ANSWER}]
    after = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(ANSWER)[2].lstrip()
    ids = encode(tokenizer, [after], special_tokens=False)[0]
    return ids[0] if ids and ids[0] in tokenizer.added_tokens_decoder else None
