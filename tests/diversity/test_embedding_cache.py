"""Kept embeddings: found by text, never taken from another model, never a broken file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diversity.embedding_cache import EmbeddingCache, _embed, cache_path
from shared.cli import Interrupted

META = {"emb_model": "sha256:1", "max_length": 256}


def filled(path: Path) -> EmbeddingCache:
    cache = EmbeddingCache(str(path), META)
    cache.add("one", np.array([1, 0], dtype=np.float32), 3)
    cache.add("two\u2028", np.array([0, 1], dtype=np.float32), 300)
    return cache


def test_next_run_finds_what_was_kept(tmp_path: Path) -> None:
    filled(tmp_path / "c").save()
    cache = EmbeddingCache(str(tmp_path / "c"), META)
    vectors, num_tokens = cache.get(["two\u2028", "one", "one"])
    assert vectors.tolist() == [[0, 1], [1, 0], [1, 0]] and vectors.dtype == np.float32
    assert num_tokens.tolist() == [300, 3, 3]
    assert "three" not in cache


def test_what_is_added_later_is_kept_beside_the_rest(tmp_path: Path) -> None:
    filled(tmp_path / "c").save()
    cache = EmbeddingCache(str(tmp_path / "c"), META)
    cache.add("three", np.array([1, 1], dtype=np.float32), 1)
    cache.save()
    assert EmbeddingCache(str(tmp_path / "c"), META).get(["three", "one"])[0].tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize("change", ["empty", "half", "flipped", "text", "folder", "foreign"])
def test_file_that_is_not_what_it_should_be_counts_for_nothing(
    tmp_path: Path, change: str, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "c"
    filled(path).save()
    content = path.read_bytes()
    path.unlink()
    if change == "folder":
        path.mkdir()
    else:
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        path.write_bytes(
            {"empty": b"", "half": content[:-9], "flipped": flipped, "text": b"[1, 2]\n", "foreign": content}[change]
        )
    cache = EmbeddingCache(str(path), META if change != "foreign" else META | {"max_length": 512})
    assert "one" not in cache
    note = capsys.readouterr().err
    assert note.startswith(f"note: {path}: not the embeddings that it should hold (") and note.count("\n") == 1


def test_name_tells_models_apart_and_lies_beside_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    save_path = str(tmp_path / "out" / "d.json")
    one = cache_path(str(tmp_path / "data" / "a.json"), save_path, META)
    assert Path(one).parent == tmp_path / "data" and Path(one).name.startswith("a.json.embeddings-")
    assert one != cache_path(str(tmp_path / "data" / "a.json"), save_path, META | {"max_length": 512})
    assert Path(cache_path(str(tmp_path / "data" / "*.jsonl"), save_path, META)).name.startswith("_.jsonl.embeddings-")
    assert Path(cache_path(str(tmp_path / "data") + "/", save_path, META)).parent == tmp_path


def test_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    filled(tmp_path / "file" / "c").save()
    assert capsys.readouterr().err.startswith("note: the embeddings are not kept for the next run: ")


def test_what_is_embedded_before_a_stop_is_kept(tmp_path: Path) -> None:
    from diversity.sentence_embeddings import Embedded

    class Stopped:
        def embed(self, texts: list[str]) -> Iterator[Embedded]:
            yield Embedded([1], np.array([[1, 0]], dtype=np.float32), [7])
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command goes on from there"):
        _embed(["one", "two"], Stopped(), EmbeddingCache(str(tmp_path / "c"), META))
    cache = EmbeddingCache(str(tmp_path / "c"), META)
    assert "two" in cache and "one" not in cache
