"""Embeddings that an earlier run has computed, in a file beside the dataset: vectors found by the SHA-256 of a text.

The file's name holds a fingerprint of the model and of all else that decides a vector. What cannot be read, or is not
what it says it is, counts for nothing. A file appears whole; of two runs at once, the later one leaves its own.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from diversity.model_files import find_token_limit
from diversity.pooling import find_pooling
from models.pip_models import MINILM
from models.source import find_model, installed_versions
from shared.cli import Interrupted, UserError, new_bar, tell
from shared.files import atomic_writer

if TYPE_CHECKING:
    from diversity.sentence_embeddings import Embedder

FORMAT = 1
# What a kill can cost.
TEXTS_PER_SAVE = 2048


def cache_path(data_path: str, save_path: str, meta: dict[str, Any]) -> str:
    """Return the cache's path: beside the dataset, or beside the output where no file can be put beside the dataset."""
    dataset = Path(os.path.abspath(data_path))
    name = f"{dataset.name.replace('*', '_')}.embeddings-{fingerprint(meta)[:12]}.safetensors"
    folder = dataset.parent
    return str((folder if folder.is_dir() and os.access(folder, os.W_OK) else Path(save_path).parent) / name)


def fingerprint(meta: dict[str, Any]) -> str:
    """Return the SHA-256, in hex, of all that decides a vector, but for its text."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **meta}, sort_keys=True).encode()).hexdigest()


class EmbeddingCache:
    """Vectors and token counts of texts. `meta` is all that decides a vector, but for its text."""

    def __init__(self, path: str, meta: dict[str, Any]) -> None:
        self.path = path
        self._fingerprint = fingerprint(meta)
        self._indices: dict[bytes, int] = {}
        self._vectors: list[np.ndarray] = []  # (dimension,) of float32 each
        self._num_tokens: list[int] = []
        self._is_told = False
        if os.path.exists(path):
            self._read()

    def __contains__(self, text: str) -> bool:
        return _key(text) in self._indices

    def add(self, text: str, vector: np.ndarray, num_tokens: int) -> None:
        """Keep the vector of a text."""
        self._indices[_key(text)] = len(self._vectors)
        self._vectors.append(vector)
        self._num_tokens.append(num_tokens)

    def get(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of texts, (texts, dimension), and their numbers of tokens, (texts,)."""
        indices = [self._indices[_key(text)] for text in texts]
        num_tokens = np.array([self._num_tokens[index] for index in indices])
        return np.stack([self._vectors[index] for index in indices]), num_tokens

    def save(self) -> None:
        """Write the file; what cannot be written is no reason to stop, and is told once."""
        if not self._vectors:
            return
        tensors = {
            "keys": np.frombuffer(b"".join(self._indices), dtype=np.uint8).reshape(-1, 32),
            "vectors": np.stack(self._vectors),
            "num_tokens": np.array(self._num_tokens, dtype=np.int32),
        }
        content = save(tensors, {"fingerprint": self._fingerprint, "sha256": _checksum(tensors)})
        try:
            with atomic_writer(self.path) as file:
                file.write(content)
        except UserError as error:
            self._tell(f"the embeddings are not kept for the next run: {error}")

    def _read(self) -> None:
        try:
            content = Path(self.path).read_bytes()
            size = int.from_bytes(content[:8], "little")
            tensors, header = load(content), json.loads(content[8 : 8 + size])["__metadata__"]
            if header["fingerprint"] != self._fingerprint or header["sha256"] != _checksum(tensors):
                raise ValueError("its checksum is wrong")
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._tell(f"{self.path}: not the embeddings that it should hold ({error}); they are computed again")
            return
        self._indices = {key.tobytes(): index for index, key in enumerate(tensors["keys"])}
        self._vectors, self._num_tokens = list(tensors["vectors"]), tensors["num_tokens"].tolist()

    def _tell(self, note: str) -> None:
        if not self._is_told:
            tell(f"note: {note}")
        self._is_told = True


@dataclass(frozen=True)
class EmbeddingSettings:
    """Which sentence model embeds, and how. The first three decide a vector."""

    emb_model: str
    revision: str
    max_length: int | None  # tokens of a text that are read; None: as many as the model's tokenizer allows
    batch_size: int | None  # None: what suits the device
    device: str
    trust_remote_code: bool


@dataclass(frozen=True)
class TextEmbeddings:
    """The embeddings of texts."""

    vectors: np.ndarray  # (texts, dimension) of float32
    max_length: int  # tokens of a text that were read
    num_cut: int  # texts that have more


def embeddings_of(texts: list[str], settings: EmbeddingSettings, data_path: str, save_path: str) -> TextEmbeddings:
    """Return the embeddings of texts.

    Those that an earlier run has kept, beside the dataset or the output, are not computed again. Raises UserError, and
    Interrupted on Ctrl-C, when what is done is kept.
    """
    source = find_model(settings.emb_model, settings.revision, MINILM)
    max_length = settings.max_length or find_token_limit(source)
    meta = {
        "emb_model": source.fingerprint,
        "max_length": max_length,
        "dtype": "float32",
        "versions": installed_versions(),
    }
    pooling = find_pooling(source)
    if pooling != "mean":  # means have no such entry: what was kept before other poolings were supported stays good
        meta["pooling"] = pooling
    cache = EmbeddingCache(cache_path(data_path, save_path, meta), meta)
    missing = [text for text in dict.fromkeys(texts) if text not in cache]
    if missing:
        from diversity.sentence_embeddings import load_embedder  # torch takes seconds to import

        embedder = load_embedder(
            source,
            settings.device,
            max_length,
            settings.batch_size,
            settings.trust_remote_code,
            pooling,
        )
        _embed(missing, embedder, cache)
    vectors, num_tokens = cache.get(texts)
    return TextEmbeddings(vectors, max_length, int((num_tokens > max_length).sum()))


def _embed(texts: list[str], embedder: "Embedder", cache: EmbeddingCache) -> None:
    try:
        with new_bar(len(texts), 0) as bar:
            for start in range(0, len(texts), TEXTS_PER_SAVE):
                part = texts[start : start + TEXTS_PER_SAVE]
                for found in embedder.embed(part):
                    for index, vector, num_tokens in zip(found.indices, found.vectors, found.num_tokens, strict=True):
                        cache.add(part[index], vector, num_tokens)
                    bar.update(len(found.indices))
                cache.save()
    except KeyboardInterrupt:
        cache.save()
        raise Interrupted(f"what is embedded lies in {cache.path}; the same command goes on from there") from None


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _checksum(tensors: dict[str, np.ndarray]) -> str:
    # safetensors has none of its own: it loads a file with a flipped bit in its numbers without a word.
    return hashlib.sha256(b"".join(tensors[name].tobytes() for name in ("keys", "vectors", "num_tokens"))).hexdigest()
