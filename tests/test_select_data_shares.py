"""Step 3 by groups, by a budget of tokens, and its baselines: what is kept, said and refused."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.dataset import read_dataset, write_dataset
from script_runs import RunScript, error_line, files_in, flag_error
from shared.texts import num_columns

FORMATS = [".json", ".jsonl", ".parquet"]
every_format = pytest.mark.parametrize("ending", FORMATS)


def make_records(num_records: int = 40) -> list[dict[str, Any]]:
    """Records whose score rises with their length: plain selection takes the longest. Every tenth has no score."""
    sources = ("web", "web", "web", "书籍")  # three quarters, one quarter
    return [
        {
            "id": index,
            "instruction": "a",
            "output": "b" * (2 * index + 2),
            "source": sources[index % 4],
            "meta": {"lang": "de" if index < 10 else "en"},
            "ifd_ppl": None if index % 10 == 0 else 0.5 + index / 1000,
            "ifd_tokens": None if index % 10 == 0 else index + 1,
        }
        for index in range(num_records)
    ]


def without(records: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in keys} for record in records]


class Step3:
    """Runs step 3 on data<ending> in a folder."""

    def __init__(self, folder: Path, run_script: RunScript) -> None:
        self.folder, self.run_script = folder, run_script

    def run(self, records: list[dict[str, Any]], *flags: object, ending: str = ".json") -> subprocess.CompletedProcess:
        path = self.folder / f"data{ending}"
        if ending == ".parquet":
            pq.write_table(pa.Table.from_pylist(records), path)
        else:
            write_dataset(str(path), records)
        return self.run_script(
            "select_data", f"--json_data_path=data{ending}", f"--json_save_path=new{ending}", *flags, cwd=self.folder
        )

    def ids(self, records: list[dict[str, Any]], *flags: object, ending: str = ".json") -> list[int]:
        """The ids of the selected records, in file order."""
        done = self.run(records, *flags, ending=ending)
        assert done.returncode == 0, done.stderr
        return [record["id"] for record in read_dataset(str(self.folder / f"new{ending}"))]

    def refused(self, records: list[dict[str, Any]], *flags: object, ending: str = ".json") -> str:
        """The error, where nothing was written."""
        error = error_line(self.run(records, *flags, ending=ending))
        assert list(files_in(self.folder)) == [self.folder / f"data{ending}"]
        return error


@pytest.fixture
def step3(tmp_path: Path, run_script: RunScript) -> Step3:
    return Step3(tmp_path, run_script)


@every_format
def test_groups_by_length_keep_the_best_of_each(step3: Step3, ending: str) -> None:
    # 36 records have tokens: four groups of 9, two of each. Their scores rise with their length.
    assert step3.ids(make_records(), "--sample_num=8", "--length_groups=4", ending=ending) == [
        *(39, 38),
        *(29, 28),
        *(19, 18),
        *(9, 8),
    ]


@every_format
def test_each_value_keeps_its_share(step3: Step3, ending: str) -> None:
    records = make_records()
    kept = step3.ids(records, "--sample_num=8", "--group_by=source", ending=ending)
    assert kept == sorted(kept, reverse=True)
    assert Counter(records[index]["source"] for index in kept) == {"web": 6, "书籍": 2}


@every_format
def test_nested_key_makes_groups(step3: Step3, ending: str) -> None:
    # A quarter of the records is German.
    assert step3.ids(make_records(), "--sample_num=4", "--group_by=meta.lang", ending=ending) == [39, 38, 37, 9]


@every_format
def test_both_groupings_cross(step3: Step3, ending: str) -> None:
    # Halves by length are 18 scored records each; of the shorter, 14 or 13 are web.
    records = make_records()
    kept = step3.ids(records, "--sample_num=8", "--length_groups=2", "--group_by=source", ending=ending)
    by_group = Counter((records[index]["source"], index > 19) for index in kept)
    assert by_group == {("web", True): 3, ("web", False): 3, ("书籍", True): 1, ("书籍", False): 1}


def test_order_of_the_dataset_can_be_kept(step3: Step3) -> None:
    flags = ["--sample_num=8", "--length_groups=4"]
    ranked = step3.ids(make_records(), *flags)
    assert step3.ids(make_records(), *flags, "--keep_order") == sorted(ranked) != ranked


def test_characters_stand_in_where_no_record_has_tokens(step3: Step3) -> None:
    # All 40 records have a response: four groups of 10.
    records = without(make_records(), "ifd_tokens")
    assert step3.ids(records, "--sample_num=4", "--length_groups=4") == [39, 29, 19, 9]
    assert "mean characters" in step3.run(records, "--length_groups=4").stdout
    nulls = [record | {"ifd_tokens": None} for record in records]
    assert step3.ids(nulls, "--sample_num=4", "--length_groups=4") == [39, 29, 19, 9]


def test_characters_are_those_of_the_named_fields(step3: Step3) -> None:
    records = [{"id": index, "q": "a", "a": "b" * (index + 1), "ifd_ppl": 0.5} for index in range(4)]
    fields = "--fields=instruction=q,output=a"
    assert step3.ids(records, "--sample_num=2", "--length_groups=2", fields) == [0, 2]


def test_records_that_are_not_understood_have_no_characters(step3: Step3) -> None:
    records = [{"id": index, "k": "x", "ifd_ppl": 0.5} for index in range(4)]
    assert "field 'instruction' is missing" in step3.refused(records, "--sample_num=2", "--length_groups=2")
    # Groups of a key need no length: the table does without.
    done = step3.run(records, "--sample_num=2", "--group_by=k")
    assert done.stdout.splitlines()[-1].split() == ["x", "4", "2", "4", "2", "-"]


def test_table_has_records_share_qualified_selected_and_length_of_each_group(step3: Step3) -> None:
    done = step3.run(make_records(), "--sample_num=8", "--group_by=source")
    # Of 40 records, each fourth is of the other kind, so web has 30. Those with id 0, 10, 20, 30 have no score.
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:2] == ["40", "records:"]
    assert lines[2] == ["source", "records", "share", "qualified", "selected", "mean", "tokens"]
    web, books = [38, 37, 36, 34, 33, 32], [39, 35]
    assert lines[3] == ["web", "30", "6", "26", "6", f"{sum(i + 1 for i in web) / 6:.1f}"]
    assert lines[4] == ["书籍", "10", "2", "10", "2", f"{sum(i + 1 for i in books) / 2:.1f}"]


@pytest.mark.parametrize("name", ["x" * 500, "语" * 300, "\x1b[2J\nwide", "\u202eevil", "", " ", "👩‍👩‍👧" * 40])
def test_table_fits_80_columns_and_shows_no_control_character(step3: Step3, name: str) -> None:
    records = [record | {"source": name} for record in make_records()]
    done = step3.run(records, "--group_by", "source", "--length_groups", "3")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 1 + 1 + 3
    assert all(num_columns(line) <= 80 for line in lines[1:])
    assert all(line.isprintable() for line in lines)


def test_table_shows_the_20_largest_groups_and_a_line_for_the_rest(step3: Step3) -> None:
    # Group 0 has 1 record, ..., group 24 has 25.
    records = [{"instruction": "a", "output": "bb", "ifd_ppl": 0.5, "k": k} for k in range(25) for _ in range(k + 1)]
    lines = step3.run(records, "--sample_rate=1", "--group_by=k").stdout.splitlines()[3:]
    assert [line.split()[0] for line in lines[:-1]] == [str(k) for k in range(5, 25)]
    num_rest = 1 + 2 + 3 + 4 + 5
    assert lines[-1].split() == ["5", "smaller", "groups", *[str(num_rest)] * 4, "2.0"]


def test_more_groups_than_records_are_no_error(step3: Step3) -> None:
    done = step3.run(make_records(), "--sample_rate=1", "--length_groups=1000")
    assert done.returncode == 0
    # 36 records have a length: 20 lines, one for the rest.
    assert len(done.stdout.splitlines()) == 2 + 1 + 20 + 1
    assert len(read_dataset(str(step3.folder / "new.json"))) == 36


def test_value_that_only_records_without_tokens_have_takes_no_part_in_a_budget(step3: Step3) -> None:
    records = [*make_records(), {"instruction": "a", "output": "b", "source": "last", "ifd_ppl": 0.99}]
    done = step3.run(records, "--sample_tokens=200", "--group_by=source")
    assert done.returncode == 0
    assert "last" not in done.stdout
    assert "which are not selected: 1\n" in done.stderr


def test_what_groups_lack_goes_to_the_others_and_is_said(step3: Step3) -> None:
    # No book is below the threshold: all 8 are of the web.
    records = make_records()
    for record in records[3::4]:
        record["ifd_ppl"] = 1.5
    done = step3.run(records, "--sample_num=8", "--group_by=source")
    assert done.stderr == (
        "note: fewer records than their share have a score below 1 in 1 of 2 groups; 2 of other groups were selected "
        "instead\n"
    )
    assert {record["source"] for record in read_dataset(str(step3.folder / "new.json"))} == {"web"}


def test_records_with_a_score_but_no_length_are_said(step3: Step3) -> None:
    records = make_records()
    records[39]["ifd_tokens"] = None
    done = step3.run(records, "--sample_num=40", "--length_groups=2")
    assert "note: records with a score but no length in tokens, which are not selected: 1\n" in done.stderr
    assert "note: 40 were asked for, but only 35 have a score below 1 and a length in tokens\n" in done.stderr
    assert done.stdout.startswith("40 records: 5 skipped (no score), 0 at or over")


@every_format
@pytest.mark.parametrize(
    ("num_tokens", "ids"),
    [
        (40, [39]),  # 40 tokens, exactly
        (78, [39]),
        (79, [39, 38]),  # 40 + 39
        (40 + 39 + 38 + 36, [39, 38, 37]),  # 36 is next, and has 37: a later one that fits is not taken
    ],
)
def test_budget_takes_the_best_until_the_next_does_not_fit(
    step3: Step3, ending: str, num_tokens: int, ids: list[int]
) -> None:
    assert step3.ids(make_records(), f"--sample_tokens={num_tokens}", ending=ending) == ids


def test_budget_says_what_it_holds(step3: Step3) -> None:
    done = step3.run(make_records(), "--sample_tokens=100")
    assert done.stdout.splitlines()[1] == f"{40 + 39} response tokens, of 100 that were allowed"
    assert done.stderr == ""


def test_budget_that_holds_all_says_so(step3: Step3) -> None:
    done = step3.run(make_records(), "--sample_tokens=100000")
    num_tokens = sum(record["ifd_tokens"] or 0 for record in make_records())
    assert done.stderr == (
        f"note: all records that have a score below 1 are selected: {num_tokens} response tokens together\n"
    )


def test_budget_is_shared_by_groups(step3: Step3) -> None:
    # Two of each quarter have 39 + 40 + 29 + 30 + 19 + 20 + 9 + 10 tokens.
    records = make_records()
    assert step3.ids(records, "--sample_tokens=196", "--length_groups=4") == [39, 38, 29, 28, 19, 18, 9, 8]


def test_budget_in_which_nothing_fits_is_refused(step3: Step3) -> None:
    assert step3.refused(make_records(), "--sample_tokens=39") == (
        "data.json: no selection has as few as 39 response tokens (--sample_tokens): the record to begin with has "
        "more; nothing was written"
    )


def test_budget_needs_tokens(step3: Step3) -> None:
    assert step3.refused(without(make_records(), "ifd_tokens"), "--sample_tokens=39").startswith(
        "data.json: no record has a number under 'ifd_tokens', which --sample_tokens adds up; score again (step 1)"
    )


@every_format
def test_random_records_are_drawn_from_those_with_a_score(step3: Step3, ending: str) -> None:
    records = make_records()
    records[5]["ifd_ppl"] = 7.0  # no threshold
    kept = step3.ids(records, "--sample_num=36", "--key_name=random", ending=ending)
    assert sorted(kept) == [index for index in range(40) if index % 10]
    assert kept != sorted(kept)


def test_random_records_depend_on_the_seed_alone(step3: Step3) -> None:
    records = make_records()
    one, again, other = (
        step3.ids(records, "--sample_num=9", "--key_name=random", *seed) for seed in ([], ["--seed=0"], ["--seed=1"])
    )
    assert one == again != other
    # As numpy's generator draws a number for each record.
    ranking = np.argsort(-np.random.default_rng(0).random(40))
    assert one == [index for index in ranking if index % 10][:9]
    scores = [record | {"ifd_ppl": record["ifd_ppl"] and 0.9 - record["ifd_ppl"] / 10} for record in records]
    assert step3.ids(scores, "--sample_num=9", "--key_name=random") == one
    # A larger draw begins with the smaller one.
    assert step3.ids(records, "--sample_num=20", "--key_name=random")[:9] == one


@every_format
def test_longest_are_those_with_a_score_and_most_tokens(step3: Step3, ending: str) -> None:
    records = make_records()
    records[1]["ifd_tokens"], records[39]["ifd_ppl"] = 50, None
    assert step3.ids(records, "--sample_num=3", "--key_name=longest", ending=ending) == [1, 38, 37]


@pytest.mark.parametrize("key_name", ["random", "longest"])
def test_baselines_take_groups_and_budgets_as_scores_do(step3: Step3, key_name: str) -> None:
    records = make_records()
    kept = step3.ids(records, "--sample_num=8", f"--key_name={key_name}", "--length_groups=4", "--group_by=meta.lang")
    assert Counter((index - 1 - index // 10) // 9 for index in kept) == dict.fromkeys(range(4), 2)
    kept = step3.ids(records, "--sample_tokens=200", f"--key_name={key_name}")
    assert 200 - 40 < sum(records[index]["ifd_tokens"] for index in kept) <= 200


@pytest.mark.parametrize("key_name", ["random", "longest"])
def test_baselines_need_no_scores(step3: Step3, key_name: str) -> None:
    records = without(make_records(), "ifd_ppl", "ifd_tokens")
    records[7]["output"] = ""
    done = step3.run(records, "--sample_num=39", f"--key_name={key_name}")
    assert done.stdout == "40 records: 1 skipped (no response), 0 not chosen, 39 selected -> new.json\n"
    assert 7 not in [record["id"] for record in read_dataset(str(step3.folder / "new.json"))]


def test_baseline_says_when_there_are_fewer(step3: Step3) -> None:
    done = step3.run(make_records(), "--sample_num=40", "--key_name=longest")
    assert done.stderr == "note: 40 were asked for, but only 36 have a score\n"


def test_seed_that_nothing_uses_is_refused(step3: Step3) -> None:
    error = step3.refused(make_records(), "--seed=1")
    assert error == "--seed 1: only --key_name random draws; leave it out, or choose that"


def unsure(uppers: list[Any]) -> list[dict[str, Any]]:
    return [{"id": index, "ifd_ppl": 0.9, "ifd_loss": 0.8, "ifd_upper": upper} for index, upper in enumerate(uppers)]


@every_format
@pytest.mark.parametrize("key_name", ["ifd_ppl", "ifd_loss"])
def test_selected_that_are_not_surely_below_one_are_counted(step3: Step3, ending: str, key_name: str) -> None:
    done = step3.run(
        unsure([0.95, 1.0, 1.2, 0.9, 5]), "--sample_num=4", f"--key_name={key_name}", ending=ending
    )  # not the last
    assert done.stderr == ("note: 2 of 4 are not surely below 1; --key_name ifd_upper selects only those that are\n")


@pytest.mark.parametrize(
    ("records", "flags"),
    [
        (unsure([0.95, 0.96]), ["--sample_num=2"]),  # all are
        (unsure([0.95, 1.2]), ["--sample_num=1", "--key_name=ifd_upper"]),
        (unsure([0.95, 1.2]), ["--sample_num=2", "--filter_threash=2"]),  # not meant to be
        (without(unsure([0.95, 1.2]), "ifd_upper"), ["--sample_num=2"]),  # older scores
        (unsure([None, None]), ["--sample_num=2"]),
    ],
)
def test_nothing_is_said_where_all_are_sure_or_nothing_is_known(step3: Step3, records: list, flags: list) -> None:
    done = step3.run(records, *flags)
    assert (done.returncode, done.stderr) == (0, "")


@every_format
def test_sure_scores_are_ranked_and_filtered_by_their_upper_end(step3: Step3, ending: str) -> None:
    assert step3.ids(unsure([0.95, 1.0, None, 0.97]), "--sample_num=2", "--key_name=ifd_upper", ending=ending) == [3, 0]


@pytest.mark.parametrize("records", [without(unsure([1, 1]), "ifd_upper"), unsure([None, None])])
def test_scores_without_an_upper_end_say_how_to_get_it(step3: Step3, records: list) -> None:
    assert step3.refused(records, "--sample_num=1", "--key_name=ifd_upper") == (
        "data.json: no record has a number under 'ifd_upper'; the scores were made before step 1 wrote \"se\": "
        "score again (step 1) and merge (step 2), or choose another --key_name"
    )


@every_format
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--group_by=topic"], "record 0: 'topic' is missing (there are 'id', 'instruction'"),
        (["--group_by=meta"], 'record 0: \'meta\' is {"lang": "de"} (an object); --group_by needs a string'),
        (["--group_by=meta.lang.x"], "record 0: 'meta.lang.x' is missing ('meta.lang' is \"de\" (a string))"),
        (["--group_by="], "record 0: '' is missing"),
    ],
)
def test_keys_that_make_no_groups_are_refused(step3: Step3, ending: str, flags: list[str], message: str) -> None:
    assert step3.refused(make_records(), *flags, ending=ending).startswith(f"data{ending}: {message}")


@every_format
def test_more_than_a_thousand_groups_are_refused(step3: Step3, ending: str) -> None:
    error = step3.refused(make_records(1001), "--group_by=id", ending=ending)
    assert error.startswith(f"data{ending}: record 1000: more than 1,000 values of 'id' up to here")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--length_groups=0"], "argument --length_groups: '0' is not a whole number of at least 1"),
        (["--length_groups=1001"], "argument --length_groups: '1001' is more than 1,000 groups"),
        (["--sample_tokens=0"], "argument --sample_tokens: '0' is not a whole number of at least 1"),
        (["--sample_tokens=5", "--sample_num=5"], "argument --sample_num: not allowed with argument --sample_tokens"),
        (
            ["--sample_rate=0.1", "--sample_tokens=5"],
            "argument --sample_tokens: not allowed with argument --sample_rate",
        ),
        (["--seed=-1"], "argument --seed: '-1' is not a whole number of at least 0"),
        (["--key_name=shortest"], "argument --key_name: invalid choice: 'shortest'"),
    ],
)
def test_wrong_flags_are_refused(step3: Step3, flags: list[str], message: str) -> None:
    assert flag_error(step3.run(make_records(), *flags)).startswith(message)


@pytest.mark.parametrize("script", ["report", "show_selection", "data_analysis", "select_data_diverse"])
def test_shares_are_flags_of_step_3_alone(script: str, run_script: RunScript) -> None:
    # Step 1 only looks whether each record has the key of --group_by.
    help_text = run_script(script, "--help").stdout
    if script == "data_analysis":
        help_text = help_text.replace("--group_by", "")
    if script == "show_selection":  # it is told of a baseline
        help_text = help_text.replace("longest", "")
    assert not [flag for flag in ("--length_groups", "--group_by", "--sample_tokens", "longest") if flag in help_text]


@pytest.mark.parametrize(
    "flags", [[], ["--sample_num=9", "--keep_order"], ["--sample_rate=1", "--filter_threash=0.52"]]
)
def test_one_group_writes_the_same_bytes_as_none(step3: Step3, flags: list[str]) -> None:
    plain = step3.run(make_records(), *flags)
    written = (step3.folder / "new.json").read_bytes()
    grouped = step3.run(make_records(), *flags, "--length_groups=1")
    assert (step3.folder / "new.json").read_bytes() == written
    assert grouped.stdout.startswith(plain.stdout)
    assert json.loads(written)
