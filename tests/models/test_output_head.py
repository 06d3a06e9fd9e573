"""The output head in chunks: what cross-entropy over whole logits gives, in 16 bits too."""

import math

import pytest
import torch

from models.output_head import HEAD_TOKENS, HEAD_VOCABULARY, OutputHead, logits_nll

# Neither is a multiple of its chunk, and there is more than one chunk of each.
NUM_TOKENS, VOCABULARY = 1300, 5000


def expected_nll(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """Return the same through whole logits in the inputs' dtype, (tokens,) float32."""
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def likely_targets(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Draw each token's target from its own distribution, as if the model had written the text."""
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.linear(hidden, weight, bias).softmax(-1).multinomial(1, generator=generator)[:, 0]


@pytest.mark.parametrize("with_bias", [False, True])
def test_chunks_equal_cross_entropy_over_whole_logits(with_bias: bool) -> None:
    assert NUM_TOKENS > 2 * HEAD_TOKENS
    assert VOCABULARY > 2 * HEAD_VOCABULARY
    torch.manual_seed(0)
    hidden, weight = torch.randn(NUM_TOKENS, 16), torch.randn(VOCABULARY, 16)
    bias = torch.randn(VOCABULARY) if with_bias else None
    targets = torch.randint(0, VOCABULARY, (NUM_TOKENS,))
    nll = OutputHead(weight, bias, torch.float32).nll(hidden, targets)
    torch.testing.assert_close(nll, expected_nll(hidden, weight, bias, targets), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_nll_of_a_certain_token_is_zero_not_below(dtype: torch.dtype) -> None:
    nll = OutputHead(torch.eye(4) * 100, None, dtype).nll(torch.eye(4), torch.arange(4))
    assert nll.tolist() == [0, 0, 0, 0]
    # Where sums are long, that of the target's logit is rounded otherwise than that of the product.
    torch.manual_seed(0)
    weight = torch.randn(400, 64)
    assert OutputHead(weight, None, dtype).nll(weight * 7, torch.arange(400)).min() >= 0


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_lose_far_less_than_sixteen_bit_logits(dtype: torch.dtype, with_bias: bool) -> None:
    torch.manual_seed(0)
    # Rounded before: what is compared is the product alone. Logits reach 40, as those of real models do.
    hidden, weight = torch.randn(600, 64).to(dtype), torch.randn(VOCABULARY, 64).to(dtype)
    bias = torch.randn(VOCABULARY).to(dtype) if with_bias else None
    wide = (hidden.float(), weight.float(), None if bias is None else bias.float())
    targets = likely_targets(*wide)
    exact = expected_nll(*wide, targets)
    error = (OutputHead(weight, bias, dtype).nll(hidden, targets) - exact).abs()
    plain_error = (expected_nll(hidden, weight, bias, targets) - exact).abs()
    assert error.mean() < plain_error.mean() / 10
    assert error.max() < plain_error.max() / 4


def test_nll_is_float32_whatever_the_head_is() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert OutputHead(torch.eye(4), None, dtype).nll(torch.eye(4), torch.arange(4)).dtype == torch.float32


def test_nan_stays_nan() -> None:
    hidden = torch.eye(4)
    hidden[1, 2] = math.nan
    nll = OutputHead(torch.eye(4), None, torch.float32).nll(hidden, torch.arange(4))
    assert nll.isnan().tolist() == [False, True, False, False]


def test_logits_nll_picks_its_positions() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[1, 2, 3] = math.log(3)  # p = 3 / (3 + 1 + 1 + 1)
    nll = logits_nll(logits, torch.tensor([1, 0]), torch.tensor([2, 0]), torch.tensor([3, 0]))
    assert nll.tolist() == pytest.approx([math.log(2), math.log(4)])


def test_logits_nll_in_chunks_equals_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 650, 30), torch.randint(0, 30, (1300,))
    row, position = torch.arange(1300) // 650, torch.arange(1300) % 650
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
    torch.testing.assert_close(logits_nll(logits, row, position, targets), expected)
