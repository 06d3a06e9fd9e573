"""Step 2: shards tile the dataset or are refused, and each record gets its own score."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from put_analysis_to_data import Merger
from records.dataset import read_dataset
from records.json_lines import JsonBlock
from records.record import Score, Skipped
from scored_data import make_meta
from scoring.score_file import encode_lines, score_line, skipped_line
from script_runs import RunScript, error_line, files_in, write_json
from shared.files import sha256_of

NUM_RECORDS = 10
RECORDS = [
    {"id": index, "instruction": f"Say {index}.", "input": "", "output": str(index), "big": 10**30}
    for index in range(NUM_RECORDS)
]
# Record i has the losses 2 and 1 + i / 10; every fourth has none.
LINES = [
    score_line(2.0, 1 + i / 10, 5, 6, 0.1 * i) if i % 4 else skipped_line("empty_response") for i in range(NUM_RECORDS)
]
SCORE_KEYS = ("ppl_A_direct", "ppl_A_condition", "ifd_ppl", "ifd_loss", "ifd_upper", "ifd_tokens")


class Workplace:
    """A folder with a dataset, in which to write shards and run step 2."""

    def __init__(self, folder: Path, run_script: RunScript) -> None:
        self.folder, self.run_script = folder, run_script
        self.data = write_json(folder / "data.json", RECORDS)

    def shard(self, name: str, start: int, end: int, num_lines: int | None = None, **changes: Any) -> str:
        """Write the score file of records start to end - 1, or its first lines, with its meta."""
        (self.folder / name).write_bytes(encode_lines(LINES[start:end][:num_lines]))
        meta = make_meta(data_sha256=sha256_of(self.data), start_idx=start, end_idx=end)
        write_json(self.folder / f"{name}.meta.json", meta | changes)
        return name

    def merge(self, *shards: str, save: str = "scored.json", data: str = "data.json") -> Any:
        arguments = ["--pt_data_path", *shards, "--json_data_path", data, "--json_save_path", save]
        return self.run_script("put_analysis_to_data", *arguments, cwd=self.folder)

    def merged(self, *shards: str, **more: str) -> list[dict[str, Any]]:
        done = self.merge(*shards, **more)
        assert (done.returncode, done.stderr) == (0, "")
        return read_dataset(str(self.folder / more.get("save", "scored.json")))

    def refusal(self, *shards: str, **more: str) -> str:
        before = files_in(self.folder)
        error = error_line(self.merge(*shards, **more))
        assert files_in(self.folder) == before
        return error


@pytest.fixture
def place(tmp_path: Path, run_script: RunScript) -> Workplace:
    return Workplace(tmp_path, run_script)


def test_every_record_gets_the_score_of_its_own_line(place: Workplace) -> None:
    scored = place.merged(place.shard("s.jsonl", 0, NUM_RECORDS))
    for record, line, result in zip(RECORDS, LINES, scored, strict=True):
        if "skipped" in line:
            assert result == record | dict.fromkeys(SCORE_KEYS) | {"ifd_skipped": "empty_response"}
        else:
            direct, conditioned = line["ppl"][1], line["ppl"][3]
            ifd = conditioned / direct
            upper = ifd * math.exp(2 * line["se"])
            scores = (direct, conditioned, ifd, line["loss"][3] / line["loss"][1], upper, 5)
            assert result == record | dict(zip(SCORE_KEYS, scores, strict=True))


def test_summary_counts_scores_and_reasons(place: Workplace) -> None:
    done = place.merge(place.shard("s.jsonl", 0, NUM_RECORDS))
    assert (
        done.stdout
        == f"{NUM_RECORDS} records, {NUM_RECORDS - 3} with a score; skipped: empty_response 3 -> scored.json\n"
    )


@pytest.mark.parametrize("order", ["a b c", "c b a", "b c a"])
def test_shards_in_any_order_give_the_bytes_of_one_file(place: Workplace, order: str) -> None:
    place.merged(place.shard("whole", 0, NUM_RECORDS), save="one.json")
    for name, start, end in (("a", 0, 4), ("b", 4, 5), ("c", 5, NUM_RECORDS)):
        place.shard(name, start, end)
    place.merged(*order.split(), save="three.json")
    assert (place.folder / "three.json").read_bytes() == (place.folder / "one.json").read_bytes()


def test_running_again_gives_the_same_bytes(place: Workplace) -> None:
    place.shard("s", 0, NUM_RECORDS)
    place.merged("s")
    before = files_in(place.folder)
    place.merged("s")
    assert files_in(place.folder) == before


def test_merging_into_its_own_output_changes_nothing(place: Workplace) -> None:
    place.shard("s", 0, NUM_RECORDS)
    (place.folder / "s.meta.json").unlink()
    assert place.merged("s") == place.merged("s", data="scored.json", save="again.json")
    assert (place.folder / "again.json").read_bytes() == (place.folder / "scored.json").read_bytes()


def test_stale_reason_and_scores_of_an_earlier_run_are_replaced() -> None:
    stale = {"ifd_ppl": 9.0, "instruction": "a", "ifd_skipped": "long_prompt"}
    (scored,) = Merger("mean").add(JsonBlock([stale]), [Score(4.0, 2.0, 1.5, 0.75)]).records()
    assert scored == {
        "ifd_ppl": 2 / 4,
        "instruction": "a",
        "ppl_A_direct": 4.0,
        "ppl_A_condition": 2.0,
        "ifd_loss": 0.75 / 1.5,
        "ifd_upper": None,  # of a score file from before the standard error
        "ifd_tokens": None,
    }
    (skipped,) = Merger("mean").add(JsonBlock([stale | scored]), [Skipped("empty_response")]).records()
    assert skipped == {"instruction": "a", **dict.fromkeys(SCORE_KEYS), "ifd_skipped": "empty_response"}


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([(0, 4), (6, 10)], "no score file for records 4 to 5; add the missing shard (next is 1)"),
        ([(2, 10)], "no score file for records 0 to 1; add the missing shard (next is 0)"),
        ([(0, 4), (4, 8)], "no score file for records 8 to 9; add the missing shard"),
        ([(0, 6), (4, 10)], "1: records 4 to 5 are in another score file too; leave one of them out"),
        ([(0, 5), (4, 10)], "1: records 4 to 4 are in another score file too; leave one of them out"),
        ([(0, 10), (2, 3)], "1: records 2 to 2 are in another score file too"),
    ],
)
def test_shards_that_do_not_tile_the_dataset_are_refused(
    place: Workplace, shards: list[tuple[int, int]], message: str
) -> None:
    names = [place.shard(str(index), start, end) for index, (start, end) in enumerate(shards)]
    for order in (names, names[::-1]):
        assert place.refusal(*order).startswith(message)


def test_the_same_file_twice_is_refused(place: Workplace) -> None:
    assert place.refusal(place.shard("s", 0, NUM_RECORDS), "s").startswith(
        "s: records 0 to 9 are in another score file too"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_fingerprint": "sha256:ff"}, 'model_fingerprint: "sha256:ab" in the first, "sha256:ff" in the second'),
        ({"dtype": "float16"}, 'dtype: "float32" in the first, "float16" in the second'),
        (
            {"max_length": 65, "prompt": "wiz"},
            'max_length: 64 in the first, 65 in the second; prompt: "none" in the first, "wiz" in the second',
        ),
    ],
)
def test_shards_that_were_not_scored_alike_are_refused(place: Workplace, changes: dict[str, Any], message: str) -> None:
    error = place.refusal(place.shard("a", 0, 4), place.shard("b", 4, NUM_RECORDS, **changes))
    assert error == f"a and b were not scored alike ({message}); score one of them again"


def test_scores_of_other_data_are_refused(place: Workplace) -> None:
    place.shard("s", 0, NUM_RECORDS)
    write_json(place.data, RECORDS[::-1])
    error = place.refusal("s")
    assert error.startswith("s: holds scores of other data (data.json, SHA-256 ")
    assert sha256_of(place.data)[:12] in error


@pytest.mark.parametrize("num_lines", [0, 5])
def test_unfinished_shard_is_refused(place: Workplace, num_lines: int) -> None:
    error = place.refusal(place.shard("a", 0, 4), place.shard("b", 4, NUM_RECORDS, num_lines=num_lines))
    assert error.startswith(f"b: {num_lines} of 6 lines, so step 1 has not finished; run it again")


def test_shard_without_meta_among_several_is_refused(place: Workplace) -> None:
    names = [place.shard("a", 0, 4), place.shard("b", 4, NUM_RECORDS)]
    (place.folder / "b.meta.json").unlink()
    assert place.refusal(*names).startswith("b: has no meta file")


@pytest.mark.parametrize("num_lines", [0, NUM_RECORDS - 1, NUM_RECORDS + 1])
def test_single_file_without_meta_must_have_as_many_lines_as_records(place: Workplace, num_lines: int) -> None:
    (place.folder / "s").write_text("{}\n" * num_lines, encoding="utf-8")
    assert place.refusal("s").startswith(
        f"s: {num_lines} lines and no meta file, but data.json has {NUM_RECORDS} records"
    )


def test_lines_of_the_original_tool_are_read(place: Workplace) -> None:
    zeros, good = {"ppl": [0, 0, 0, 0], "loss": [0, 0, 0, 0]}, {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75]}
    broken = {"ppl": [0, 4.0, 0, float("nan")], "loss": [0, 1.5, 0, float("nan")]}
    lines = [{}, zeros, broken, *[good] * (NUM_RECORDS - 3)]
    (place.folder / "s").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    scored = place.merged("s")
    assert [record.get("ifd_skipped") for record in scored] == ["not_scored", "not_scored", "non_finite"] + [None] * (
        NUM_RECORDS - 3
    )
    assert [record["ifd_ppl"] for record in scored] == [None] * 3 + [2 / 4] * (NUM_RECORDS - 3)
    assert [record["id"] for record in scored] == list(range(NUM_RECORDS))


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_number_that_is_not_finite_is_damage_in_a_file_of_ours(place: Workplace, number: str) -> None:
    path = place.folder / place.shard("s", 0, NUM_RECORDS)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[6] = lines[6].replace("2.0", number)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert place.refusal("s").startswith("s: line 7: not a score line: ")


@pytest.mark.parametrize("save", ["data.json", "s.jsonl", "s.jsonl.meta.json"])
def test_inputs_are_never_overwritten(place: Workplace, save: str) -> None:
    error = place.refusal(place.shard("s.jsonl", 0, NUM_RECORDS), save=save)
    assert error.startswith(f"{save}: the output would overwrite an input of this step")


def test_missing_score_file_is_named(place: Workplace) -> None:
    assert place.refusal("s.jsonl") == "s.jsonl: cannot be read: No such file or directory"


def test_nan_in_the_dataset_becomes_null_with_a_note(place: Workplace) -> None:
    place.data.write_text(json.dumps([record | {"old": float("nan")} for record in RECORDS]), encoding="utf-8")
    done = place.merge(place.shard("s", 0, NUM_RECORDS))
    note = "NaN or Infinity, which JSON does not have, or numbers as large as 1e400, read as null"
    assert done.stderr == f"note: data.json: {NUM_RECORDS} {note}\n"
    assert b"NaN" not in (place.folder / "scored.json").read_bytes()
    assert all(record["old"] is None for record in read_dataset(str(place.folder / "scored.json")))


def test_published_scores_merge_with_their_records(run_script: RunScript, real_data_dir: Path, tmp_path: Path) -> None:
    golden = real_data_dir / "golden"
    data, scores = golden / "alpaca_60.json", golden / "alpaca_60_smollm2_scores.jsonl"
    save = tmp_path / "scored.jsonl"
    done = run_script(
        "put_analysis_to_data", "--pt_data_path", scores, "--json_data_path", data, "--json_save_path", save
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in scores.read_text(encoding="utf-8").splitlines()]
    records, scored = read_dataset(str(data)), read_dataset(str(save))
    assert len(lines) == len(scored) == 60
    assert [record["ifd_ppl"] for record in scored] == [line["ppl"][3] / line["ppl"][1] for line in lines]
    assert [{key: record[key] for key in original} for record, original in zip(scored, records, strict=True)] == records
