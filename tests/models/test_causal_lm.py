"""Loading: what a checkpoint lacks or cannot be is one line, never made up."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import causal_lm
from models.batch_models import PackedModel, PaddedModel
from models.causal_lm import choose_device, in_dtype, load_batch_models, load_causal_lm
from models.cpu_kernels import FastLinear
from models.source import ModelSource, find_model
from shared.cli import UserError
from tiny_models import save_mistral

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


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"torn"), ("config.json", b"{"), ("tokenizer.json", b"{}")]
)
def test_damaged_file_is_one_line(broken: Path, name: str, content: bytes) -> None:
    (broken / name).write_bytes(content)
    with pytest.raises(UserError, match=r"broken: cannot be loaded: .+") as error:
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
    with pytest.raises(UserError, match=r"--device cuda: .* finds none on this machine; use --device cpu"):
        choose_device("cuda")
    assert choose_device("auto").type in ("cpu", "mps")


def test_model_is_float32_whatever_the_checkpoint_holds(tiny_llama: Path) -> None:
    model, _ = load(tiny_llama)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_without_kernels_all_layers_are_the_librarys(tiny_gpt2: Path) -> None:
    model, _ = load_causal_lm(find_model(str(tiny_gpt2)), torch.float32, CPU, 64, use_kernels=False)
    assert FastLinear not in {type(module) for module in model.modules()}
    assert FastLinear in {type(module) for module in load(tiny_gpt2)[0].modules()}


@pytest.fixture
def generic(tmp_path: Path) -> Path:
    """A folder with a model that cannot be packed."""
    return save_mistral(tmp_path / "mistral")


def kinds_of(folder: Path, dtype: str) -> dict[str, type]:
    """Return the kind of each model that is loaded, by name of its dtype."""
    models, _ = load_batch_models(find_model(str(folder)), dtype, CPU, 64)
    return {name: type(model) for name, model in models.items()}


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", {"float32": PackedModel}),
        (
            "bfloat16",
            {"float32": PackedModel, "bfloat16": PackedModel},
        ),  # float32 costs no memory: bfloat16 is made from it
        ("mixed", {"float32": PackedModel, "bfloat16": PackedModel}),
        ("float16", {"float16": PaddedModel}),
    ],
)
def test_known_model_is_packed_in_the_dtypes_of_its_run(
    model_fixture: str, dtype: str, expected: dict[str, type], request: pytest.FixtureRequest
) -> None:
    assert kinds_of(request.getfixturevalue(model_fixture), dtype) == expected


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", {"float32": PaddedModel}),
        ("bfloat16", {"bfloat16": PaddedModel}),
        ("mixed", {"float32": PaddedModel, "bfloat16": PaddedModel}),
        ("float16", {"float16": PaddedModel}),
    ],
)
def test_other_model_is_padded_in_the_dtypes_of_its_run(generic: Path, dtype: str, expected: dict[str, type]) -> None:
    assert kinds_of(generic, dtype) == expected


def test_padded_model_is_in_the_dtype_of_its_name(generic: Path) -> None:
    models, _ = load_batch_models(find_model(str(generic)), "mixed", CPU, 64)
    assert {name: model.model.dtype for name, model in models.items()} == {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
    }


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed"])
def test_processor_without_bfloat16_is_warned_about(
    tiny_gpt2: Path, dtype: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.causal_lm.has_fast_bfloat16", lambda: False)
    kinds_of(tiny_gpt2, dtype)
    warning = f"warning: this processor has no bfloat16 products: --dtype {dtype} is slower than float32 here\n"
    assert capsys.readouterr().err == warning


@pytest.mark.parametrize(
    ("dtype", "has_fast"), [("bfloat16", True), ("mixed", True), ("float32", False), ("float16", False)]
)
def test_no_warning_where_bfloat16_is_fast_or_not_asked_for(
    tiny_gpt2: Path, dtype: str, has_fast: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.causal_lm.has_fast_bfloat16", lambda: has_fast)
    kinds_of(tiny_gpt2, dtype)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("model", ["tiny_gpt2", "tiny_llama"])
def test_a_copy_in_another_dtype_is_what_loading_in_it_gives(request: pytest.FixtureRequest, model: str) -> None:
    source = find_model(str(request.getfixturevalue(model)))
    exact, _ = load_causal_lm(source, torch.float32, CPU, 64, use_kernels=False)
    loaded, _ = load_causal_lm(source, torch.bfloat16, CPU, 64, use_kernels=False)
    copied = in_dtype(exact, torch.bfloat16)
    assert (exact.dtype, copied.dtype) == (torch.float32, torch.bfloat16)
    input_ids = torch.arange(1, 30)[None]
    assert torch.equal(copied(input_ids=input_ids).logits, loaded(input_ids=input_ids).logits)
    for (name, one), (_, other) in zip(loaded.named_buffers(), copied.named_buffers(), strict=True):
        # transformers 4 rounds a buffer of GPT-2 that nothing reads.
        assert one.dtype == other.dtype or name.endswith("masked_bias"), name


def test_mixed_reads_a_checkpoint_that_cannot_be_packed_once(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[torch.dtype] = []

    def load_and_count(source: ModelSource, dtype: torch.dtype, *more: object) -> tuple:
        loads.append(dtype)
        return load_causal_lm(source, dtype, *more)

    monkeypatch.setattr(causal_lm, "load_causal_lm", load_and_count)
    monkeypatch.setattr(causal_lm, "pack_model", lambda *of_model: {})
    models, _ = load_batch_models(find_model(str(tiny_llama)), "mixed", CPU, 64)
    assert loads == [torch.float32]
    assert {name: model.model.dtype for name, model in models.items()} == {
        "bfloat16": torch.bfloat16,
        "float32": torch.float32,
    }


def test_a_model_that_may_change_is_changed_itself(tiny_llama: Path) -> None:
    model = load(tiny_llama)[0]
    copied, changed = in_dtype(model, torch.bfloat16), in_dtype(model, torch.bfloat16, may_change=True)
    assert changed is model and copied is not model
    input_ids = torch.arange(1, 30)[None]
    assert torch.equal(changed(input_ids=input_ids).logits, copied(input_ids=input_ids).logits)


@pytest.mark.parametrize("may_change", [True, False])
def test_what_a_model_keeps_in_float32_stays(tiny_llama: Path, may_change: bool) -> None:
    model = load(tiny_llama)[0]
    model._keep_in_fp32_modules_strict = {"input_layernorm"}
    kinds = {name: tensor.dtype for name, tensor in in_dtype(model, torch.bfloat16, may_change).named_parameters()}
    assert {dtype for name, dtype in kinds.items() if "input_layernorm" in name} == {torch.float32}
    assert {dtype for name, dtype in kinds.items() if "input_layernorm" not in name} == {torch.bfloat16}
