"""Scores of real records by a real model: the published method's numbers, and those that come with the sample."""

import json
from pathlib import Path

import pytest
from conftest import ROOT
from sequences import encode_window

SCORED_SAMPLE = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"


def perplexities(scorer, tokenizer, records: list[dict], tokens_per_batch: int) -> list[tuple[float, float]]:
    """Score records that all have a score; return (direct, conditioned) perplexities."""
    from score_file import score_line

    scorer.tokens_per_batch = tokens_per_batch
    pairs = encode_window(tokenizer, records, "none", 1024)
    losses = scorer.mean_nll([sequence for pair in pairs for sequence in (pair.direct, pair.conditioned)])
    lines = [score_line(direct, conditioned, 1, 1) for direct, conditioned in zip(losses[::2], losses[1::2], strict=True)]
    return [(line["ppl"][1], line["ppl"][3]) for line in lines]


@pytest.mark.long
@pytest.mark.parametrize("tokens_per_batch", [256, 8192])
def test_golden_records_have_the_published_scores(smollm2_scorer, real_data_dir: Path, tokens_per_batch: int) -> None:
    records = json.loads((real_data_dir / "golden" / "alpaca_60.json").read_text(encoding="utf-8"))
    golden = [json.loads(line)["ppl"] for line in (real_data_dir / "golden" / "alpaca_60_smollm2_scores.jsonl").open(encoding="utf-8")]
    assert len(golden) == 60
    found = perplexities(*smollm2_scorer, records, tokens_per_batch)
    for (direct, conditioned), (_, golden_direct, _, golden_conditioned) in zip(found, golden, strict=True):
        assert direct == pytest.approx(golden_direct, rel=1e-4)
        assert conditioned == pytest.approx(golden_conditioned, rel=1e-4)
        assert conditioned / direct == pytest.approx(golden_conditioned / golden_direct, rel=1e-4)


@pytest.mark.long
def test_scores_that_come_with_the_sample_are_found_again(smollm2_scorer) -> None:
    scored = json.loads(SCORED_SAMPLE.read_text(encoding="utf-8"))
    part = [record for record in scored[::8] if record["ifd_ppl"] is not None]
    assert len(part) >= 28
    for record, (direct, conditioned) in zip(part, perplexities(*smollm2_scorer, part, 2048), strict=True):
        assert direct == pytest.approx(record["ppl_A_direct"], rel=1e-4)
        assert conditioned == pytest.approx(record["ppl_A_condition"], rel=1e-4)
