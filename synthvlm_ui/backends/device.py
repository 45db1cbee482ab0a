"""Which device and which number format an engine runs in. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synthvlm_ui.backends.engine_choice import DeviceMemory
from synthvlm_ui.errors import BadSetting, DeviceLost

if TYPE_CHECKING:
    import torch


def choose_device(device: str = "auto") -> str:
    """A torch device: "auto" takes cuda, then mps, then cpu. Raises: BadSetting when the named one is not here."""
    import torch

    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    here = ["cpu"] + (["mps"] if has_mps else [])
    if torch.cuda.is_available():
        here += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if device not in here:
        raise BadSetting(f"device {device!r} is not available", where="--device",
                         fix=f"Use auto or one of {', '.join(here)}.")
    return device


def pipeline_dtype(device: str) -> torch.dtype:
    """bfloat16 on cards that have it, float16 on other cards, float32 on processors."""
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float16 if device == "mps" else torch.float32


def torch_dtype(name: str) -> torch.dtype:
    """The number format of this name."""
    import torch

    return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]


def dtype_name(dtype: torch.dtype) -> str:
    """The name that ``torch_dtype`` knows."""
    return str(dtype).removeprefix("torch.")


def device_memory(device: str) -> DeviceMemory:
    """What is free for a model, with what this process keeps in reserve. Units: bytes."""
    import torch

    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return DeviceMemory(device, free + unused)
    import psutil

    return DeviceMemory(device, int(psutil.virtual_memory().available))


def embedder_dtype(device: str) -> torch.dtype:
    """float16 on cards (finer than bfloat16 and CLIP stays in its range), bfloat16 on processors that multiply it."""
    import torch

    if device != "cpu":
        return torch.float16
    return torch.bfloat16 if has_bf16_units() else torch.float32


def has_bf16_units() -> bool:
    """Whether this processor multiplies bfloat16 itself; without such units it is slower than float32."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.split())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an engine's exception says that memory ran out, in the words of any of torch's devices."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower()
        for words in ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")
    )


def is_device_lost(error: BaseException) -> bool:
    """Whether an engine's exception says that the device itself failed: nothing more runs on it in this process."""
    said = str(error).lower()
    return isinstance(error, RuntimeError) and not is_out_of_memory(error) and any(
        words in said for words in ("cuda error", "hip error", "gpu is lost", "device-side assert"))


def device_lost(device: str, error: BaseException, where: str) -> DeviceLost:
    """The error for people of one that ``is_device_lost`` knows."""
    return DeviceLost(f"{device} stopped answering ({str(error).splitlines()[0][:160]})", where=where,
                      fix="Resume the job: finished chunks are kept. When it happens again, restart the machine.")


@contextmanager
def device_watched(device: str, where: str) -> Iterator[None]:
    """For whatever runs engines, scorers and all: a failing device is raised as such, not as some engine's trouble.

    Raises: DeviceLost, and what runs inside.
    """
    try:
        yield
    except RuntimeError as error:
        if is_device_lost(error):
            raise device_lost(device, error, where) from error
        raise


def release_memory() -> None:
    """Gives cached blocks back to the device, so that a smaller batch finds them."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
