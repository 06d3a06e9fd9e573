"""From token sequences to their losses: batches under a token budget, spread over the cores.

On a CPU every core runs batches of its own: a product split over cores waits for the slowest of them at every layer.
A sequence's loss depends on its batch alone, so it does not depend on the number of cores. What several sequences begin
with is read once for all of them.
"""

import concurrent.futures
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch

from models.batch_models import BatchModel
from models.out_of_memory import in_halves
from models.sequences import TokenSequence, check_vocabulary
from models.shared_sequences import Place, SharedSequence, share
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

    def __init__(self, futures: dict[concurrent.futures.Future, list[int]], places: list[Place]) -> None:
        self._futures = futures  # and the numbers of their shared sequences
        self._places = places  # of each sequence

    def result(self, on_batch: Callable[[int], None] = lambda num: None) -> list[SequenceLoss]:
        """Return the loss of each sequence, in order.

        `on_batch` hears the number of sequences of every finished batch. Raises UserError when memory does not hold a
        single sequence.
        """
        num_served = Counter(place.shared for place in self._places)
        batches = []
        for future in concurrent.futures.as_completed(self._futures):
            batches.append((self._futures[future], future.result()))
            on_batch(sum(num_served[number] for number in self._futures[future]))
        if not batches:
            return []
        # One transfer from the device for all sequences.
        token_nll = torch.cat([nll for _, (nll, _) in batches]).cpu().numpy()
        ends = np.cumsum([num for _, (_, nums) in batches for num in nums])[:-1]
        numbers = [number for numbers, _ in batches for number in numbers]
        of_shared = dict(zip(numbers, np.split(token_nll, ends), strict=True))
        return [_loss_of(of_shared[place.shared][place.start : place.stop]) for place in self._places]


def _loss_of(token_nll: np.ndarray) -> SequenceLoss:
    # Sums of many small numbers: in float64 their order does not show.
    return SequenceLoss(float(token_nll.mean(dtype=np.float64)), token_nll)


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
        shared, places = share(sequences, model.short_context)
        check_vocabulary(max((int(one.input_ids.max()) for one in shared), default=0), model.vocabulary)
        # Longest first: what does not fit in memory shows at once, not after an hour; and no core is left alone with a
        # long batch at the end.
        waiting = sorted(range(len(shared)), key=lambda number: -len(shared[number]))
        futures = {}
        tokens_per_batch = self.tokens_per_batch  # one for the chunk: a worker may lower it at any moment
        while waiting:
            size = model.batch_size_of([len(shared[number]) for number in waiting], tokens_per_batch)
            numbers, waiting = waiting[:size], waiting[size:]
            futures[self._pool.submit(self._run, model, [shared[number] for number in numbers])] = numbers
        return PendingLosses(futures, places)

    def mean_nll(self, sequences: list[TokenSequence], dtype: str = "float32") -> list[float]:
        """Return each sequence's mean negative log-likelihood over its scored tokens, in nats per token, in order."""
        return [loss.mean for loss in self.submit(sequences, dtype).result()]

    def _run(self, model: BatchModel, batch: list[SharedSequence]) -> tuple[torch.Tensor, list[int]]:
        """Return the losses of a batch's scored tokens, on the model's device, and how many each sequence has.

        A batch that memory does not hold runs in halves.
        """
        with torch.inference_mode():
            parts = in_halves(lambda part, half: model.token_nll(part), batch, self._too_small, self._lower_budget)
            return torch.cat(parts), [len(sequence.scored) for sequence in batch]

    def _too_small(self, sequence: SharedSequence) -> UserError:
        return UserError(
            f"out of memory on a single sequence of {len(sequence)} tokens; lower --max_length or use a smaller model"
        )

    def _lower_budget(self, batch: Sequence[SharedSequence]) -> None:
        num_tokens = sum(map(len, batch))
        self.tokens_per_batch = max(min(self.tokens_per_batch, num_tokens // 2), 1)
