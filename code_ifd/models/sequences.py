"""From a record to text, by a prompt template, and to the two token sequences whose perplexities make an IFD score.

No torch here.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from models.beginnings import beginning_of, first_ids
from models.chat_template import ChatTemplate
from records.conversations import has_prompt
from records.record import Record, Skipped
from shared.cli import UserError

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase

    Values = TypeVar("Values", np.ndarray, list[int])

# Any id will do: no scored token attends to padding, and padding is never scored.
PADDING_ID = 0

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
# Any text that is one token or a few, none of them special.
LETTER = "a"
WIZ = "{question}\n\n### Response:"
# Of the texts that go through the tokenizer together.
CHARS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class TokenSequence:
    """Token ids, and the index of the first one whose negative log-likelihood counts (at least 1)."""

    input_ids: list[int]
    first_scored: int

    @property
    def num_scored(self) -> int:
        """Number of tokens whose negative log-likelihood counts."""
        return len(self.input_ids) - self.first_scored


@dataclass(frozen=True)
class SequencePair:
    """A record's response alone (direct), and after its prompt (conditioned)."""

    direct: TokenSequence
    conditioned: TokenSequence
    # Where max_length has cut the response, the direct sequence ends by so many tokens later (earlier below 0).
    num_later: int = 0

    def aligned(self, of_direct: "Values", of_conditioned: "Values") -> "tuple[Values, Values]":
        """Return the entries of the tokens that both sequences score, from one entry for each scored token of either.

        They are the last ones: the conditioned pass scores the first token too, which the direct one cannot predict.
        """
        end_direct = len(of_direct) - max(self.num_later, 0)
        end_conditioned = len(of_conditioned) - max(-self.num_later, 0)
        num = max(min(end_direct, end_conditioned), 0)
        return of_direct[end_direct - num : end_direct], of_conditioned[end_conditioned - num : end_conditioned]


