"""Faster kernels for the same arithmetic on a CPU: nothing here changes a score beyond float32 rounding.

Measured with smollm2-135m on two cores of an AMD EPYC (Zen 4): oneDNN's float32 GEMM is 10 to 25 percent faster than
MKL's, which torch takes by default, on every shape of the model.
"""

import ctypes
import os
import sys

import torch
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from models.packed_decoder import linear
from models.processor import BFLOAT16_FEATURES, capabilities


class FastLinear(torch.nn.Linear):
    """A linear layer that calls `linear`."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return input @ weight.T + bias."""
        return linear(input, self.weight, self.bias)


def has_fast_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 matrices in hardware; without, they are slower than float32."""
    found = capabilities()
    return any(found.get(name) for name in BFLOAT16_FEATURES)


def keep_freed_memory() -> None:
    """Have glibc keep what a tensor frees for the next tensor.

    By default blocks of some megabytes go back to the system at once, and every new one costs a page fault for each
    4 KB: a fifth of the attention's time. Does nothing where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold, largest = (
            -1,
            -3,
            32 << 20,
        )  # parameters of malloc.h; glibc takes no more than 32 MB
        mallopt(mmap_threshold, largest)
        mallopt(trim_threshold, 1 << 30)


def use_fast_kernels(model: torch.nn.Module) -> None:
    """Replace a model's linear layers, and GPT-2's GELU in eight passes, by faster ones with the same weights.

    Only for inference. Linear layers of a subclass (quantized, adapted) stay as they are.
    """
    # oneDNN and torch's layer above it each keep the kernels of the last 1,024 shapes, which are as many as there are
    # batches: a gigabyte. A batch needs about ten. Both read this once, at their first product.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
    for name, module in list(model.named_modules()):
        if type(module) is torch.nn.Linear:
            module.__class__ = FastLinear
        elif type(module) is Conv1D:  # GPT-2's linear layer, with its weight the other way round
            model.set_submodule(name, _as_linear(module))
    use_fused_gelu(model)


def use_fused_gelu(model: torch.nn.Module) -> None:
    """Replace GPT-2's GELU in eight passes by torch's in one, on any device."""
    for name, module in list(model.named_modules()):
        if type(module) is NewGELUActivation:
            model.set_submodule(name, torch.nn.GELU(approximate="tanh"))


def _as_linear(conv: Conv1D) -> FastLinear:
    num_in, num_out = conv.weight.shape
    layer = FastLinear(num_in, num_out, device="meta")
    layer.weight = torch.nn.Parameter(conv.weight.detach().T.contiguous(), requires_grad=False)
    layer.bias = torch.nn.Parameter(conv.bias.detach(), requires_grad=False)
    return layer.eval()
