"""What benchmarks/scoring.py compares: each contender in a process of its own, for its own memory and threads."""

import contextlib
import importlib.util
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from models.causal_lm import DTYPES, load_batch_models
from models.output_head import HEAD_VOCABULARY
from models.packed_decoder import linear
from models.sequences import SequencePair, TokenSequence, encode_chunk
from models.source import find_model
from records.conversations import exchanges
from records.record import Record, Skipped
from scoring.chunks import ChunkScorer
from scoring.mixed import Wanted, read_lines, score_mixed
from scoring.score_journal import ScoreJournal
from scoring.scorer import Scorer, default_num_workers, default_tokens_per_batch

CPU = torch.device("cpu")
RECORDS_PER_CHUNK = 128  # step 1's default
# (exchange, direct loss, conditioned loss) of every exchange that has a score
Losses = list[tuple[int, float, float]]


@dataclass(frozen=True)
class BenchTask:
    """What every contender works on. `folder` holds the model as transformers saves it."""

    model: str
    folder: str
    records: list[Record]
    max_length: int
    num_wanted: int
    filter_threash: float

    def exchanges(self) -> list[Record]:
        """Return the exchanges of all records: one of a plain record, one for each answer of a conversation."""
        return [exchange for record in self.records for exchange in exchanges(record, {})]


class Reference:
    """What the published tool does: one record at a time, two forwards, the library's own loss, whole logits."""

    def __init__(self, task: BenchTask, device: torch.device = CPU) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32).eval().to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(task.folder)
        self.task = task

    def run(self) -> Losses:
        """Return the losses of all exchanges."""
        found = [self.losses(exchange) for exchange in self.task.exchanges()]
        return [(index, *losses) for index, losses in enumerate(found) if losses is not None]

    def losses(self, exchange: Record) -> tuple[float, float] | None:
        """Return the direct and the conditioned loss of an exchange, or None for one that has no score."""
        (pair,) = encode_chunk(self.tokenizer, [exchange], "none", self.task.max_length)
        return None if isinstance(pair, Skipped) else (self._loss(pair.direct), self._loss(pair.conditioned))

    @torch.no_grad()
    def _loss(self, sequence: TokenSequence) -> float:
        input_ids = torch.tensor([sequence.input_ids], device=self.model.device)
        labels = input_ids.clone()
        labels[0, : sequence.first_scored] = -100
        return self.model(input_ids, labels=labels).loss.item()


class Ours:
    """Step 1 in one dtype: chunks, threads, lines to a file; all but reading the dataset and loading the model."""

    def __init__(self, task: BenchTask, dtype: str) -> None:
        models, tokenizer = load_batch_models(find_model(task.model), dtype, CPU, task.max_length)
        scorer = Scorer(models, default_tokens_per_batch(CPU), default_num_workers(models))
        self.chunks = ChunkScorer(scorer, tokenizer, "none", task.max_length, RECORDS_PER_CHUNK)
        self.task, self.dtype = task, dtype

    def run(self) -> Losses:
        """Return the losses of all records."""
        records = self.task.records
        # A journal asks for no more than this of what was scored.
        meta = {"start_idx": 0, "end_idx": len(records), "records_per_window": RECORDS_PER_CHUNK}
        with tempfile.TemporaryDirectory() as folder, ScoreJournal(str(Path(folder) / "scores.jsonl"), meta) as journal:
            if self.dtype == "mixed":
                with contextlib.redirect_stdout(sys.stderr):
                    wanted = Wanted(self.task.num_wanted, self.task.filter_threash, "ifd_ppl")
                    score_mixed(journal, records, self.chunks, wanted)
            else:
                self.chunks.score_rest(journal, records, self.dtype)
            lines = read_lines(journal.path)
        answers = [answer for line in lines for answer in line.get("turns", [line])]
        return [
            (index, answer["loss"][1], answer["loss"][3]) for index, answer in enumerate(answers) if "loss" in answer
        ]


