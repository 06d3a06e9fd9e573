"""One experiment: what its runs share, a run of one arm with one seed, and the settings that decide its numbers."""

import argparse
import importlib.metadata
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.sequences import check_vocabulary
from models.source import ModelSource, find_model, installed_versions
from records.conversations import check_records
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
class Experiment:
    """All that the runs share."""

    args: argparse.Namespace
    source: ModelSource
    encoded: EncodedDataset
    split: Split
    candidates: Candidates
    num_wanted: int  # records of an arm

    def run(self, arm: str, seed: int | None, on_step: Callable[[], object]) -> Run:
        """Train a fresh model on one arm and return the finished run: its losses on the held-out records, and what it cost.

        Without a seed it stays untrained. Raises UserError when the training diverges.
        """
        import torch

        started, cpu_started = time.perf_counter(), time.process_time()
        model, _ = load_model(self.args, self.source)
        result: Run = {
            "arm": arm,
            "seed": seed,
            "num_records": 0,
            "trained_tokens": 0,
            "trained_response_tokens": 0,
            "training_losses": [],
        }
        if seed is not None:
            records = draw_arm(arm, self.candidates, self.num_wanted, float(self.args.filter_threash), seed)
            result |= {"num_records": len(records)} | self._train(model, records, seed, on_step)
        held_out = self.encoded.of(self.split.held_out)
        losses = held_out_losses(model, held_out, self.args.max_length)
        if not all(map(math.isfinite, losses)):
            raise UserError(
                f"arm {arm}, seed {seed}: the trained model gives no finite loss on held-out records; lower --learning_rate"
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
            self.encoded.of(batch) for batch in draw_batches(records, self.args.num_steps, self.args.batch_size, seed)
        ]
        losses = fine_tune(model, batches, Recipe(float(self.args.learning_rate), self.args.lora_rank), seed, on_step)
        drawn = [sequence for batch in batches for sequence in batch]
        return {
            "trained_tokens": sum(len(sequence.input_ids) for sequence in drawn),
            "trained_response_tokens": sum(sequence.num_scored for sequence in drawn),
            "training_losses": losses,
        }


def load_model(args: argparse.Namespace, source: ModelSource) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return the model as it was before any training, and its tokenizer. Raises UserError when it cannot be loaded."""
    import torch

    from models.causal_lm import choose_device, load_causal_lm

    # The faster kernels are for inference only.
    return load_causal_lm(source, torch.float32, choose_device(args.device), args.max_length, use_kernels=False)


def prepare(args: argparse.Namespace, dataset: Dataset) -> Experiment:
    """Read and check everything before any training. Raises UserError for what would only show later."""
    check_records(dataset.records(), dataset.path, args.fields)
    scores = list(read_scores(dataset, args.key_name))
    source = find_model(args.model_name_or_path)
    if args.lora_rank:
        from training.fine_tuning import import_peft

        import_peft()
    model, tokenizer = load_model(args, source)
    encoded = encode_dataset(dataset, tokenizer, args.prompt, args.max_length, args.fields)
    highest = max((max(sequence.input_ids) for found in encoded.sequences for sequence in found), default=0)
    check_vocabulary(highest, model.get_input_embeddings().weight.shape[0])
    split = split_records(encoded.questions(), args.held_out_rate, args.split_seed)
    num_wanted = num_selected(args.sample_rate, len(split.pool))
    if not num_wanted:
        raise UserError(
            f"--sample_rate {args.sample_rate}: of {len(split.pool)} records to train on that is none; give a higher rate"
        )
    lengths = [sum(sequence.num_scored for sequence in found) for found in encoded.sequences]
    candidates = Candidates(split.pool, scores, lengths)
    for arm in args.arms:
        draw_arm(arm, candidates, num_wanted, float(args.filter_threash), seed=0)
    return Experiment(args, source, encoded, split, candidates, num_wanted)


def describe(experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    """Return the settings that decide the numbers of a run; more seeds or arms may be added to a journal later."""
    args = experiment.args
    names = ("prompt", "max_length", "fields", "key_name", "split_seed", "num_steps", "batch_size", "lora_rank")
    decimals = ("learning_rate", "sample_rate", "filter_threash", "held_out_rate")
    packages = {"peft": importlib.metadata.version("peft")} if args.lora_rank else {}
    return {
        "format": FORMAT,
        "model": experiment.source.name,
        "model_fingerprint": experiment.source.fingerprint,
        "data_sha256": dataset.sha256(),
        **{name: getattr(args, name) for name in names},
        **{name: float(getattr(args, name)) for name in decimals},
        "versions": installed_versions() | packages,
    }