def build_prompt(record: Record, template: str) -> str:
    """Return the text that comes before the response.

    `none` is the published convention: the instruction and the input, or all turns so far, each with a line end. `chat`
    returns the user's turn alone, for the tokenizer's own chat template to wrap. An `input` that is missing, null or
    empty is none at all. Raises UserError for a conversation and a template that has room for one question only.
    """
    if "messages" in record:
        if template != "none":
            raise UserError(
                f"--prompt {template}: has room for one question, and this dataset has conversations; "
                "choose none or chat"
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


def encode_chunk(
    tokenizer: "PreTrainedTokenizerBase",
    records: list[Record],
    template: str,
    max_length: int,
    chat_date: str | None = None,
) -> list[SequencePair | Skipped]:
    """Return one entry a record or exchange, in order: its two sequences, or the reason why it has no score.

    `chat_date` is what a chat template that reads the clock is told (YYYY-MM-DD; None: today).
    Reasons: `empty_response`, `no_prompt` (nothing stands before the response), `long_prompt` (no room left for the
    response), `short_response` (no token to predict).
    """
    if not records:
        return []
    responses = [record["output"] for record in records]
    if template == "chat":
        chat = ChatTemplate(tokenizer, chat_date)
        prompts = [context_of(chat, record) for record in records]
    else:
        prompts = [build_prompt(record, template) for record in records]
    cuts = [
        cut_texts(tokenizer, prompt, response, max_length, special_tokens=template != "chat")
        for prompt, response in zip(prompts, responses, strict=True)
    ]
    prompts = [prompt for prompt, _ in cuts]
    cut_responses = [response for _, response in cuts]
    wholes = [prompt + response for prompt, response in cuts]
    if template == "chat":
        # The template's text already holds the special tokens; adding them again would double the BOS.
        prompt_ids, whole_ids = _split(encode(tokenizer, prompts + wholes, special_tokens=False), len(records))
        response_ids = encode(tokenizer, cut_responses)
    else:
        prompt_ids, whole_ids, response_ids = _split(encode(tokenizer, prompts + wholes + cut_responses), len(records))
    return [
        _pair_of(response, of_prompt, of_whole, of_response, max_length)
        if has_prompt(record) or not response.strip()
        else Skipped("no_prompt")
        for record, response, of_prompt, of_whole, of_response in zip(
            records, responses, prompt_ids, whole_ids, response_ids, strict=True
        )
    ]


def cut_texts(
    tokenizer: "PreTrainedTokenizerBase", prompt: str, response: str, max_length: int, special_tokens: bool
) -> tuple[str, str]:
    """Return the beginnings of a prompt and its response that decide their sequences: all of the usual ones.

    Only of a prompt that leaves no room for the response is a part enough. `special_tokens` says whether the prompt
    gets those that the tokenizer adds; the response alone always does.
    """

    def ids_of(text: str, special_tokens: bool = True) -> list[int]:
        """Return the token ids of one text."""
        return encode(tokenizer, [text], special_tokens)[0]

    def kept_of_response(part: str) -> Hashable | None:
        """Return the tokens of both sequences that max_length may keep, and by how many tokens the longer is longer."""
        direct, conditioned = ids_of(part), ids_of(prompt + part, special_tokens)
        kept = first_ids(direct, max_length + 1), first_ids(conditioned, max_length)
        return None if None in kept else (*kept, len(conditioned) - len(direct))

    cut = beginning_of(tokenizer, prompt, max_length, lambda part: first_ids(ids_of(part, special_tokens), max_length))
    # A prompt that was cut has max_length tokens: its response has no score, whatever it is.
    return cut, beginning_of(tokenizer, response, max_length + 1, kept_of_response) if cut == prompt else ""


def context_of(chat: ChatTemplate, exchange: Record) -> str:
    """Return what a chat template writes before the response of an exchange. Raises UserError as `context` does.

    It is empty where the exchange has no score, since there is no response, or nothing before it.
    """
    if not has_prompt(exchange) or not exchange["output"].strip():
        return ""
    turns = exchange.get("messages") or [{"role": "user", "content": build_prompt(exchange, "chat")}]
    return chat.context(turns, exchange["output"], exchange.get("tools"))


def check_vocabulary(highest: int, vocabulary: int) -> None:
    """Raise UserError when the highest token id is beyond the `vocabulary` ids that the model has embeddings for."""
    if highest >= vocabulary:
        raise UserError(
            f"the tokenizer gave token id {highest}, but the model has {vocabulary} embeddings: "
            "they do not belong together"
        )


def _pair_of(
    response: str, prompt_ids: list[int], whole_ids: list[int], response_ids: list[int], max_length: int
) -> SequencePair | Skipped:
    if not response.strip():
        return Skipped("empty_response")
    if len(prompt_ids) >= max_length:
        return Skipped("long_prompt")
    # Published convention: the direct pass may be one token longer than the room after the prompt, since it cannot
    # predict its first token, which therefore does not count.
    direct = TokenSequence(response_ids[: max_length - len(prompt_ids) + 1], first_scored=1)
    # Published convention: the response begins after as many tokens as the prompt has alone, even where the tokenizer
    # merges across the boundary. The count is of the untruncated prompt.
    conditioned = TokenSequence(whole_ids[:max_length], first_scored=max(len(prompt_ids), 1))
    if direct.num_scored < 1 or conditioned.num_scored < 1:
        return Skipped("short_response")
    num_cut_direct = len(response_ids) - len(direct.input_ids)
    num_cut_conditioned = len(whole_ids) - len(conditioned.input_ids)
    return SequencePair(direct, conditioned, num_later=num_cut_conditioned - num_cut_direct)


def token_ids(tokenizer: "PreTrainedTokenizerBase", texts: list[str], special_tokens: bool = True) -> list[list[int]]:
    """Return the token ids of each text, untruncated, with or without what the tokenizer adds to it by default."""
    ids: list[list[int]] = []
    for part in _parts(texts):
        # verbose=False: no warning about texts longer than the model's context, which we cut ourselves.
        tokens = tokenizer(part, add_special_tokens=special_tokens, return_attention_mask=False, verbose=False)
        ids += cast("list[list[int]]", tokens["input_ids"])
    return ids


def _parts(texts: list[str]) -> Iterator[list[str]]:
    """Yield texts that are tokenized together: meanwhile a tokenizer needs a hundred bytes for each character."""
    part: list[str] = []
    num_chars = 0
    for text in texts:
        if part and num_chars + len(text) > CHARS_AT_ONCE:
            yield part
            part, num_chars = [], 0
        part.append(text)
        num_chars += len(text)
    if part:
        yield part


def encode(tokenizer: "PreTrainedTokenizerBase", texts: list[str], special_tokens: bool = True) -> list[list[int]]:
    """Return the token ids of each text, untruncated, with or without what the tokenizer puts before it by default.

    What a tokenizer puts after every text (an EOS) is left out: a prompt goes on, and no text says its own end.
    """
    ids = token_ids(tokenizer, texts, special_tokens)
    if not special_tokens:
        return ids
    # A letter is no special token: what follows it was added.
    letter, bare = (token_ids(tokenizer, [LETTER], added)[0] for added in (True, False))
    num_added = _num_after(letter, bare)
    return [of_text[: len(of_text) - num_added] for of_text in ids] if num_added else ids


def _num_after(ids: list[int], part: list[int]) -> int:
    """Return how many ids follow the first place where `part` stands in `ids`; 0 where it does not."""
    starts = range(len(ids) - len(part) + 1)
    return next((len(ids) - len(part) - start for start in starts if ids[start : start + len(part)] == part), 0)


def _split(ids: list[list[int]], size: int) -> list[list[list[int]]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
