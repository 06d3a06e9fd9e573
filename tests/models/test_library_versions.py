"""Models that one major version of transformers has saved, in the hands of the other."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import LlamaConfig

from models import library_versions
from models.library_versions import read_rope_of_five, rope_parameters, tokenizer_from
from shared.cli import UserError
from tiny_models import build_tokenizer

LONGROPE = {"short_factor": [1.0], "long_factor": [4.0]}


def config_with(**values: Any) -> Any:
    """What a configuration of either version says."""
    config = SimpleNamespace(**values)
    config.get_text_config = lambda: config
    return config


def test_both_spellings_of_longrope_are_read() -> None:
    four = config_with(
        rope_scaling={"type": "longrope"} | LONGROPE, original_max_position_embeddings=32, max_position_embeddings=256
    )
    five = config_with(
        rope_parameters={"rope_type": "longrope", "original_max_position_embeddings": 32} | LONGROPE,
        max_position_embeddings=256,
    )
    for config in (four, five):
        (found,) = rope_parameters(config)
        assert (found["rope_type"], found["original_max_position_embeddings"]) == ("longrope", 32)


def test_longrope_without_a_first_context_has_the_whole_one() -> None:
    (found,) = rope_parameters(config_with(rope_scaling={"rope_type": "longrope"}, max_position_embeddings=256))
    assert found["original_max_position_embeddings"] == 256


def test_each_kind_of_layer_has_its_own_embedding() -> None:
    kinds = {"full_attention": {"rope_type": "yarn"}, "sliding_attention": {"rope_type": "default"}}
    assert [found["rope_type"] for found in rope_parameters(config_with(rope_parameters=kinds))] == ["yarn", "default"]


@pytest.mark.parametrize("values", [{}, {"rope_scaling": None}, {"rope_parameters": {}}])
def test_model_without_rotary_settings_has_none(values: dict[str, Any]) -> None:
    assert rope_parameters(config_with(**values)) == []


def test_version_four_reads_what_version_five_has_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_versions, "is_five", lambda: False)
    config = config_with(rope_parameters={"rope_type": "default", "rope_theta": 5e5, "partial_rotary_factor": 0.5})
    read_rope_of_five(config, "a-model")
    assert (config.rope_theta, config.partial_rotary_factor, config.rope_scaling) == (5e5, 0.5, None)
    config = config_with(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})
    read_rope_of_five(config, "a-model")
    assert (config.rope_theta, config.rope_scaling) == (1e4, {"rope_type": "linear", "factor": 2.0})


def test_version_four_refuses_several_embeddings_of_version_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_versions, "is_five", lambda: False)
    config = config_with(rope_parameters={"full_attention": {"rope_type": "default"}})
    with pytest.raises(UserError, match=r"--model_name_or_path a-model: saved by transformers 5, .*pip install -U"):
        read_rope_of_five(config, "a-model")


def test_own_settings_of_a_version_stay() -> None:
    config = LlamaConfig(rope_theta=12345.0)
    before = config.to_dict()
    read_rope_of_five(config, "a-model")
    assert config.to_dict() == before


def test_tokenizer_that_version_five_has_saved_is_read_by_both(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(adds_bos=True)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "TokenizersBackend"}
    path.write_text(json.dumps(settings), encoding="utf-8")
    text = "Name three colours."
    assert tokenizer_from(str(tmp_path))(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_tokenizer_of_a_class_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    build_tokenizer(adds_bos=True).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises((OSError, ValueError)):
        tokenizer_from(str(tmp_path))


def test_bundled_model_has_the_same_token_ids_in_both_versions(smollm2_scorer: tuple) -> None:
    tokenizer = smollm2_scorer[1]
    assert (
        tokenizer("How many strings?")["input_ids"]
        == tokenizer("How many strings?", add_special_tokens=False)["input_ids"]
    )
    assert tokenizer.decode(tokenizer("Où est 東京 123?")["input_ids"]) == "Où est 東京 123?"
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