class LmEval:
    """lm-evaluation-harness, where it is installed: the same pairs as its loglikelihood requests, batches of 8."""

    def __init__(self, task: BenchTask) -> None:
        from lm_eval.models.huggingface import HFLM

        self.model = HFLM(
            pretrained=task.folder, dtype="float32", device="cpu", batch_size=8, max_length=task.max_length
        )
        self.tokenizer = AutoTokenizer.from_pretrained(task.folder)
        self.task = task

    def run(self) -> Losses:
        """Return the losses of all records."""
        requests, numbers = [], []
        for index, pair in enumerate(_pairs(self.tokenizer, self.task)):
            if not isinstance(pair, Skipped):
                numbers.append((index, pair.direct.num_scored, pair.conditioned.num_scored))
                for sequence in (pair.direct, pair.conditioned):
                    ids = sequence.input_ids
                    requests.append((("", ""), ids[: sequence.first_scored], ids[sequence.first_scored :]))
        sums = [-float(answer[0]) for answer in self.model._loglikelihood_tokens(requests, disable_tqdm=True)]
        return [
            (index, direct / num_direct, conditioned / num_conditioned)
            for (index, num_direct, num_conditioned), direct, conditioned in zip(
                numbers, sums[::2], sums[1::2], strict=True
            )
        ]


class Floor:
    """The matrix products alone: every linear layer of the model once, and the head, on a batch of random numbers.

    Two ways, of which the faster counts: every core on products of its own, or all cores on one.
    """

    def __init__(self, task: BenchTask, dtype: str) -> None:
        # Shapes only: no weights are loaded. A GPT-2 has its linear layers the other way round.
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(task.folder))
        body = [module.weight.shape for module in model.base_model.modules() if type(module) is torch.nn.Linear]
        body += [
            module.weight.shape[::-1] for module in model.base_model.modules() if type(module).__name__ == "Conv1D"
        ]
        vocabulary, hidden = model.get_output_embeddings().weight.shape
        shapes = list(map(tuple, body)) + [(HEAD_VOCABULARY, hidden)] * (vocabulary // HEAD_VOCABULARY)
        generator = torch.Generator().manual_seed(0)
        self.weights = [torch.randn(shape, generator=generator).to(DTYPES[dtype]) for shape in shapes]
        self.num_tokens = default_tokens_per_batch(CPU)
        widths = {width for _, width in shapes}
        self.inputs = {
            width: torch.randn(self.num_tokens, width, generator=generator).to(DTYPES[dtype]) for width in widths
        }
        self.num_workers = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.num_workers, initializer=torch.set_num_threads, initargs=(1,))

    def run(self) -> float:
        """Return floating-point operations per second."""
        together = self._time(lambda: self._multiply(linear))
        torch_alone = self._time(lambda: self._multiply(torch.nn.functional.linear))
        apart = self._time(lambda: list(self.pool.map(lambda _: self._multiply(linear), range(self.num_workers))))
        operations = sum(2 * self.num_tokens * weight.numel() for weight in self.weights)
        return max(operations / together, operations / torch_alone, self.num_workers * operations / apart)

    def _multiply(self, product: Callable) -> None:
        with torch.inference_mode():
            for weight in self.weights:
                product(self.inputs[weight.shape[1]], weight, None)

    def _time(self, work: Callable) -> float:
        work()
        started = time.perf_counter()
        work()
        return time.perf_counter() - started


def build(name: str, task: BenchTask) -> Any:
    """Return the contender called `name`: reference, lm-eval, one of our dtypes, or floor-<dtype>."""
    if name == "reference":
        return Reference(task)
    if name == "lm-eval":
        return LmEval(task)
    return Floor(task, name.removeprefix("floor-")) if name.startswith("floor-") else Ours(task, name)


def has_lm_eval() -> bool:
    """Tell whether lm-evaluation-harness is installed."""
    return importlib.util.find_spec("lm_eval") is not None


def serve(connection: Connection, name: str, task: BenchTask) -> None:
    """Build a contender and run it whenever the connection says so; send seconds, result and peak memory in bytes."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    contender = build(name, task)
    connection.send("ready")
    while connection.recv() == "run":
        started = time.perf_counter()
        result = contender.run()
        seconds = time.perf_counter() - started
        unit = 1 if sys.platform == "darwin" else 1024
        connection.send((seconds, result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit))


def _pairs(tokenizer: Any, task: BenchTask) -> list[SequencePair | Skipped]:
    return encode_chunk(tokenizer, task.exchanges(), "none", task.max_length)
