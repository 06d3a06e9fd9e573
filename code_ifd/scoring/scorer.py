"""From token sequences to their losses: batches under a token budget, spread over the cores.

On a CPU every core runs batches of its own: a product split over cores waits for the slowest of them at every layer.
A sequence's loss depends on its batch alone, so it does not depend on the number of cores.
"""

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch

from models.batch_models import BatchModel
from models.out_of_memory import in_halves
from models.sequences import TokenSequence, check_vocabulary
from shared.cli import UserError


def default_tokens_per_batch(device: torch.device) -> int:
    """Return a token budget that suits the device: small batches stay in a core's cache, large ones fill a GPU."""
    return 512 if device.type == "cpu" else 16384


def default_num_workers(models: Mapping[str, BatchModel]) -> int:
    """Return one worker for each core, or one in all where a model may not run in several threads at once."""
    return torch.get_num_threads() if all(model.runs_in_threads for model in models.values()) else 1


class SequenceLoss(NamedTuple):
    """A sequence's negative log-likelihood: the mean over its scored tokens, and that of each token, in nats."""

    mean: float
    token_nll: np.ndarray  # (num_scored,) float32


class PendingLosses:
    """The losses of some sequences, while they are being computed."""

    def __init__(self, futures: dict[concurrent.futures.Future, list[int]]) -> None:
        self._futures = futures  # and the indices of their sequences

    def result(self, on_batch: Callable[[int], None] = lambda num: None) -> list[SequenceLoss]:
        """Return the loss of each sequence, in order.

        `on_batch` hears the number of sequences of every finished batch. Raises UserError when memory does not hold a
        single sequence.
        """
        found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for future in concurrent.futures.as_completed(self._futures):
            indices = self._futures[future]
            found.update(zip(indices, future.result(), strict=True))
            on_batch(len(indices))
        if not found:
            return []
        # Two transfers from the device for all sequences.
        losses = [found[index] for index in range(len(found))]
        means = torch.stack([mean for mean, _ in losses]).tolist()
        token_nll = torch.cat([nll for _, nll in losses]).cpu().numpy()
        ends = np.cumsum([len(nll) for _, nll in losses])[:-1]
        return [SequenceLoss(*loss) for loss in zip(means, np.split(token_nll, ends), strict=True)]


class Scorer:
    """One model in one or more dtypes, and the threads that run it. Use it in a `with` statement.

    `tokens_per_batch` falls when memory runs out, and stays there.
    """

    def __init__(self, models: Mapping[str, BatchModel], tokens_per_batch: int, num_workers: int = 1) -> None:
        self.models = models  # by name of the dtype
        self.tokens_per_batch = tokens_per_batch
        # With one worker, torch spreads a product over the cores by itself.
        threads_per_worker = max(torch.get_num_threads() // num_workers, 1)
        self._pool = concurrent.futures.ThreadPoolExecutor(
            num_workers, "scoring", torch.set_num_threads, (threads_per_worker,)
        )

    def __enter__(self) -> "Scorer":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, sequences: list[TokenSequence], dtype: str = "float32") -> PendingLosses:
        """Begin to score sequences with the model in `dtype`. Raises UserError for a token that the model lacks."""
        model = self.models[dtype]
        highest = max((max(sequence.input_ids) for sequence in sequences), default=0)
        check_vocabulary(highest, model.vocabulary)
        # Longest first: what does not fit in memory shows at once, not after an hour; and no core is left alone with a
        # long batch at the end.
        waiting = sorted(range(len(sequences)), key=lambda index: -len(sequences[index].input_ids))
        futures = {}
        tokens_per_batch = self.tokens_per_batch  # one for the chunk: a worker may lower it at any moment
        while waiting:
            size = model.batch_size_of([len(sequences[index].input_ids) for index in waiting], tokens_per_batch)
            indices, waiting = waiting[:size], waiting[size:]
            futures[self._pool.submit(self._run, model, [sequences[index] for index in indices])] = indices
        return PendingLosses(futures)

    def mean_nll(self, sequences: list[TokenSequence], dtype: str = "float32") -> list[float]:
        """Return each sequence's mean negative log-likelihood over its scored tokens, in nats per token, in order."""
        return [loss.mean for loss in self.submit(sequences, dtype).result()]

    def _run(self, model: BatchModel, batch: list[TokenSequence]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the mean, 0-dimensional, and the token losses of each sequence, all on the model's device.

        A batch that memory does not hold runs in halves.
        """
        with torch.inference_mode():
            parts = in_halves(lambda part, half: model.token_nll(part), batch, self._too_small, self._lower_budget)
            nll = torch.cat(parts).split([sequence.num_scored for sequence in batch])
            # Sums of many small numbers: in float64 their order does not show. MPS has no float64.
            return [((part if part.device.type == "mps" else part.double()).mean(), part) for part in nll]

    def _too_small(self, sequence: TokenSequence) -> UserError:
        return UserError(
            f"out of memory on a single sequence of {len(sequence.input_ids)} tokens; "
            "lower --max_length or use a smaller model"
        )

    def _lower_budget(self, batch: Sequence[TokenSequence]) -> None:
        num_tokens = sum(len(sequence.input_ids) for sequence in batch)
        self.tokens_per_batch = max(min(self.tokens_per_batch, num_tokens // 2), 1)
