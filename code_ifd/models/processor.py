"""What this machine's processor is and can do: from torch, or from Linux where torch is too old to tell."""

from pathlib import Path
from typing import Any

import torch

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")


def capabilities() -> dict[str, Any]:
    """Return the processor's `cpu_name` and what it can do, under torch's names; empty where nobody tells."""
    ask = getattr(torch.cpu, "get_capabilities", None)  # torch 2.6 has none
    return ask() if ask else linux_capabilities(CPU_INFO)


def linux_capabilities(path: Path) -> dict[str, Any]:
    """Return what Linux says of the first processor, under torch's names; empty where there is no such file."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    found = {key.strip(): value.strip() for key, sign, value in (line.partition(":") for line in first.splitlines())}
    features = (found.get("flags") or found.get("Features") or "").split()
    name = f"{found.get('vendor_id', '')} {found.get('model name', '')}".strip()
    return {"cpu_name": name} | {feature: feature in features for feature in BFLOAT16_FEATURES}
