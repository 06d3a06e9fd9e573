"""Loading: what a checkpoint lacks or cannot be is one line, never made up."""

import shutil
from pathlib import Path

import pytest
import torch
from causal_lm import choose_device, load_causal_lm
from cli import UserError
from model_source import find_model
from safetensors.torch import load_file, save_file

CPU = torch.device("cpu")


def load(folder: Path) -> tuple:
    return load_causal_lm(find_model(str(folder)), torch.float32, CPU, 64)


@pytest.fixture
def broken(tiny_gpt2: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_gpt2, tmp_path / "broken")


def test_missing_weights_are_not_made_up(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 weights that the model needs \(transformer.h.1.mlp.c_fc.weight\)"):
        load(broken)


@pytest.mark.parametrize(("name", "content"), [("model.safetensors", b"torn"), ("config.json", b"{"), ("tokenizer.json", b"{}")])
def test_damaged_file_is_one_line(broken: Path, name: str, content: bytes) -> None:
    (broken / name).write_bytes(content)
    with pytest.raises(UserError, match="broken: cannot be loaded: .+") as error:
        load(broken)
    assert "\n" not in str(error.value)


def test_model_that_brings_its_own_code_is_not_run(broken: Path) -> None:
    config = '{"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}'
    (broken / "config.json").write_text(config, encoding="utf-8")
    (broken / "own.py").write_text("raise SystemExit('its code was run')", encoding="utf-8")
    with pytest.raises(UserError, match="if you trust it, add --trust_remote_code"):
        load(broken)


def test_absent_device_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(UserError, match="--device cuda: .* finds none on this machine; use --device cpu"):
        choose_device("cuda")
    assert choose_device("auto").type in ("cpu", "mps")
