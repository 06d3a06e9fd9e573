"""do_eval.sh: each data set is judged, by what the variables at its top say, and the key is on no command line."""

import json
from pathlib import Path

import pytest
from fault_server import FaultServer
from judge_runs import KEY, write_pairs

from script_runs import bash


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, object]:
    """Variables for two data sets in a folder with a space in its name."""
    folder = tmp_path / "my eval" / "a-VS-b"
    folder.mkdir(parents=True)
    for name in ("first", "second"):
        write_pairs(folder, 2).rename(folder / f"{name}_wrap.json")
    return {
        "DATASETS": "first second",
        "EVAL_DIR": tmp_path / "my eval",
        "NAME1": "a",
        "NAME2": "b",
        "OPENAI_API_KEY": KEY,
    }


def test_every_data_set_is_judged_as_the_variables_say(variables: dict[str, object]) -> None:
    with FaultServer() as server:
        done = bash(
            "evaluation/scripts/do_eval.sh",
            **variables,
            API_BASE=server.url,
            API_MODEL="judge-1",
            MAX_TOKENS=50,
            TEMPERATURE="default",
            PRICE_IN="30",
            PRICE_OUT="60",
            MAX_COST="9",
        )
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("first", "second"):
        path = Path(str(variables["EVAL_DIR"])) / "a-VS-b" / f"{name}_wrap_reviews_judge-1.json"
        judge = json.loads(path.read_text(encoding="utf-8"))["Meta_Info"]["judge"]
        assert judge == {"api_model": "judge-1", "max_tokens": 50, "temperature": None, "judge_input": "on"}


def test_flags_may_follow_and_the_first_error_ends_it(variables: dict[str, object]) -> None:
    done = bash("evaluation/scripts/do_eval.sh", "--dry_run", **variables)
    assert done.stdout.count("4 to send to gpt-4 at https://api.openai.com/v1") == 2
    missing = bash("evaluation/scripts/do_eval.sh", "--dry_run", **variables | {"DATASETS": "none first"})
    assert (missing.returncode, missing.stdout) == (2, "")
    assert (
        "a-VS-b/none_wrap.json: not there; eval_generation_wrap.py (do_eval_generation_wrap.sh) makes wrap files"
        in missing.stderr
    )
