"""How many tokens of a text a sentence model reads, by its files: the limit of its tokenizer, as published."""

from pathlib import Path
from typing import Any

import pytest

from diversity.model_files import find_token_limit
from models.pip_models import MINILM
from models.source import ModelSource, find_model
from script_runs import write_json
from shared.cli import UserError

ENDLESS = 1000000000000000019884624838656  # what a tokenizer without a limit is saved with


@pytest.mark.parametrize(
    ("tokenizer", "config", "limit"),
    [
        ({"model_max_length": 512}, {"max_position_embeddings": 512}, 512),
        ({"model_max_length": 128}, {"max_position_embeddings": 512}, 128),
        ({"model_max_length": 512}, {"max_position_embeddings": 64}, 64),
        ({"model_max_length": 8192}, {}, 8192),
        ({"max_len": 256}, {"max_position_embeddings": 512}, 256),
        ({"model_max_length": ENDLESS}, {"max_position_embeddings": 8192}, 512),
        ({"model_max_length": ENDLESS}, {"max_position_embeddings": 64}, 64),
        ({"model_max_length": True}, {}, 512),
        (None, {"max_position_embeddings": 100}, 100),
        ([], [], 512),
    ],
)
def test_limit_is_the_tokenizers_within_the_models_positions(
    tmp_path: Path, tokenizer: Any, config: Any, limit: int
) -> None:
    if tokenizer is not None:
        write_json(tmp_path / "tokenizer_config.json", tokenizer)
    write_json(tmp_path / "config.json", config)
    assert find_token_limit(ModelSource("mine", str(tmp_path), "sha256:1")) == limit


def test_limit_is_that_of_the_loaded_tokenizer() -> None:
    from transformers import AutoTokenizer

    try:
        source = find_model(MINILM.name, packaged=MINILM)
    except UserError as error:
        pytest.skip(str(error))
    assert find_token_limit(source) == AutoTokenizer.from_pretrained(source.location).model_max_length == 512


def test_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"--emb_model mine: its tokenizer_config.json cannot be read"):
        find_token_limit(ModelSource("mine", str(tmp_path), "sha256:1"))
