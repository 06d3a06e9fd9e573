"""The packed decoder: the hidden states of transformers' own model, or None where it would not give them."""

import math
from collections.abc import Callable

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from models.cpu_kernels import use_fast_kernels
from models.library_versions import is_five
from models.packed_decoder import FUSED_ATTENTION_LENGTH, QUERY_BLOCK, PackedDecoder
from models.packing import pack
from tiny_models import load_tiny

MAX_LENGTH = 256
# Both kinds of attention, on either side of where they change, and a block of queries that is full, started and alone.
LENGTHS = [3, 1, FUSED_ATTENTION_LENGTH, FUSED_ATTENTION_LENGTH + 1, 2 * QUERY_BLOCK, 3 * QUERY_BLOCK + 1, MAX_LENGTH]


def ready(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model as load_causal_lm leaves it on a CPU."""
    model.eval()
    use_fast_kernels(model)
    return model


def gpt2(**changes: object) -> PreTrainedModel:
    """Return a tiny GPT-2 with random weights."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 300,
        "n_positions": MAX_LENGTH,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return ready(randomized(GPT2LMHeadModel(GPT2Config(**sizes | changes))))


def llama_like(model_class: type, config_class: type, **changes: object) -> PreTrainedModel:
    """Return a tiny Llama, or a model made like it, with random weights; two query heads share a key-value head."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": MAX_LENGTH,
        "initializer_range": 0.3,
    }
    return ready(randomized(model_class(config_class(**sizes | changes))))


def llama(**changes: object) -> PreTrainedModel:
    return llama_like(LlamaForCausalLM, LlamaConfig, **changes)


def qwen2(**changes: object) -> PreTrainedModel:
    return llama_like(Qwen2ForCausalLM, Qwen2Config, **changes)


def randomized(model: PreTrainedModel) -> PreTrainedModel:
    """Move the biases and norms away from 0 and 1, where a new model has them and no test would see them."""
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def rope(rope_type: str, **settings: float) -> dict[str, object]:
    if not is_five():
        return {"rope_scaling": {"rope_type": rope_type, **settings}, "rope_theta": 10_000.0}
    return {"rope_parameters": {"rope_type": rope_type, "rope_theta": 10_000.0, **settings}}


def token_ids(lengths: list[int], vocabulary: int = 300) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, vocabulary, (length,), generator=generator) for length in lengths]


@torch.inference_mode()
def hidden_of(decoder: PackedDecoder, sequences: list[torch.Tensor]) -> list[torch.Tensor]:
    lengths = [len(sequence) for sequence in sequences]
    return list(decoder.hidden(torch.cat(sequences), lengths).split(lengths))


@torch.inference_mode()
def expected_hidden(model: PreTrainedModel, sequences: list[torch.Tensor]) -> list[torch.Tensor]:
    return [model.base_model(input_ids=sequence[None], use_cache=False).last_hidden_state[0] for sequence in sequences]


def pack_one(model: PreTrainedModel, dtype: torch.dtype, max_length: int = MAX_LENGTH) -> PackedDecoder:
    return pack(model, max_length, [dtype])[dtype]


def assert_same_hidden(model: PreTrainedModel, lengths: list[int], max_length: int = MAX_LENGTH) -> None:
    sequences = token_ids(lengths)
    decoder = pack_one(model, torch.float32, max_length)
    for found, expected in zip(hidden_of(decoder, sequences), expected_hidden(model, sequences), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_saved_model_gives_the_same_hidden_states(model_fixture: str, request: pytest.FixtureRequest) -> None:
    model, _ = load_tiny(request.getfixturevalue(model_fixture))
    assert_same_hidden(model, [64, 3, 1, 17], max_length=64)


@pytest.mark.parametrize(
    "build",
    [
        gpt2,
        lambda: gpt2(activation_function="relu", n_inner=40),
        llama,
        lambda: llama(num_key_value_heads=4),  # no sharing
        lambda: llama(num_key_value_heads=1),  # one for all
        lambda: llama(head_dim=16),  # heads wider than hidden_size / num_attention_heads
        lambda: llama(attention_bias=True, mlp_bias=True),
        lambda: llama(**rope("linear", factor=4.0)),
        lambda: llama(
            **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
        ),
        lambda: llama(**rope("yarn", factor=4.0, original_max_position_embeddings=64)),
        qwen2,
    ],
    ids=[
        "gpt2",
        "gpt2_relu",
        "llama",
        "llama_heads",
        "llama_one_group",
        "llama_wide_heads",
        "llama_biases",
        "rope_linear",
        "rope_llama3",
        "rope_yarn",
        "qwen2",
    ],
)
def test_same_hidden_states_at_every_length(build: Callable[[], PreTrainedModel]) -> None:
    assert_same_hidden(build(), LENGTHS)


def test_qwen2_has_biases_that_count() -> None:
    # Or the test above would say nothing about them.
    assert qwen2().model.layers[0].self_attn.q_proj.bias.abs().mean() > 0.1


@pytest.mark.parametrize("rope_type", ["linear", "llama3", "yarn"])
def test_ropes_are_not_all_the_same(rope_type: str) -> None:
    settings = {"factor": 8.0}
    if rope_type != "linear":
        settings["original_max_position_embeddings"] = 64
    if rope_type == "llama3":
        settings |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaled, plain = (pack_one(model, torch.float32) for model in (llama(**rope(rope_type, **settings)), llama()))
    assert (scaled.rotation[0] - plain.rotation[0]).abs().max() > 0.1


def altered(change: Callable[[PreTrainedModel], object]) -> PreTrainedModel:
    """Return a Llama that is not what its configuration says."""
    model = llama()
    change(model)
    return model


@pytest.mark.parametrize(
    "build",
    [
        lambda: llama_like(MistralForCausalLM, MistralConfig),  # not among the known ones
        lambda: gpt2(scale_attn_by_inverse_layer_idx=True),
        lambda: gpt2(scale_attn_weights=False),
        lambda: llama(**rope("dynamic", factor=4.0)),  # its angles depend on the length of the text
        lambda: qwen2(use_sliding_window=True, sliding_window=8, max_window_layers=1),
        lambda: llama().to(torch.bfloat16),
        lambda: altered(lambda model: setattr(model.model.layers[1].self_attn, "scaling", 0.1)),
        lambda: altered(lambda model: model.model.layers[0].mlp.register_forward_hook(lambda *call: 2 * call[-1])),
        lambda: altered(lambda model: model.model.layers[0].self_attn.q_proj.weight.data.fill_(math.nan)),
    ],
    ids=[
        "mistral",
        "gpt2_inverse_layer",
        "gpt2_unscaled",
        "rope_dynamic",
        "sliding_window",
        "bfloat16_weights",
        "other_scaling",
        "hooked",
        "nan_weights",
    ],
)
def test_unknown_or_altered_model_is_not_packed(build: Callable[[], PreTrainedModel]) -> None:
    model = build()
    assert pack(model, MAX_LENGTH, [torch.float32, torch.bfloat16]) == {}


@pytest.mark.parametrize("build", [gpt2, llama])
def test_neighbours_do_not_change_a_sequence(build: Callable[[], PreTrainedModel]) -> None:
    decoder = pack_one(build(), torch.float32)
    before, short, long, after = token_ids([200, 40, 150, 5])
    together = hidden_of(decoder, [before, short, long, after])
    for found, sequence in ((together[1], short), (together[2], long)):
        torch.testing.assert_close(found, hidden_of(decoder, [sequence])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", [gpt2, llama, qwen2])
def test_later_tokens_do_not_change_earlier_ones(build: Callable[[], PreTrainedModel]) -> None:
    decoder = pack_one(build(), torch.float32)
    (long,) = token_ids([200])
    for length in (50, 130):
        torch.testing.assert_close(
            hidden_of(decoder, [long])[0][:length], hidden_of(decoder, [long[:length]])[0], rtol=1e-4, atol=1e-4
        )


def relative_error(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """Return the root mean square of the error over that of what is expected."""
    return ((torch.cat(found).float() - torch.cat(expected)).norm() / torch.cat(expected).norm()).item()


@pytest.mark.parametrize("build", [gpt2, llama, qwen2])
def test_bfloat16_is_nearer_to_float32_than_the_model_in_bfloat16(build: Callable[[], PreTrainedModel]) -> None:
    model, sequences = build(), token_ids([200, 40, 5])
    exact = expected_hidden(model, sequences)
    error = relative_error(hidden_of(pack_one(model, torch.bfloat16), sequences), exact)
    assert error < relative_error(expected_hidden(model.to(torch.bfloat16), sequences), exact)
    assert error < 10 * 2**-8  # a rounding is off by up to 2 ** -9; two layers have 14 products


def test_hidden_states_are_float32_in_bfloat16_too() -> None:
    assert hidden_of(pack_one(llama(), torch.bfloat16), token_ids([5]))[0].dtype == torch.float32


def test_float32_decoder_shares_the_models_weights() -> None:
    model = llama()
    decoder = pack_one(model, torch.float32)
    assert decoder.embeddings.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert decoder.layers[1].down.weight.data_ptr() == model.model.layers[1].mlp.down_proj.weight.data_ptr()
