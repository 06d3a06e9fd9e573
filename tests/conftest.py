"""Shared by the tests: tiny models with random weights, scripts run as users run them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import script_runs
from browser import chromium, open_page
from hub_server import hub
from script_runs import RunScript

__all__ = ["chromium", "hub", "open_page"]  # fixtures

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from scoring.scorer import Scorer

# A shell starts what runs in the background with Ctrl-C ignored, and so would be all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests run offline; the one that asks the Hub says so itself.
os.environ["HF_HUB_OFFLINE"] = "1"
# Two processes of tests share the cores, and tiny models are slower on two threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine takes longer over an example, which says nothing of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


# They begin first: a long one that began last would leave the other process without work.
FIRST_FILES = {"test_data_analysis_ray.py", "test_scripts.py", "test_golden.py", "test_data_analysis.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of the longest tests first."""
    items.sort(key=lambda item: item.path.name not in FIRST_FILES)


@pytest.fixture
def run_script() -> RunScript:
    """Run the script called <name>.py with arguments, as script_runs.py says."""
    return script_runs.run_script


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """The folder with real data, named by REAL_DATA_DIR; a test that needs it is skipped without."""
    folder = os.environ.get("REAL_DATA_DIR")
    if not folder:
        pytest.skip("REAL_DATA_DIR is not set: no real data to test on")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a GPT-2 of 2 layers and 64 positions, random weights; its tokenizer adds no special token."""
    from tiny_models import save_gpt2

    return save_gpt2(tmp_path_factory.mktemp("tiny_gpt2"))


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Llama of 2 layers, random weights; its tokenizer adds a BOS and has a chat template."""
    from tiny_models import save_llama

    return save_llama(tmp_path_factory.mktemp("tiny_llama"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of 2 layers and 64 positions, random weights; it has a token on both sides of a text."""
    from tiny_models import save_bert

    return save_bert(tmp_path_factory.mktemp("tiny_bert"))


@pytest.fixture(scope="session")
def smollm2_scorer() -> "Iterator[tuple[Scorer, PreTrainedTokenizerBase]]":
    """The real model that comes with pip, in float32 and bfloat16 on the CPU, and its tokenizer."""
    import torch

    from models.causal_lm import load_batch_models
    from models.pip_models import SMOLLM2
    from models.source import find_model
    from scoring.scorer import Scorer
    from shared.cli import UserError

    try:
        source = find_model(SMOLLM2.name)
    except UserError as error:
        pytest.skip(str(error))
    models, tokenizer = load_batch_models(source, "mixed", torch.device("cpu"), 1024)
    with Scorer(models, tokens_per_batch=512, num_workers=torch.get_num_threads()) as scorer:
        yield scorer, tokenizer
