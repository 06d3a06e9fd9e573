"""One experiment: what its runs share, a run of one arm with one seed, and the settings that decide its numbers."""

import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from models.sequences import check_vocabulary
from models.source import ModelSource, find_model, installed_versions
from records.conversations import Fields, check_records
from records.dataset import Dataset
from selection.ifd import num_selected
from selection.scored_dataset import NumberColumns, read_numbers
from shared.cli import UserError
from training.arms import OF_UPPER, UPPER_KEY, Amount, Candidates, Split, draw_arm, split_records
from training.batches import Budget, draw_batches
from training.held_out import EncodedDataset, encode_dataset, held_out_losses
from training.planting import read_planted
from training.proof_table import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = 2
# An arm with a seed; the untrained model has none.
Plan = Sequence[tuple[str, int | None]]


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
    candidates: Candidates
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
        losses = held_out_losses(model, held_out, self.settings.max_length)
        if not all(map(math.isfinite, losses)):
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
        records = draw_arm(arm, self.candidates, self.amount, seed)
        return records, draw_batches(records, self.candidates.lengths, self.settings.budget, seed)

    def _describe(self, records: list[int], batches: list[list[int]]) -> Run:
        """Return what an arm has, and what a run on it sees of that."""
        lengths = self.candidates.lengths
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


def prepare(settings: ExperimentSettings, plan: Plan, dataset: Dataset) -> Experiment:
    """Read and check everything before any training, all that runs will draw too.

    Raises UserError for what would only show later.
    """
    check_records(dataset.records(), dataset.path, settings.fields)
    scores = read_keys(dataset, settings.key_name, [arm for arm, _ in plan])
    planted = read_planted(dataset)
    source = find_model(settings.model_name_or_path)
    if settings.lora_rank:
        from training.fine_tuning import import_peft

        import_peft()
    model, tokenizer = load_model(source, settings.device, settings.max_length)
    encoded = encode_dataset(dataset, tokenizer, settings.prompt, settings.max_length, settings.fields)
    highest = max((max(sequence.input_ids) for found in encoded.sequences for sequence in found), default=0)
    check_vocabulary(highest, model.get_input_embeddings().get_parameter("weight").shape[0])
    split = split_records(encoded.questions(), settings.held_out_rate, settings.split_seed, planted)
    lengths = [sum(sequence.num_scored for sequence in found) for found in encoded.sequences]
    candidates = Candidates(
        split.pool, scores, lengths, settings.key_name, float(settings.filter_threash), settings.length_groups
    )
    experiment = Experiment(settings, source, encoded, split, candidates, amount_of(settings, candidates), planted)
    for arm, seed in plan:
        if seed is not None:
            experiment.draw(arm, seed)
    return experiment


def read_keys(dataset: Dataset, key_name: str, arms: Sequence[str]) -> NumberColumns:
    """Return the scores that these arms go by. Raises UserError where the dataset lacks them."""
    scores = read_numbers(dataset, (key_name,))
    of_upper = [arm for arm in dict.fromkeys(arms) if arm in OF_UPPER]
    if not of_upper or key_name == UPPER_KEY:
        return scores
    try:
        return scores | read_numbers(dataset, (UPPER_KEY,))
    except UserError as error:
        raise UserError(f"{error}; or leave {' and '.join(of_upper)} out of --arms") from None


def amount_of(settings: ExperimentSettings, candidates: Candidates) -> Amount:
    """Return how much of the pool an arm takes. Raises UserError when that is nothing."""
    is_tokens = settings.sample_by == "tokens"
    pool = candidates.pool
    size = sum(candidates.lengths[index] for index in pool) if is_tokens else len(pool)
    amount = Amount(num_selected(settings.sample_rate, size), is_tokens)
    if not amount.number:
        raise UserError(
            f"--sample_rate {settings.sample_rate}: of {len(pool)} records to train on that is none; give a higher rate"
        )
    return amount


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
