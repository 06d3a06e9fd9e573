"""Damaged model folders

Wrong types and sizes in config.json, odd tokenizer and index files, cut and poisoned weights: one line, and no score.
"""

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from script_runs import Done, RunScript, write_json

NAN = float("nan")
CONFIGS: list[dict[str, Any]] = [
    *({"n_head": value} for value in (0, -1, 3, "2", None, 1.5, [2], True)),
    *({"n_layer": value} for value in (0, "2", None, 1_000_000, 10**12, {}, 1001)),
    *({"n_embd": value} for value in (0, -1, 33, "32", None, 10**9, [])),
    *({"vocab_size": value} for value in (-1, "400", None, 10**12, 10)),
    *({"n_positions": value} for value in (-1, "64", None, 32)),
    *({"activation_function": value} for value in ("nope", 5, None)),
    *({"model_type": value} for value in ("nope", 5, [])),
    *({"layer_norm_epsilon": value} for value in ("x", None)),
    *({"num_labels": value} for value in ("x", 10**9)),
    {"max_position_embeddings": "x"},
    {"num_hidden_layers": 1_000_000},
    {"attribute_map": 5},
    {"auto_map": 5},
    {"quantization_config": 5},
    {"tie_word_embeddings": "x"},
    {"n_inner": "x"},
]
CONTENTS = {
    "nothing": b"",
    "text": b"hello",
    "a list": b"[]",
    "zeros": b"\0\0",
    "no UTF-8": b"\xff{}",
    "deep": b"[" * 9999,
}


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


class Harm:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch harmed",)


WEIGHTS = {
    "cut in the header": lambda data: data[:100],
    "cut in the weights": lambda data: data[:-100],
    "one byte": lambda data: data[:1],
    "header without end": lambda data: struct.pack("<Q", 2**60) + data,
    "no JSON": lambda data: header(b"{nope"),
    "offsets beyond the file": lambda data: header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}'),
    "unknown dtype": lambda data: header(b'{"a":{"dtype":"X9","shape":[2],"data_offsets":[0,8]}}') + b"0" * 8,
    "no weights": lambda data: header(b"{}"),
}


def damage(tensors: dict[str, torch.Tensor], name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    for key in tensors:
        if name in key:
            tensors[key] = change(tensors[key]).contiguous()


TENSORS: dict[str, tuple[str, Callable[[torch.Tensor], torch.Tensor], str]] = {
    "all NaN": ("", lambda weight: weight * NAN, "no finite number"),
    "all infinite": ("", lambda weight: weight * float("inf"), "no finite number"),
    "embeddings NaN": ("wte", lambda weight: weight * NAN, "no finite number"),
    "late positions NaN": (
        "wpe",
        lambda weight: torch.cat([weight[:9], weight[9:] * NAN]),
        "none of the first 3 records has a finite score",
    ),
    "cut layer": ("h.0.mlp.c_fc.weight", lambda weight: weight[:, :-1], "h.0.mlp.c_fc.weight (32x127, wanted 32x128)"),
    "cut vocabulary": ("wte", lambda weight: weight[:300], "wte.weight (300x32, wanted 400x32)"),
    "flat weights": ("wte", lambda weight: weight.flatten(), "wte.weight (12800, wanted 400x32)"),
}
PICKLES = {
    "code": pickle.dumps(Harm()),
    "cut": pickle.dumps({"a": 1})[:5],
    "nothing": b"",
    "no archive": b"PK\3\4garbage",
    "a number": pickle.dumps(5),
}
INDEXES: list[Any] = [
    [],
    {},
    {"weight_map": 5},
    {"weight_map": {"a": "none.safetensors"}},
    {"weight_map": {"a": 5}},
    None,
]
TOKENIZERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ids beyond the model": lambda read: read["model"]["vocab"].update({"S": 10**6}),
    "negative id": lambda read: read["model"]["vocab"].update({"S": -1}),
    "unknown merges": lambda read: read["model"].update(merges=[["zzz", "qqq"]]),
    "merges of a number": lambda read: read["model"].update(merges=5),
    "unknown model": lambda read: read["model"].update(type="Nope"),
    "no model": lambda read: read.pop("model"),
    "unknown part": lambda read: read.update(pre_tokenizer={"type": "Nope"}),
    "added tokens of a number": lambda read: read.update(added_tokens=5),
    "broken pattern": lambda read: read.update(
        pre_tokenizer={"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated", "invert": False}
    ),
}


@pytest.fixture
def model(tmp_path: Path, tiny_gpt2: Path) -> Path:
    return Path(shutil.copytree(tiny_gpt2, tmp_path / "model"))


def score(run_script: RunScript, model: Path) -> Done:
    record = {"instruction": "Say.", "output": "Seven boats lay there today."}
    write_json(model.parent / "data.json", [record] * 3)
    flags = ("--save_path=scores.jsonl", "--model_name_or_path=model", "--max_length=48")
    done = run_script("data_analysis", "--data_path=data.json", *flags, cwd=model.parent)
    scores = model.parent / "scores.jsonl"
    assert not scores.exists() or not scores.read_bytes()
    return done


def refused(run_script: RunScript, model: Path) -> str:
    """Return the last line, after notes of libraries."""
    done = score(run_script, model)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert "model" in last.lower()
    return last


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_configurations_that_fit_no_model_are_refused(
    run_script: RunScript, model: Path, config: dict[str, Any]
) -> None:
    read = json.loads((model / "config.json").read_text(encoding="utf-8"))
    write_json(model / "config.json", read | config)
    refused(run_script, model)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_files_of_other_content_are_refused(run_script: RunScript, model: Path, name: str, content: str) -> None:
    (model / name).write_bytes(CONTENTS[content])
    refused(run_script, model)


@pytest.mark.parametrize("name", WEIGHTS)
def test_broken_weight_files_are_refused(run_script: RunScript, model: Path, name: str) -> None:
    path = model / "model.safetensors"
    path.write_bytes(WEIGHTS[name](path.read_bytes()))
    refused(run_script, model)


@pytest.mark.parametrize("name", TENSORS)
def test_weights_that_give_no_score_are_named(run_script: RunScript, model: Path, name: str) -> None:
    part, change, fault = TENSORS[name]
    tensors = load_file(model / "model.safetensors")
    damage(tensors, part, change)
    save_file(tensors, model / "model.safetensors", {"format": "pt"})
    assert fault in refused(run_script, model)


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_run_no_code_and_are_refused(run_script: RunScript, model: Path, name: str) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(PICKLES[name])
    refused(run_script, model)
    assert not (model.parent / "harmed").exists()


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_odd_index_files_are_refused(run_script: RunScript, model: Path, index: Any) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
    write_json(model / "model.safetensors.index.json", index)
    refused(run_script, model)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_odd_tokenizers_are_refused(run_script: RunScript, model: Path, name: str) -> None:
    read = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    TOKENIZERS[name](read)
    write_json(model / "tokenizer.json", read)
    done = score(run_script, model)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
