"""Scores of real records by a real model: the published method's numbers, and those that come with the sample."""

import json
import math
import statistics
from pathlib import Path

import pytest

from models.sequences import encode_chunk
from script_runs import ROOT

SCORED_SAMPLE = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"


def perplexities(scorer, tokenizer, records: list[dict], tokens_per_batch: int) -> list[tuple[float, float]]:
    """Score records that all have a score; return (direct, conditioned) perplexities."""
    from scoring.score_file import score_line

    scorer.tokens_per_batch = tokens_per_batch
    pairs = encode_chunk(tokenizer, records, "none", 1024)
    losses = scorer.mean_nll([sequence for pair in pairs for sequence in (pair.direct, pair.conditioned)])
    lines = [
        score_line(direct, conditioned, 1, 1) for direct, conditioned in zip(losses[::2], losses[1::2], strict=True)
    ]
    return [(line["ppl"][1], line["ppl"][3]) for line in lines]


@pytest.fixture
def golden_records(real_data_dir: Path) -> list[dict]:
    return json.loads((real_data_dir / "golden" / "alpaca_60.json").read_text(encoding="utf-8"))


@pytest.fixture
def golden(real_data_dir: Path) -> list[list[float]]:
    """The four numbers that the published method gives each record: 0, direct, 0, conditioned perplexity."""
    lines = (real_data_dir / "golden" / "alpaca_60_smollm2_scores.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 60
    return [json.loads(line)["ppl"] for line in lines]


@pytest.mark.parametrize(
    ("step", "tokens_per_batch"),
    [(10, 512), pytest.param(1, 256, marks=pytest.mark.long), pytest.param(1, 8192, marks=pytest.mark.long)],
)
def test_golden_records_have_the_published_scores(
    smollm2_scorer, golden_records: list[dict], golden: list[list[float]], step: int, tokens_per_batch: int
) -> None:
    found = perplexities(*smollm2_scorer, golden_records[::step], tokens_per_batch)
    for (direct, conditioned), (_, golden_direct, _, golden_conditioned) in zip(found, golden[::step], strict=True):
        assert direct == pytest.approx(golden_direct, rel=1e-4)
        assert conditioned == pytest.approx(golden_conditioned, rel=1e-4)
        assert conditioned / direct == pytest.approx(golden_conditioned / golden_direct, rel=1e-4)


@pytest.mark.long
def test_bfloat16_keeps_its_error_bound_on_the_golden_records(
    smollm2_scorer, golden_records: list[dict], golden: list[list[float]]
) -> None:
    from tqdm import tqdm

    from models.cpu_kernels import has_fast_bfloat16
    from scoring.chunks import submit_chunk

    # Where the processor has no bfloat16 products the whole sixty take many minutes.
    step = 1 if has_fast_bfloat16() else 12
    golden_records, golden = golden_records[::step], golden[::step]
    scorer, tokenizer = smollm2_scorer
    scorer.tokens_per_batch = 512
    with tqdm(disable=True) as bar:
        lines = submit_chunk(scorer, tokenizer, golden_records, "none", 1024, "bfloat16", {}).lines(bar)
    assert {line["dtype"] for line in lines} == {"float32", "bfloat16"}  # short responses are float32
    errors = [
        abs(math.log(line["ppl"][3] / line["ppl"][1]) - math.log(golden_conditioned / golden_direct))
        for line, (_, golden_direct, _, golden_conditioned) in zip(lines, golden, strict=True)
    ]
    assert statistics.median(errors) < 0.003
    assert max(errors) < 0.04


@pytest.mark.long
def test_scores_that_come_with_the_sample_are_found_again(smollm2_scorer) -> None:
    scored = json.loads(SCORED_SAMPLE.read_text(encoding="utf-8"))
    part = [record for record in scored[::8] if record["ifd_ppl"] is not None]
    assert len(part) >= 28
    for record, (direct, conditioned) in zip(part, perplexities(*smollm2_scorer, part, 2048), strict=True):
        assert direct == pytest.approx(record["ppl_A_direct"], rel=1e-4)
        assert conditioned == pytest.approx(record["ppl_A_condition"], rel=1e-4)
