"""Scoring: batches equal the published method one by one, whatever the budget and the workers; memory may run out."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from models.batch_models import BatchModel, PaddedModel
from models.causal_lm import load_batch_models
from models.sequences import TokenSequence, encode_chunk
from models.shared_sequences import SharedSequence
from models.source import find_model
from published_method import published_losses
from scoring.scorer import Scorer
from shared.cli import UserError
from tiny_models import each_alone, load_tiny, random_sequences

CPU = torch.device("cpu")
RECORDS = [
    {"instruction": "Name three colours of leaves.", "input": "", "output": "Red, yellow and brown."},
    {"instruction": "What is it?", "input": "seven times eight", "output": "Fifty-six."},
    {"instruction": "Translate.", "input": None, "output": "東京は日本の首都です。"},
    {"instruction": "Go on.", "output": "Where is the station? " * 3},
    {"instruction": "Où est la gare ?", "input": "", "output": "Là-bas."},
]


def load(folder: Path, max_length: int = 64) -> dict[str, BatchModel]:
    models, _ = load_batch_models(find_model(str(folder)), "float32", CPU, max_length)
    return models


@dataclass
class Faulty:
    """A model whose batches fail where `fault` says so; `seen` has their numbers of sequences."""

    model: BatchModel
    fault: Callable[[list[SharedSequence]], Exception | None]
    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vocabulary, self.batch_size_of = self.model.vocabulary, self.model.batch_size_of
        self.short_context = self.model.short_context

    def token_nll(self, batch: list[SharedSequence]) -> torch.Tensor:
        self.seen.append(len(batch))
        error = self.fault(batch)
        if error is not None:
            raise error
        return self.model.token_nll(batch)


def out_of_memory_above_100_tokens(batch: list[SharedSequence]) -> Exception | None:
    return torch.OutOfMemoryError("injected") if sum(map(len, batch)) > 100 else None


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize("tokens_per_batch", [1, 100, 10_000])
@pytest.mark.parametrize("num_workers", [1, 2])
def test_batches_agree_with_the_published_method(
    model_fixture: str, tokens_per_batch: int, num_workers: int, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model_fixture)
    model, tokenizer = load_tiny(folder, use_kernels=False)
    pairs = encode_chunk(tokenizer, RECORDS, "none", 64)
    sequences = [sequence for pair in pairs for sequence in (pair.direct, pair.conditioned)]
    expected = []
    for record in RECORDS:
        prompt = record["instruction"] + "\n" + (record.get("input") + "\n" if record.get("input") else "")
        expected += published_losses(model, tokenizer, prompt, record["output"], 64)
    for models in (load(folder), {"float32": PaddedModel(load_tiny(folder)[0])}):
        with Scorer(models, tokens_per_batch, num_workers) as scorer:
            assert scorer.mean_nll(sequences) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tokens_per_batch", [1, 64, 200, 100_000])
def test_losses_come_in_the_order_of_the_sequences(tiny_gpt2: Path, tokens_per_batch: int) -> None:
    models = load(tiny_gpt2)
    sequences = random_sequences([2, 3, 5, 8, 64, 13, 21, 34, 55, 64, 2])
    with torch.inference_mode():
        alone = [models["float32"].token_nll(each_alone([sequence])).mean().item() for sequence in sequences]
    with Scorer(models, tokens_per_batch, 2) as scorer:
        assert scorer.mean_nll(sequences) == pytest.approx(alone, rel=1e-5)


def test_chunks_in_line_get_their_own_losses(tiny_gpt2: Path) -> None:
    sequences = random_sequences([20, 30, 40, 50, 60, 10])
    with Scorer(load(tiny_gpt2), 64, 2) as scorer:
        first, second = scorer.submit(sequences[:4]), scorer.submit(sequences[4:])
        means = [loss.mean for loss in second.result() + first.result()]
        assert means == pytest.approx(scorer.mean_nll(sequences[4:] + sequences[:4]), rel=1e-5)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_each_sequence_has_its_own_token_losses_whose_mean_is_its_loss(tiny_gpt2: Path, num_workers: int) -> None:
    sequences = random_sequences([20, 64, 3, 50, 2, 10])
    with Scorer(load(tiny_gpt2), 64, num_workers) as scorer:
        losses = scorer.submit(sequences).result()
    assert [len(loss.token_nll) for loss in losses] == [sequence.num_scored for sequence in sequences]
    assert [loss.mean for loss in losses] == [loss.token_nll.astype(float).mean() for loss in losses]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """A product is not spread over threads, in those that begin now neither."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_number_of_workers_does_not_change_a_bit(
    model_fixture: str, one_thread: None, request: pytest.FixtureRequest
) -> None:
    folder, max_length = request.getfixturevalue(model_fixture), {"tiny_gpt2": 64, "tiny_llama": 256}[model_fixture]
    sequences = random_sequences([length for length in (9, 33, 60, 130, 250, 256) if length <= max_length] * 6)
    for models in (load(folder, max_length), {"float32": PaddedModel(load_tiny(folder, max_length)[0])}):
        losses = []
        for num_workers in (1, 2, 3):
            with Scorer(models, 300, num_workers) as scorer:
                losses.append(scorer.mean_nll(sequences))
        assert losses[0] == losses[1] == losses[2]


def test_each_of_several_workers_runs_on_one_thread(tiny_gpt2: Path) -> None:
    num_threads: list[int] = []
    watched = Faulty(load(tiny_gpt2)["float32"], lambda batch: num_threads.append(torch.get_num_threads()))
    with Scorer({"float32": watched}, 1, 2) as scorer:
        scorer.mean_nll(random_sequences([20, 30, 40]))
    assert num_threads == [1, 1, 1]


