"""Which model a name means: where it lies, and a fingerprint of its content.

Found without loading it, and without torch.
"""

import argparse
import hashlib
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

from models.pip_models import SMOLLM2, PipModel
from shared.cli import UserError
from shared.files import sha256_of
from shared.hub import HUB_TIMEOUT_SECONDS, HubEntry, NoAnswer, ask_hub

# What decides a local model's output: weights, configuration, tokenizer, chat template, code of its own.
MODEL_FILES = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model", "*.jinja", "*.py")


@dataclass(frozen=True)
class ModelSource:
    """A model to load. `fingerprint` is `sha256:<hex>` of the content, or `commit:<hex>` of a Hub repository."""

    name: str
    location: str  # a folder, a GGUF file (smollm2-135m), or a Hub id
    fingerprint: str
    revision: str | None = None  # Hub ids: the exact commit
    in_cache: bool = False  # Hub ids: the Hub was not reached, so only the cache is read

    @property
    def is_local(self) -> bool:
        """Whether it never was on the Hub: a folder, or the GGUF file."""
        return self.revision is None


def find_model(name: str, revision: str = "main", packaged: PipModel = SMOLLM2) -> ModelSource:
    """Return where the model called `name` lies: the `packaged` one, a local folder, or a Hub id at `revision`.

    Messages name the flag of `packaged`. Raises UserError within 10 seconds when it cannot be had.
    """
    flag = packaged.flag
    if name == packaged.name:
        path = packaged.find()
        if path.suffix == ".gguf":
            return ModelSource(name, str(path), f"sha256:{sha256_of(path)}")
        return ModelSource(name, str(path.parent), f"sha256:{_hash_folder(path.parent, flag)}")
    if os.path.isdir(name):
        return ModelSource(name, name, f"sha256:{_hash_folder(Path(name), flag)}")
    if os.path.isabs(name) or name.startswith((".", "~")) or name.count("/") > 1 or os.path.exists(name):
        raise UserError(f"{flag} {name}: no such folder, and not a Hub id such as gpt2 or Qwen/Qwen3-0.6B")
    return _find_on_hub(name, revision, packaged)


def may_be_on_hub(name: str, packaged: PipModel = SMOLLM2) -> bool:
    """Tell whether a model of this name would be looked for on the Hub."""
    return name != packaged.name and not os.path.exists(name)


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that decide the numbers."""
    return {name: importlib.metadata.version(name) for name in ("torch", "transformers", "tokenizers")}


def add_revision_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --revision."""
    parser.add_argument(
        "--revision", default="main", help="branch, tag or commit of a Hub model (default: %(default)s)"
    )


def add_trust_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --trust_remote_code."""
    parser.add_argument(
        "--trust_remote_code", action="store_true", help="run Python code that comes with the model (default: off)"
    )


def add_device_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --device, which `choose_device` of `models/causal_lm.py` reads."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where to run; auto takes cuda, else mps, else cpu (default: %(default)s)",
    )


def _hash_folder(folder: Path, flag: str) -> str:
    files = sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern) if path.is_file()})
    if (folder / "config.json") not in files:
        raise UserError(f"{flag} {folder}: no config.json in this folder; it must hold a transformers model")
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(f"{path.name} {sha256_of(path)}\n"))
    return digest.hexdigest()


def _find_on_hub(name: str, revision: str, packaged: PipModel) -> ModelSource:
    from huggingface_hub import HfApi, try_to_load_from_cache

    entry = HubEntry("model", name, revision, f"{packaged.flag} {name}", "", "--revision")
    commit = ask_hub(
        entry,
        lambda: (
            HfApi().model_info(name, revision=revision, timeout=HUB_TIMEOUT_SECONDS / 2).sha
            or NoAnswer("it named no commit")
        ),
    )
    if isinstance(commit, str):
        return ModelSource(name, name, f"commit:{commit}", commit)
    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(cached, str):
        raise UserError(
            f"{packaged.flag} {name}: not in the local cache, and the Hub cannot be asked ({commit.reason}); "
            f"connect once to download it, give a local folder, or {packaged.remedy}"
        )
    cached_commit = Path(cached).parent.name
    return ModelSource(name, name, f"commit:{cached_commit}", cached_commit, in_cache=True)
