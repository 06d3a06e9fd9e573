"""The held-out records of a training run: their token sequences, and a model's losses on them."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from models.sequences import TokenSequence, encode_chunk
from records.conversations import Fields, exchanges
from records.dataset import Dataset
from records.record import Skipped

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class EncodedDataset:
    """The sequences of each record, prompt and response.

    A plain record has one, a conversation one for each turn; there is none where step 1 gives no score.
    """

    sequences: list[list[TokenSequence]]

    def of(self, records: list[int]) -> list[TokenSequence]:
        """Return the sequences of these records, in order."""
        return list(chain.from_iterable(self.sequences[index] for index in records))

    def questions(self) -> list[Hashable | None]:
        """Return what each record asks, as token ids; None for a record without a sequence."""
        return [tuple(found[0].input_ids[: found[0].first_scored]) if found else None for found in self.sequences]


def encode_dataset(
    dataset: Dataset, tokenizer: "PreTrainedTokenizerBase", template: str, max_length: int, fields: Fields
) -> EncodedDataset:
    """Return the sequences that step 1 scores after their prompts, by record. Raises UserError as `exchanges` does."""
    sequences = []
    for index, record in enumerate(dataset.records()):
        pairs = encode_chunk(
            tokenizer, exchanges(record, fields, f"{dataset.path}: record {index}"), template, max_length
        )
        sequences.append([pair.conditioned for pair in pairs if not isinstance(pair, Skipped)])
    return EncodedDataset(sequences)


def held_out_losses(model: "PreTrainedModel", sequences: list[TokenSequence], max_length: int) -> list[float]:
    """Return each response's mean negative log-likelihood given its prompt, nats per token, computed as step 1 does."""
    from models.batch_models import PaddedModel
    from models.causal_lm import pack_model
    from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch

    padded = PaddedModel(model)
    models = pack_model(padded, {"float32"}, max_length) or {"float32": padded}
    with Scorer(models, default_tokens_per_batch(model.device), default_num_workers(models)) as scorer:
        return scorer.mean_nll(sequences)