def test_sequences_go_to_the_model_of_their_dtype(tiny_gpt2: Path, tiny_llama: Path) -> None:
    models = {"float32": load(tiny_gpt2)["float32"], "bfloat16": load(tiny_llama)["float32"]}  # any two that differ
    sequences = random_sequences([20, 30])
    with Scorer(models, 64) as scorer, torch.inference_mode():
        for dtype, model in models.items():
            found = [loss.token_nll for loss in scorer.submit(sequences, dtype).result()]
            assert np.concatenate(found) == pytest.approx(model.token_nll(each_alone(sequences)).numpy(), rel=1e-5)


def test_out_of_memory_halves_the_batch_and_loses_nothing(tiny_gpt2: Path) -> None:
    models = load(tiny_gpt2)
    faulty = Faulty(models["float32"], out_of_memory_above_100_tokens)
    sequences = random_sequences([40, 40, 12, 40, 40, 40, 40, 40, 40])
    with Scorer(models, 10_000) as scorer:
        expected = scorer.mean_nll(sequences)
    with Scorer({"float32": faulty}, 10_000) as scorer:
        assert scorer.mean_nll(sequences) == pytest.approx(expected, rel=1e-5)
    # 332 tokens fail; 160 fail, 80 and 80 do not; 172 fail, 80 and 40 + 40 + 12 do not.
    assert faulty.seen == [9, 4, 2, 2, 5, 2, 3]


def test_later_batches_are_made_small_enough_after_memory_ran_out(tiny_gpt2: Path) -> None:
    faulty = Faulty(load(tiny_gpt2)["float32"], out_of_memory_above_100_tokens)
    sequences = random_sequences([40] * 4)
    with Scorer({"float32": faulty}, 10_000) as scorer:
        scorer.mean_nll(sequences)
        assert faulty.seen == [4, 2, 2]
        assert scorer.tokens_per_batch == 80  # half of 160
        scorer.mean_nll(sequences)
    assert faulty.seen == [4, 2, 2, 2, 2]


def test_budget_falls_once_for_all_batches_that_were_made_under_it(tiny_gpt2: Path) -> None:
    all_made = threading.Event()

    def fails_late(batch: list[SharedSequence]) -> Exception | None:
        all_made.wait(10)
        return out_of_memory_above_100_tokens(batch)

    with Scorer({"float32": Faulty(load(tiny_gpt2)["float32"], fails_late)}, 120) as scorer:
        pending = scorer.submit(random_sequences([40] * 15))
        all_made.set()
        pending.result()
        # Five batches of 120 tokens fail: they show that 120 are too many, not that 120 / 2 ** 5 are.
        assert scorer.tokens_per_batch == 60


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("injected"), MemoryError(), RuntimeError("can't allocate memory: 9 bytes")]
)
def test_out_of_memory_on_one_sequence_is_a_users_error(tiny_gpt2: Path, error: Exception, num_workers: int) -> None:
    faulty = Faulty(load(tiny_gpt2)["float32"], lambda batch: error)
    with (
        Scorer({"float32": faulty}, 64, num_workers) as scorer,
        pytest.raises(UserError, match="out of memory on a single sequence of 40 tokens; lower --max_length"),
    ):
        scorer.mean_nll(random_sequences([40]))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_other_runtime_errors_are_not_taken_for_memory(tiny_gpt2: Path, num_workers: int) -> None:
    faulty = Faulty(load(tiny_gpt2)["float32"], lambda batch: RuntimeError("shapes do not match"))
    with (
        Scorer({"float32": faulty}, 64, num_workers) as scorer,
        pytest.raises(RuntimeError, match="shapes do not match"),
    ):
        scorer.mean_nll(random_sequences([40, 30]))
    assert faulty.seen[0] == 1  # and no batch was halved


def test_batches_that_have_not_begun_are_dropped_at_the_end(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ctrl-C must not wait for a chunk in line. The first batch holds the only worker until the others are dropped.
    dropped, shutdown = threading.Event(), ThreadPoolExecutor.shutdown

    def drop(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        dropped.set()
        shutdown(pool, wait=wait)

    def hold(batch: list[SharedSequence]) -> None:
        assert dropped.wait(60)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", drop)
    faulty = Faulty(load(tiny_gpt2)["float32"], hold)
    with Scorer({"float32": faulty}, 1) as scorer:
        scorer.submit(random_sequences([40] * 20))
    assert len(faulty.seen) <= 1


def test_token_id_beyond_the_embeddings_is_a_users_error(tiny_gpt2: Path) -> None:
    with (
        Scorer(load(tiny_gpt2), 64) as scorer,
        pytest.raises(UserError, match="token id 400, but the model has 400 embeddings"),
    ):
        scorer.submit([TokenSequence([1, 400, 2], 1)])


def test_no_sequences_give_no_losses(tiny_gpt2: Path) -> None:
    with Scorer(load(tiny_gpt2), 64) as scorer:
        assert scorer.mean_nll([]) == []


@pytest.mark.parametrize("num_workers", [1, 2])
def test_every_batch_is_reported(tiny_gpt2: Path, num_workers: int) -> None:
    finished: list[int] = []
    with Scorer(load(tiny_gpt2), 64, num_workers) as scorer:
        scorer.submit(random_sequences([20, 30, 40, 50])).result(finished.append)
    assert sorted(finished) == [1, 1, 2]  # 50, 40, then 30 and 20 together: 30 + 20 <= 64; as they finish
