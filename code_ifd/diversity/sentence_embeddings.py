"""From texts to points: a model's last hidden states, pooled over a text's tokens and scaled to length 1.

all-MiniLM-L6-v2 was trained with their mean, special tokens included. Others take the first token, the last one, or the
largest value of each dimension.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase
from transformers import logging as transformers_logging

from models.batch_models import padded_batch_size
from models.beginnings import beginning_of, first_ids
from models.causal_lm import check_context, choose_device
from models.cpu_kernels import keep_freed_memory
from models.damaged_models import LOAD_ERRORS, check_config, check_weights, fault_of
from models.library_versions import tokenizer_from
from models.out_of_memory import in_halves
from models.sequences import check_vocabulary, token_ids
from models.source import ModelSource
from shared.cli import UserError

# Some models read a hundred thousand tokens, which few texts have: batches are not made for so many.
LONGEST_OF_BATCH = 512


@dataclass(frozen=True)
class Embedded:
    """The embeddings of some texts."""

    indices: list[int]  # of the texts, among those that were given
    vectors: np.ndarray  # (texts, dimension) of float32, each of length 1
    num_tokens: list[int]  # of the texts: more than max_length when they were cut


@dataclass(frozen=True)
class Embedder:
    """A sentence model, and how much it reads at once."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    tokens_per_batch: int
    pooling: str  # mean, cls, lasttoken or max

    def embed(self, texts: list[str]) -> Iterator[Embedded]:
        """Yield the embeddings of texts, batch by batch, the longest first: what memory does not hold shows at once.

        Raises UserError when memory does not hold a single text.
        """
        ids, num_tokens = self.encode(texts)
        check_vocabulary(max(map(max, ids)), self.model.get_input_embeddings().get_parameter("weight").shape[0])
        waiting = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
        while waiting:
            size = padded_batch_size([len(ids[index]) for index in waiting], self.tokens_per_batch)
            batch, waiting = waiting[:size], waiting[size:]
            yield Embedded(batch, self._run([ids[index] for index in batch]), [num_tokens[index] for index in batch])

    def encode(self, texts: list[str]) -> tuple[list[list[int]], list[int]]:
        """Return each text's token ids, cut to `max_length` between its special tokens, and how many it had before.

        Of a very long text only a beginning is counted, which has more than `max_length`.
        """
        texts = [beginning_of(self.tokenizer, text, self.max_length + 1, self._first_ids) for text in texts]
        ids = token_ids(self.tokenizer, texts)
        num_tokens = [len(of_text) for of_text in ids]
        long = [index for index, num in enumerate(num_tokens) if num > self.max_length]
        if long:
            cut = self.tokenizer([texts[index] for index in long], truncation=True, max_length=self.max_length)
            for index, of_text in zip(long, cut["input_ids"], strict=True):
                ids[index] = of_text
        if not all(ids):
            raise UserError(
                f"--emb_model {self.model.name_or_path}: its tokenizer makes no token of a text; choose another model"
            )
        return ids, num_tokens

    def _first_ids(self, text: str) -> tuple[int, ...] | None:
        return first_ids(token_ids(self.tokenizer, [text])[0], self.max_length + 1)

    def _run(self, batch: list[list[int]]) -> np.ndarray:
        """Return the embeddings of a batch, in halves when memory does not hold the whole."""

        def too_small(ids: list[int]) -> UserError:
            """Return the error for a text that memory does not hold."""
            return UserError(
                f"out of memory on a single text of {len(ids)} tokens; lower --max_length or use a smaller --emb_model"
            )

        with torch.inference_mode():
            parts = in_halves(lambda part, half: self._pooled(part), batch, too_small)
        return np.concatenate([part.cpu().numpy() for part in parts])

    def _pooled(self, batch: Sequence[list[int]]) -> torch.Tensor:
        length = max(map(len, batch))
        padding = self.tokenizer.pad_token_id or 0
        device = self.model.device
        padded = [ids + [padding] * (length - len(ids)) for ids in batch]
        input_ids = torch.tensor(padded, device=device)  # (texts, length)
        lengths = torch.tensor([len(ids) for ids in batch], device=device)  # (texts,)
        mask = torch.arange(length, device=device) < lengths[:, None]  # (texts, length)
        hidden = self.model(input_ids=input_ids, attention_mask=mask.long()).last_hidden_state.float()
        pooled = pool(hidden, lengths, self.pooling)
        if not pooled.isfinite().all():
            raise UserError(f"{self.model.name_or_path}: gave no finite numbers for a text; choose another --emb_model")
        return torch.nn.functional.normalize(pooled, dim=1)


def pool(hidden: torch.Tensor, lengths: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return a vector for each text, (texts, dimension), from its own tokens; those after its length are padding.

    `hidden` is (texts, length, dimension), `lengths` (texts,).
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "lasttoken":
        return hidden[torch.arange(len(lengths), device=hidden.device), lengths - 1]
    mask = (torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None])[:, :, None]  # (texts, length, 1)
    if pooling == "max":
        return hidden.masked_fill(~mask, -torch.inf).amax(dim=1)
    return (hidden * mask).sum(dim=1) / lengths[:, None]


def load_embedder(
    source: ModelSource,
    device_name: str,
    max_length: int,
    batch_size: int | None,
    trust_remote_code: bool,
    pooling: str = "mean",
) -> Embedder:
    """Return the model in float32 on a device, ready to run, with the pooling of `find_pooling`.

    Raises UserError when it cannot be loaded or reads too little.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = choose_device(device_name)
    options = {
        "revision": source.revision or "main",
        "local_files_only": source.in_cache or source.is_local,
        "trust_remote_code": trust_remote_code,
    }
    try:
        check_config(source.location, options)
        tokenizer = tokenizer_from(source.location, **options)
        model, info = AutoModel.from_pretrained(
            source.location, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except LOAD_ERRORS as error:
        raise UserError(f"--emb_model {source.name}: cannot be loaded: {fault_of(error)}") from None
    needed = {
        key: [name for name in info[key] if "pooler" not in str(name)] for key in ("missing_keys", "mismatched_keys")
    }
    check_weights(needed, f"--emb_model {source.name}", "a sentence model")
    if model.config.is_encoder_decoder:
        raise UserError(
            f"--emb_model {source.name}: is an encoder with a decoder; wanted a sentence model such as all-minilm-l6-v2"
        )
    check_context(model.config, source.name, max_length)
    if device.type == "cpu":
        keep_freed_memory()
    batch_size = batch_size or (8 if device.type == "cpu" else 64)
    tokens_per_batch = batch_size * min(max_length, LONGEST_OF_BATCH)
    return Embedder(model.eval().to(device), tokenizer, max_length, tokens_per_batch, pooling)
