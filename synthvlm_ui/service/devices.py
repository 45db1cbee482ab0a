"""Which device a job goes to when the user does not say, found without importing torch.

Does not know how much memory a device has or what else runs on it.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def default_device() -> str:
    """ "cuda", "mps" or "cpu"; the queue of a device has this name."""
    if _nvidia_card():
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
