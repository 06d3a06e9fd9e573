"""One experiment: what its runs share, a run of one arm with one seed, and the settings that decide its numbers."""

import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from models.sequences import check_vocabulary
from models.source import ModelSource, find_model, installed_versions
from records.conversations import Fields, check_records
from records.dataset import Dataset
from selection.ifd import num_selected
from selection.scored_dataset import read_scores
from shared.cli import UserError
from training.arms import Candidates, Split, draw_arm, draw_batches, split_records
from training.held_out import EncodedDataset, encode_dataset, held_out_losses
from training.proof_table import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FORMAT = 1


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
    held_out_rate: Decimal  # of all records that can be trained on
    split_seed: int
    num_steps: int
    batch_size: int  # records of a step
    learning_rate: Decimal
    lora_rank: int  # 0 trains all weights


@dataclass(frozen=True)
class Experiment:
    """All that the runs share."""

    settings: ExperimentSettings
    source: ModelSource
    encoded: EncodedDataset
    split: Split
    candidates: Candidates
    num_wanted: int  # records of an arm

    def run(self, arm: str, seed: int | None, on_step: Callable[[], object]) -> Run:
        """Train a fresh model on one arm; return its losses on the held-out records, and what it cost.

        Without a seed it stays untrained. Raises UserError when the training diverges.
        """
        import torch

        started, cpu_started = time.perf_counter(), time.process_time()
        model, _ = load_model(self.source, self.settings.device, self.settings.max_length)
        result: Run = {
            "arm": arm,
            "seed": seed,
            "num_records": 0,
            "trained_tokens": 0,
            "trained_response_tokens": 0,
            "training_losses": [],
        }
        if seed is not None:
            records = draw_arm(arm, self.candidates, self.num_wanted, float(self.settings.filter_threash), seed)
            result |= {"num_records": len(records)} | self._train(model, records, seed, on_step)
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

    def _train(self, model: "PreTrainedModel", records: list[int], seed: int, on_step: Callable[[], object]) -> Run:
        from training.fine_tuning import Recipe, fine_tune

        batches = [
            self.encoded.of(batch)
            for batch in draw_batches(records, self.settings.num_steps, self.settings.batch_size, seed)
        ]
        losses = fine_tune(
            model, batches, Recipe(float(self.settings.learning_rate), self.settings.lora_rank), seed, on_step
        )
        drawn = [sequence for batch in batches for sequence in batch]
        return {
            "trained_tokens": sum(len(sequence.input_ids) for sequence in drawn),
            "trained_response_tokens": sum(sequence.num_scored for sequence in drawn),
            "training_losses": losses,
        }


def load_model(source: ModelSource, device: str, max_length: int) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return the model as it was before any training, and its tokenizer. Raises UserError when it cannot be loaded."""
    import torch

    from models.causal_lm import choose_device, load_causal_lm

    # The faster kernels are for inference only.
    return load_causal_lm(source, torch.float32, choose_device(device), max_length, use_kernels=False)


def prepare(settings: ExperimentSettings, arms: Sequence[str], dataset: Dataset) -> Experiment:
    """Read and check everything before any training, the arms too. Raises UserError for what would only show later."""
    check_records(dataset.records(), dataset.path, settings.fields)
    scores = list(read_scores(dataset, settings.key_name))
    source = find_model(settings.model_name_or_path)
    if settings.lora_rank:
        from training.fine_tuning import import_peft

        import_peft()
    model, tokenizer = load_model(source, settings.device, settings.max_length)
    encoded = encode_dataset(dataset, tokenizer, settings.prompt, settings.max_length, settings.fields)
    highest = max((max(sequence.input_ids) for found in encoded.sequences for sequence in found), default=0)
    check_vocabulary(highest, model.get_input_embeddings().get_parameter("weight").shape[0])
    split = split_records(encoded.questions(), settings.held_out_rate, settings.split_seed)
    num_wanted = num_selected(settings.sample_rate, len(split.pool))
    if not num_wanted:
        raise UserError(
            f"--sample_rate {settings.sample_rate}: of {len(split.pool)} records to train on that is none; "
            "give a higher rate"
        )
    lengths = [sum(sequence.num_scored for sequence in found) for found in encoded.sequences]
    candidates = Candidates(split.pool, scores, lengths)
    for arm in arms:
        draw_arm(arm, candidates, num_wanted, float(settings.filter_threash), seed=0)
    return Experiment(settings, source, encoded, split, candidates, num_wanted)


def describe_experiment(experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    """Return the settings that decide the numbers of a run; more seeds or arms may be added to a journal later."""
    settings = experiment.settings
    names = ("prompt", "max_length", "fields", "key_name", "split_seed", "num_steps", "batch_size", "lora_rank")
    decimals = ("learning_rate", "sample_rate", "filter_threash", "held_out_rate")
    packages = {"peft": importlib.metadata.version("peft")} if settings.lora_rank else {}
    return {
        "format": FORMAT,
        "model": experiment.source.name,
        "model_fingerprint": experiment.source.fingerprint,
        "data_sha256": dataset.sha256(),
        **{name: getattr(settings, name) for name in names},
        **{name: float(getattr(settings, name)) for name in decimals},
        "versions": installed_versions() | packages,
    }
