"""One experiment: what its runs share, a run of one arm with one seed, and the settings that decide its numbers."""

import importlib.metadata
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from models.source import ModelSource, installed_versions
from records.conversations import Fields
from records.dataset import Dataset
from shared.cli import UserError
from training.arms import Amount, Pool, Split, draw_arm
from training.batches import Budget, draw_batches
from training.held_out import EncodedDataset, held_out_losses
from training.proof_table import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = 2


@dataclass(frozen=True)
class ExperimentSettings:
    """What decides the numbers of a run, beside the dataset; the device alone does not."""

    model_name_or_path: str
    device: str
    prompt: str  # name of a template
    max_length: int  # tokens of prompt and response
    fields: Fields
    key_name: str
    filter_threash: Decimal
    sample_rate: Decimal  # of the pool
    sample_by: Literal["records", "tokens"]  # what that is a share of
    length_groups: int
    held_out_rate: Decimal  # of all records that can be trained on
    split_seed: int
    num_steps: int
    tokens_per_step: int | None  # response tokens; None where batch_size is given
    batch_size: int | None  # records of a step
    learning_rate: Decimal
    lora_rank: int  # 0 trains all weights

    @property
    def budget(self) -> Budget:
        """How much every run trains on."""
        return Budget(self.num_steps, self.tokens_per_step, self.batch_size)


@dataclass(frozen=True)
class Experiment:
    """All that the runs share."""

    settings: ExperimentSettings
    source: ModelSource
    encoded: EncodedDataset
    split: Split
    pool: Pool
    amount: Amount  # of an arm
    planted: list[bool] | None  # of each record; None where nothing is known of planted mistakes

    def run(self, arm: str, seed: int | None, on_step: Callable[[], object]) -> Run:
        """Train a fresh model on one arm; return its losses on the held-out records, and what it cost.

        Without a seed it stays untrained. Raises UserError when the training diverges.
        """
        import torch

        started, cpu_started = time.perf_counter(), time.process_time()
        model, _ = load_model(self.source, self.settings.device, self.settings.max_length)
        result: Run = {"arm": arm, "seed": seed, **self._describe([], [])}
        if seed is not None:
            records, batches = self.draw(arm, seed)
            result |= self._describe(records, batches)
            result["training_losses"] = self._train(model, batches, seed, on_step)
        held_out = self.encoded.of(self.split.held_out)
        is_finite = all(parameter.isfinite().all() for parameter in model.parameters())
        losses = held_out_losses(model, held_out, self.settings.max_length) if is_finite else []
        if not is_finite or not all(map(math.isfinite, losses)):
            raise UserError(
                f"arm {arm}, seed {seed}: the trained model gives no finite loss on held-out records; "
                "lower --learning_rate"
            )
        return result | {
            "losses": losses,
            "tokens": [sequence.num_scored for sequence in held_out],
            "num_threads": torch.get_num_threads(),
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_seconds": round(time.process_time() - cpu_started, 1),  # on a busy machine far fewer
        }

    def draw(self, arm: str, seed: int) -> tuple[list[int], list[list[int]]]:
        """Return the records of an arm, and those of each step. Raises UserError where the data has too few."""
        records = draw_arm(arm, self.pool, self.amount, seed)
        return records, draw_batches(records, self.pool.lengths, self.settings.budget, seed)

    def _describe(self, records: list[int], batches: list[list[int]]) -> Run:
        """Return what an arm has, and what a run on it sees of that."""
        lengths = self.pool.lengths
        seen = [index for batch in batches for index in batch]
        return {
            "num_records": len(records),
            "num_planted": None if self.planted is None else sum(self.planted[index] for index in records),
            "response_tokens": sum(lengths[index] for index in records),
            "trained_records": len(seen),
            "trained_response_tokens": sum(lengths[index] for index in seen),
            "trained_tokens": sum(len(sequence.input_ids) for sequence in self.encoded.of(seen)),
            "training_losses": [],
        }

    def _train(
        self, model: "PreTrainedModel", batches: list[list[int]], seed: int, on_step: Callable[[], object]
    ) -> list[float]:
        from training.fine_tuning import Recipe, fine_tune

        recipe = Recipe(float(self.settings.learning_rate), self.settings.lora_rank)
        return fine_tune(model, [self.encoded.of(batch) for batch in batches], recipe, seed, on_step)


def load_model(source: ModelSource, device: str, max_length: int) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return the model as it was before any training, and its tokenizer. Raises UserError when it cannot be loaded."""
    import torch

    from models.causal_lm import choose_device, load_causal_lm

    # The faster kernels are for inference only.
    return load_causal_lm(source, torch.float32, choose_device(device), max_length, use_kernels=False)


def describe_experiment(experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    """Return the settings that decide the numbers of a run; more seeds or arms may be added to a journal later."""
    settings = experiment.settings
    of_data = ("prompt", "max_length", "fields", "key_name", "split_seed", "sample_by", "length_groups")
    of_training = ("num_steps", "tokens_per_step", "batch_size", "lora_rank")
    decimals = ("learning_rate", "sample_rate", "filter_threash", "held_out_rate")
    packages = {"peft": importlib.metadata.version("peft")} if settings.lora_rank else {}
    return {
        "format": FORMAT,
        "model": experiment.source.name,
        "model_fingerprint": experiment.source.fingerprint,
        "data_sha256": dataset.sha256(),
        **{name: getattr(settings, name) for name in of_data + of_training},
        **{name: float(getattr(settings, name)) for name in decimals},
        "versions": installed_versions() | packages,
    }
