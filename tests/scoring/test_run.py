"""What a run of step 1 decides before it scores."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from scoring.flags import ScoringSettings
from scoring.run import choose_chunk


@pytest.mark.parametrize(
    ("device", "has_gpu", "size"),
    [("auto", True, 1024), ("cuda", True, 1024), ("cpu", True, 128), ("auto", False, 128)],
)
def test_size_of_a_chunk_suits_the_device(
    device: str, has_gpu: bool, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_gpu)
    settings = SimpleNamespace(records_per_chunk=None, save_path=str(tmp_path / "s.jsonl"), device=device)
    assert choose_chunk(cast(ScoringSettings, settings)) == size
