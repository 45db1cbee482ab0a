"""Which devices there are and which one a job goes to when the user does not say, found without importing torch.

Does not know what else runs on a device.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from synthvlm_ui.service.machine.hosting import on_zero_gpu


@dataclass(frozen=True)
class Card:
    """A graphics card as its driver's tool describes it."""

    name: str
    total_bytes: int
    free_bytes: int


def cards() -> list[Card]:
    """The graphics cards of this machine, in the order of their numbers; [] where nvidia-smi finds none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, timeout=5, check=True, text=True).stdout
        rows = [line.rsplit(",", 2) for line in told.splitlines() if line.strip()]
        return [Card(name.strip(), int(total) * 2**20, int(free) * 2**20) for name, total, free in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def devices() -> list[str]:
    """The names a job's device can have here, the default one first."""
    found = ["cpu", *(["cuda", *(f"cuda:{number}" for number in range(len(cards())))] if _nvidia_card() else [])]
    return sorted(dict.fromkeys([*found, default_device()]), key=lambda name: name != default_device())


@lru_cache(maxsize=1)
def default_device() -> str:
    """ "cuda", "mps" or "cpu"; the queue of a device has this name."""
    if on_zero_gpu() or _nvidia_card():
        return "cuda"
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def resolve_device(device: str) -> str:
    """The queue a device name means: "auto" is the default device."""
    return default_device() if device == "auto" else device


def _nvidia_card() -> bool:
    # the driver's device file is there on bare machines and in containers; elsewhere (Windows, WSL) its tool answers
    if Path("/dev/nvidiactl").exists():
        return True
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        return subprocess.run([tool, "-L"], capture_output=True, timeout=5, check=False).stdout.startswith(b"GPU")
    except (OSError, subprocess.TimeoutExpired):
        return False
