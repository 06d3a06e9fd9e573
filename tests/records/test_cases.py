"""Records of kinds that went wrong once, scored by a tiny model: the losses that are right.

They lie in `cases` beside the folder of real data. A number is a loss in nats per token after the prompt, with the
template `none` unless the test says otherwise.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from records.conversations import check_records, parse_fields
from records.dataset import Dataset, read_dataset
from script_runs import RunScript
from shared.cli import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from scoring.scorer import Scorer

# Losses after the prompt of a record: a number for a plain one, a list for a conversation, a reason for none.
Losses = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def cases(real_data_dir: Path) -> Path:
    folder = real_data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="module")
def chatml(cases: Path) -> "Iterator[tuple[Scorer, PreTrainedTokenizerBase]]":
    """The tiny model with a template like ChatML."""
    import torch

    from models.causal_lm import load_batch_models
    from models.source import find_model
    from scoring.scorer import Scorer

    source = find_model(str(cases / "models" / "chatml"))
    models, tokenizer = load_batch_models(source, "float32", torch.device("cpu"), 1024)
    with Scorer(models, tokens_per_batch=512, num_workers=1) as scorer:
        yield scorer, tokenizer


@pytest.fixture
def losses(cases: Path, chatml: "tuple[Scorer, PreTrainedTokenizerBase]") -> Losses:
    """Score a case as step 1 does: CASE/FILE, --fields, --prompt."""
    from scoring.chunks import ChunkScorer

    def loss_of(line: dict[str, Any]) -> Any:
        return line["skipped"] if "skipped" in line else line["loss"][3]

    def score(path: str, flag: str = "", template: str = "none") -> list[Any]:
        fields = parse_fields(flag) if flag else {}
        records = read_dataset(str(cases / path))
        check_records(records, path, fields)
        lines = ChunkScorer(*chatml, template, 1024, 128, fields).lines(records, "float32")
        return [[*map(loss_of, line["turns"])] if "turns" in line else loss_of(line) for line in lines]

    return score


def near(*values: Any) -> Any:
    return pytest.approx(list(values), abs=1e-4)


def test_system_and_history_are_context(losses: Losses) -> None:
    of_both, alone = losses("01_alpaca_system_history/data.json")
    assert of_both[-1] == pytest.approx(7.0519, abs=1e-4)
    assert alone == pytest.approx(7.4444, abs=1e-4)


@pytest.mark.parametrize("flag", ["", ",system=system_prompt"])
def test_system_prompt_is_context(flag: str, losses: Losses) -> None:
    one, other = losses("03_orca_system_prompt/data.jsonl", f"instruction=question,output=response{flag}")
    assert (one, other) == (near(7.0121), pytest.approx(7.4135, abs=1e-4))


def test_key_has_one_role(losses: Losses) -> None:
    assert losses("04_input_output_keys/data.jsonl", "instruction=input,output=target") == near(7.0335, 8.6999)


@pytest.mark.parametrize("template", ["none", "chat"])
def test_greeting_has_no_score(template: str, losses: Losses) -> None:
    one, _ = losses("07_starts_with_gpt/data.json", template=template)
    assert one[0] == "no_prompt" and isinstance(one[1], float)


def test_chosen_answer_is_the_last_turn(losses: Losses) -> None:
    one, other = losses("08_dpo_chosen/data.json")
    assert (one[-1], other) == (pytest.approx(7.6410, abs=1e-4), near(7.3124))


def test_calls_beside_words_are_context(losses: Losses) -> None:
    one, other = losses("10_tool_calls_beside_content/data.json")
    assert (one[-1], other[-1]) == (pytest.approx(7.8259, abs=1e-4), pytest.approx(7.4824, abs=1e-4))
    assert one[0] == other[0]


def test_turn_of_weight_0_is_not_scored(losses: Losses) -> None:
    one, other = losses("12_weight_zero/data.jsonl")
    assert one == [other[1]]


@pytest.mark.parametrize(
    "name", ["13_content_parts/data.jsonl", "13_content_parts/v1.jsonl", "21_union_of_columns/both.jsonl"]
)
def test_parts_and_unions_are_read(name: str, losses: Losses) -> None:
    assert losses(name) == [near(7.6748)]


@pytest.mark.parametrize("flag", ["", "instruction=prompt,output=completion"])
def test_prompt_and_completion_are_read(flag: str, losses: Losses) -> None:
    assert losses("14_trl_prompt_completion/data.jsonl", flag) == [near(7.6748)]
    assert losses("14_trl_prompt_completion/plain.jsonl", flag) == near(7.6748)


def test_reasoning_is_scored(losses: Losses) -> None:
    one, other = losses("15_reasoning_content/data.jsonl")
    assert one == near(7.6367, 7.5661) and other == near(7.6748, 7.5307)


def test_shapes_of_joined_datasets_mix(losses: Losses) -> None:
    assert losses("21_union_of_columns/data.jsonl") == [near(7.6748), pytest.approx(7.6748, abs=1e-4)]


def test_images_are_refused_unless_left_out(losses: Losses) -> None:
    with pytest.raises(UserError, match=r"record 0: has 'images'.*--fields images= goes on without them"):
        losses("25_images/data.json")
    assert losses("25_images/data.json", "images=") == [near(7.3226)]


@pytest.mark.parametrize(("path", "splits"), [("splits", "test, train, validation"), ("data", "test, train")])
def test_splits_are_refused(path: str, splits: str, cases: Path) -> None:
    with pytest.raises(UserError, match=rf"holds several splits \({splits}\)"):
        Dataset(str(cases / "29_splits_in_one_folder" / path))


def test_byte_order_marks_of_joined_files_are_read(cases: Path) -> None:
    assert len(read_dataset(str(cases / "39_bom_between_files" / "bom_mid.jsonl"))) == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrapped.json", "its field 'data' holds one: python3 -c"),
        ("columns.json", "a table by columns"),
        ("array_in.jsonl", "its name must end in .json"),
        ("lines.json", "its name must end in .jsonl"),
        ("excel.csv", "a table of texts becomes one by: python3 -c"),
        ("my_data", "No such file"),
    ],
)
def test_files_that_are_no_dataset_have_a_hint(name: str, said: str, cases: Path) -> None:
    with pytest.raises(UserError, match=said):
        read_dataset(str(cases / "40_paths_and_wrappers" / name))


def test_turns_as_json_in_a_text_are_read(losses: Losses) -> None:
    assert losses("40_paths_and_wrappers/msgs_str.parquet") == [near(7.6816)] * 4


def test_mixed_dataset_goes_through_all_steps(
    cases: Path, tiny_gpt2: Path, run_script: RunScript, tmp_path: Path
) -> None:
    data = cases / "21_union_of_columns" / "data.jsonl"
    scores, scored = tmp_path / "s.jsonl", tmp_path / "scored.jsonl"
    flags = ["--model_name_or_path", tiny_gpt2, "--max_length", 64]
    assert run_script("data_analysis", "--data_path", data, "--save_path", scores, *flags).returncode == 0
    paths = ["--pt_data_path", scores, "--json_data_path", data, "--json_save_path", scored]
    assert run_script("put_analysis_to_data", *paths).returncode == 0
    talk, plain = map(json.loads, scored.read_text(encoding="utf-8").splitlines())
    assert talk["ifd_turns"][0]["ifd_ppl"] == talk["ifd_ppl"] == pytest.approx(plain["ifd_ppl"])
    assert "ifd_turns" not in plain
