"""Faster kernels: the same arithmetic as the model's own."""

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from models import packed_decoder
from models.cpu_kernels import FastLinear, has_fast_bfloat16, keep_freed_memory, use_fast_kernels
from models.packed_decoder import linear


@pytest.mark.parametrize("has_faster_onednn", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear_is_a_matrix_product(has_faster_onednn: bool, with_bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_decoder, "HAS_FASTER_ONEDNN", has_faster_onednn and torch.backends.mkldnn.is_available())
    torch.manual_seed(0)
    inputs, weight, bias = torch.randn(3, 5, 70), torch.randn(90, 70), torch.randn(90) if with_bias else None
    expected = inputs.double() @ weight.double().T + (0 if bias is None else bias.double())
    with torch.inference_mode():
        torch.testing.assert_close(linear(inputs, weight, bias).double(), expected, rtol=1e-5, atol=1e-5)
        part = weight[10:50]  # a chunk of the vocabulary
        torch.testing.assert_close(linear(inputs[:, 1], part, None), inputs[:, 1] @ part.T, rtol=1e-5, atol=1e-5)


def test_private_kernel_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*arguments: object) -> torch.Tensor:
        return torch.zeros(2, 4)

    def refused(*arguments: object) -> torch.Tensor:
        raise RuntimeError("injected: another signature")

    inputs, weight = torch.ones(2, 3), torch.ones(4, 3)
    monkeypatch.setattr(packed_decoder, "HAS_FASTER_ONEDNN", True)
    for kernels in ({}, {"_linear_pointwise": changed}, {"_linear_pointwise": refused}):
        packed_decoder.has_right_kernel.cache_clear()
        monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(**kernels))
        with torch.inference_mode():
            assert torch.equal(linear(inputs, weight, None), torch.full((2, 4), 3.0))
    packed_decoder.has_right_kernel.cache_clear()


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_model_gives_the_same_logits(model_fixture: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(model_fixture)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    input_ids = torch.arange(1, 41).reshape(2, 20)
    with torch.inference_mode():
        expected = model(input_ids=input_ids).logits
        use_fast_kernels(model)
        torch.testing.assert_close(model(input_ids=input_ids).logits, expected, rtol=1e-4, atol=1e-4)
    kinds = {type(module) for module in model.modules()}
    assert FastLinear in kinds
    assert not kinds & {torch.nn.Linear, Conv1D}
    assert (
        model.get_output_embeddings().weight is model.get_input_embeddings().weight
        or not model.config.tie_word_embeddings
    )


def test_layers_of_a_subclass_stay_as_they_are() -> None:
    class Quantized(torch.nn.Linear):
        """Stands for a library's own linear layer."""

    model = torch.nn.Sequential(Quantized(3, 4), torch.nn.Linear(4, 5))
    use_fast_kernels(model)
    assert [type(layer) for layer in model] == [Quantized, FastLinear]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"bf16": True}, True),  # ARM
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False, "cpu_name": "AMD EPYC"}, False),
        ({}, False),
    ],
)
def test_fast_bfloat16_is_read_from_the_processors_capabilities(
    capabilities: dict[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_fast_bfloat16() == expected


def test_keeping_freed_memory_changes_no_tensor() -> None:
    torch.manual_seed(0)
    before = torch.randn(3_000_000)  # 12 MB: what the settings are about
    expected = before.double().sum()
    keep_freed_memory()
    for _ in range(3):
        assert before.clone().double().sum() == expected


def test_memory_is_left_alone_where_there_is_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str | None) -> None:
        raise OSError("injected: no such library")

    monkeypatch.setattr(ctypes, "CDLL", fails)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        keep_freed_memory()


def test_memory_is_left_alone_where_linux_has_another_libc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # musl has no mallopt
    keep_freed_memory()
