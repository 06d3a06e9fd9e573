"""Shared by the tests: the modules under test on sys.path, tiny models with random weights, scripts run as users run them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scoring import Scorer
    from transformers import PreTrainedTokenizerBase

ROOT = Path(__file__).parent.parent
# The folders of scripts and their modules.
CODE = (ROOT / "code_ifd", ROOT / "evaluation" / "generation", ROOT / "data")
sys.path[:0] = map(str, CODE)

# The tests run offline; the one that asks the Hub says so itself.
os.environ["HF_HUB_OFFLINE"] = "1"

RunScript = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def run_script() -> RunScript:
    """Run the script called <name>.py with arguments from the repository root; text stdout and stderr."""

    def run(name: str, *args: object, cwd: Path = ROOT, env: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess:
        path = next(folder / f"{name}.py" for folder in CODE if (folder / f"{name}.py").exists())
        command = [sys.executable, str(path), *map(str, args)]
        return subprocess.run(
            command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, encoding="utf-8", timeout=300, **options
        )

    return run


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
    """A folder with a BERT of 2 layers and 64 positions, random weights; its tokenizer puts a token on both sides of a text."""
    from tiny_models import save_bert

    return save_bert(tmp_path_factory.mktemp("tiny_bert"))


@pytest.fixture(scope="session")
def smollm2_scorer() -> "Iterator[tuple[Scorer, PreTrainedTokenizerBase]]":
    """The real model that comes with pip, in float32 and bfloat16 on the CPU, and its tokenizer."""
    import smollm2
    import torch
    from causal_lm import load_batch_models
    from cli import UserError
    from model_source import find_model
    from scoring import Scorer

    try:
        source = find_model(smollm2.NAME)
    except UserError as error:
        pytest.skip(str(error))
    models, tokenizer = load_batch_models(source, "mixed", torch.device("cpu"), 1024)
    with Scorer(models, tokens_per_batch=512, num_workers=torch.get_num_threads()) as scorer:
        yield scorer, tokenizer
