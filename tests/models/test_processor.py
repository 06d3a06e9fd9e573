"""What a processor can do, where torch is too old to tell."""

from pathlib import Path

import pytest
import torch

from models import processor
from models.processor import capabilities, linux_capabilities

AMD = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512_bf16\n\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\n"


def test_linux_names_the_processor_and_its_bfloat16(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(AMD + AMD.replace("AMD", "Other"), encoding="utf-8")
    found = linux_capabilities(path)
    assert "AMD" in found["cpu_name"]
    assert found == {"cpu_name": found["cpu_name"], "avx512_bf16": True, "amx_bf16": False, "bf16": False}
    path.write_text(ARM, encoding="utf-8")
    assert linux_capabilities(path)["bf16"]


def test_nothing_is_known_where_there_is_no_such_file(tmp_path: Path) -> None:
    assert linux_capabilities(tmp_path / "none") == {}


def test_torch_is_asked_where_it_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"bf16": True}, raising=False)
    assert capabilities() == {"bf16": True}
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert capabilities() == {}
