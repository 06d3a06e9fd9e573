"""Which pooling a sentence model's files ask for: read as sentence-transformers writes them, or refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from diversity.pooling import find_pooling
from models.source import ModelSource
from script_runs import RunScript, error_line, write_json
from shared.cli import UserError

# Names of modules in older files of sentence-transformers, and in newer ones.
OLD = "sentence_transformers.models."
NEW = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
}
KINDS = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def flags(*kinds: str) -> dict[str, Any]:
    chosen = {f"pooling_mode_{kind}": kind in kinds for kind in KINDS}
    return {"word_embedding_dimension": 32, **chosen, "include_prompt": True}


def save(folder: Path, config: Any, modules: list[tuple[str, str]] | None = None) -> ModelSource:
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", config)
    if modules is not None:
        entries = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (kind, path) in enumerate(modules)]
        write_json(folder / "modules.json", entries)
    return ModelSource("mine", str(folder), "sha256:1")


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        (flags("cls_token"), "cls"),
        (flags("mean_tokens"), "mean"),
        (flags("max_tokens"), "max"),
        (flags("lasttoken"), "lasttoken"),
        (flags("mean_sqrt_len_tokens"), "mean"),  # the same once scaled to length 1
        (flags(), "mean"),
        ({"embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": False}, "cls"),
        ({"embedding_dimension": 32, "pooling_mode": ["lasttoken"]}, "lasttoken"),
        (flags("mean_tokens") | {"pooling_mode": "max"}, "max"),  # the name counts
    ],
)
def test_pooling_is_that_of_the_file(tmp_path: Path, config: dict[str, Any], pooling: str) -> None:
    assert find_pooling(save(tmp_path, config)) == pooling


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (flags("cls_token", "mean_tokens"), "the pooling cls and mean; supported is one of mean, "),
        (flags("weightedmean_tokens"), "the pooling weightedmean; supported"),
        ({"pooling_mode": "attention"}, "the pooling attention; supported"),
        ({"pooling_mode": ["cls", "max"]}, "the pooling cls and max; supported"),
        ({"pooling_mode": None}, "the pooling None; supported"),
        (flags("cls_token") | {"pooling_mode_attention": True}, "pooling_mode_attention, which is not supported"),
    ],
)
def test_other_poolings_are_refused_by_name(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^--emb_model mine: its 1_Pooling/config\.json asks for {message}"):
        find_pooling(save(tmp_path, config))


@pytest.mark.parametrize("names", [(OLD + "Transformer", OLD + "Pooling"), (NEW["Transformer"], NEW["Pooling"])])
def test_modules_may_be_a_model_its_pooling_and_the_length_of_1(tmp_path: Path, names: tuple[str, str]) -> None:
    modules = [(names[0], ""), (names[1], "1_Pooling"), (OLD + "Normalize", "2_Normalize")]
    assert find_pooling(save(tmp_path, flags("cls_token"), modules)) == "cls"


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([(OLD + "Transformer", ""), (OLD + "Pooling", "1_Pooling"), (OLD + "Dense", "2_Dense")], "module .*Dense;"),
        ([("custom_st.Transformer", ""), (OLD + "Pooling", "1_Pooling")], r"module custom_st\.Transformer;"),
        ([(OLD + "Transformer", "0_BERT"), (OLD + "Pooling", "1_Pooling")], "in the folder 0_BERT;"),
        ([(OLD + "Transformer", "")], "names 0 Pooling modules"),
        ([(OLD + "Transformer", ""), (OLD + "Pooling", "2_Pooling")], r"2_Pooling/config\.json is missing"),
    ],
)
def test_other_modules_are_refused_by_name(tmp_path: Path, modules: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(UserError, match=f"--emb_model mine: its .*{message}"):
        find_pooling(save(tmp_path, flags("mean_tokens"), modules))


def test_model_without_these_files_is_mean_pooled(tiny_bert: Path) -> None:
    assert find_pooling(ModelSource("mine", str(tiny_bert), "sha256:1")) == "mean"


@pytest.mark.parametrize("content", ["[", "[1]", '"cls"'])
def test_file_that_is_not_understood_is_one_line(tmp_path: Path, content: str) -> None:
    source = save(tmp_path, {})
    (tmp_path / "1_Pooling" / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"^--emb_model mine: its 1_Pooling/config\.json [^\n]*$"):
        find_pooling(source)


def hub_model(cache: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Any], name: str) -> ModelSource:
    """A model in the Hub's cache, which cannot ask the Hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    commit = "a" * 40
    snapshot = cache / f"models--{name.replace('/', '--')}" / "snapshots" / commit
    for file, content in files.items():
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        write_json(snapshot / file, content)
    return ModelSource(name, name, f"commit:{commit}", commit, in_cache=True)


def test_files_of_a_hub_model_are_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [{"type": OLD + "Transformer", "path": ""}, {"type": OLD + "Pooling", "path": "1_Pooling"}]
    files = {"modules.json": modules, "1_Pooling/config.json": flags("cls_token")}
    assert find_pooling(hub_model(tmp_path, monkeypatch, files, "some/model")) == "cls"


def test_hub_model_whose_pooling_is_not_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"--emb_model some/model: modules\.json, .* \(not in the local cache\)"):
        find_pooling(hub_model(tmp_path, monkeypatch, {"config.json": {}}, "some/model"))
    default = "sentence-transformers/all-MiniLM-L6-v2"
    assert find_pooling(hub_model(tmp_path, monkeypatch, {"config.json": {}}, default)) == "mean"


def test_script_pools_as_the_model_says_and_keeps_the_poolings_apart(
    tmp_path: Path, run_script: RunScript, tiny_bert: Path
) -> None:
    records = [{"instruction": f"a {i}", "output": f"b {i}", "ifd_ppl": 0.5} for i in range(6)]
    write_json(tmp_path / "data.json", records)
    shutil.copytree(tiny_bert, tmp_path / "model")
    (tmp_path / "model" / "1_Pooling").mkdir()
    command = ["--json_data_path=data.json", "--json_save_path=new.json", "--emb_model=model", "--max_length=64"]

    def run(config: dict[str, Any]) -> Any:
        write_json(tmp_path / "model" / "1_Pooling" / "config.json", config)
        return run_script("select_data_diverse", *command, "--ifd_num=6", "--fla_num=2", cwd=tmp_path)

    for kind in ("mean_tokens", "cls_token", "lasttoken"):
        assert run(flags(kind)).returncode == 0
    assert len(list(tmp_path.glob("data.json.embeddings-*"))) == 3
    assert error_line(run(flags("cls_token", "max_tokens"))).startswith("--emb_model model: its 1_Pooling/config.json")
    assert len(json.loads((tmp_path / "new.json").read_text())) == 2
