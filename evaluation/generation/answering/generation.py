"""Let a causal language model go on from prompts: batches padded on the left, every row as if it were alone.

A row ends at a stop token, or when it has `max_length` tokens in all; what its neighbours do changes nothing but
rounding.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from answering.flags import Decoding
from models.out_of_memory import in_halves
from models.packing import check_model
from models.sequences import check_vocabulary
from shared.cli import UserError, tell


def stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the tokens that end an answer: those of the checkpoint's generation config and of its tokenizer."""
    ids = model.generation_config.eos_token_id
    return {*(ids if isinstance(ids, list) else [ids]), tokenizer.eos_token_id} - {None}


class AnswerGenerator:
    """A model that goes on from prompts. `on_token` hears the number of tokens that the running batch has so far.

    What the checkpoint's generation config says on sampling, penalties and lengths does not apply: the answers are
    those of `decoding` and nothing else. Raises UserError for a model that is not causal.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        decoding: Decoding,
        stop_ids: set[int],
        on_token: Callable[[int], None] = lambda num: None,
    ) -> None:
        check_model(model)
        self.model = model
        self.decoding = decoding
        self.stop_ids = stop_ids
        self.on_token = on_token
        # generate() takes from here what it is not told.
        model.generation_config = GenerationConfig()
        model.register_forward_pre_hook(self._limit_positions, with_kwargs=True)

    def answer(self, prompts: list[list[int]], stream: str) -> list[list[int]]:
        """Return each prompt's new token ids, the stop token with them; `stream` names this batch's random numbers.

        When memory does not hold the batch, its halves run one after the other. Raises UserError when it does not hold
        one prompt, or for a token that the model does not know.
        """
        embeddings = self.model.get_input_embeddings().weight
        assert isinstance(embeddings, torch.Tensor)  # (vocabulary, hidden_size)
        check_vocabulary(max(map(max, prompts)), embeddings.shape[0])
        parts = in_halves(lambda part, half: self._generate(part, stream + half), prompts, _too_small, _say_halved)
        return [answer for part in parts for answer in part]

    def _generate(self, prompts: Sequence[list[int]], stream: str) -> list[list[int]]:
        length = max(map(len, prompts))
        pads = [length - len(prompt) for prompt in prompts]
        padding_id = min(self.stop_ids, default=0)  # any id will do: it is masked, or follows an answer's end
        device = self.model.device
        input_ids = torch.tensor([[padding_id] * pad + prompt for pad, prompt in zip(pads, prompts, strict=True)])
        mask = torch.tensor([[0] * pad + [1] * (length - pad) for pad in pads])  # (prompts, length), as input_ids
        rooms = [self.decoding.max_length - len(prompt) for prompt in prompts]
        digest = hashlib.sha256(f"{self.decoding.seed} {stream}".encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:7], "big"))
        output = self.model.generate(  # type: ignore[operator]  # torch takes it for a tensor; (prompts, length + new)
            input_ids=input_ids.to(device),
            attention_mask=mask.to(device),
            generation_config=self._settings(max(rooms), padding_id),
            stopping_criteria=StoppingCriteriaList([RowLimit(length, rooms, self.on_token)]),
        )
        return [self._cut(ids[:room]) for ids, room in zip(output[:, length:].tolist(), rooms, strict=True)]

    def _settings(self, max_new_tokens: int, padding_id: int) -> GenerationConfig:
        settings: dict[str, Any] = {"do_sample": False}
        if self.decoding.temperature > 0:
            # top_k is 50 unless one says otherwise.
            settings = {
                "do_sample": True,
                "temperature": self.decoding.temperature,
                "top_p": self.decoding.top_p,
                "top_k": 0,
            }
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=self.decoding.num_beams,
            eos_token_id=sorted(self.stop_ids) or None,
            pad_token_id=padding_id,
            **settings,
        )

    def _cut(self, ids: list[int]) -> list[int]:
        end = next((num for num, token in enumerate(ids, start=1) if token in self.stop_ids), len(ids))
        return ids[:end]

    def _limit_positions(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        # A row that has ended still runs along with its batch, where GPT-2 has no position left for it.
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = kwargs["position_ids"].clamp(max=self.decoding.max_length - 1)
        return args, kwargs


def _too_small(prompt: list[int]) -> UserError:
    return UserError(
        f"out of memory on a single prompt of {len(prompt)} tokens; lower --max_length or --num_beams, "
        "or use a smaller model"
    )


def _say_halved(prompts: Sequence[list[int]]) -> None:
    tell(f"note: memory does not hold a batch of {len(prompts)}, it is halved; lower --batch_size")


class RowLimit(StoppingCriteria):
    """Ends every row where its room ends.

    `rooms` are the rows' limits in new tokens, `start` the length of their padded prompts.
    """

    def __init__(self, start: int, rooms: list[int], on_token: Callable[[int], None]) -> None:
        self.start = start
        self.rooms = torch.tensor(rooms)
        self.on_token = on_token

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object) -> torch.Tensor:
        """Return for each row, or for each beam of each row, whether it has ended."""
        num_new = input_ids.shape[1] - self.start
        self.on_token(num_new)
        ended = (self.rooms <= num_new).to(input_ids.device)
        return ended.repeat_interleave(input_ids.shape[0] // len(self.rooms))
