"""Which number format a pipeline runs in and where its parts lie, from the memory of the device. Imports no engine.

The working memory is an estimate, rounded up: activations of a batch while denoising, and of the decoder at the size of
the picture. When it is wrong, running out of memory halves the batch (see ``diffusers_generator``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synthvlm_ui.errors import BadSetting, OutOfMemory
from synthvlm_ui.records import EngineSettings

DTYPES = ("auto", "bfloat16", "float16", "float32")
OFFLOADS = ("auto", "none", "model", "sequential")
VAE_MODES = ("auto", "whole", "sliced", "tiled", "tiny")
ATTENTIONS = ("auto", "native", "sliced", "xformers", "flash", "sage", "flex")
_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
# Bytes of activations per pixel of the picture: one image being denoised; decoded whole; decoded in tiles.
_DENOISING, _WHOLE, _TILED = 1000, 3000, 700
_SPARE = 0.05


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Free memory of a device for weights and work. Units: bytes."""

    device: str
    free_bytes: int


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What was chosen, as it is recorded with every picture by ``str``; ``reason`` says from what."""

    dtype: str
    attention: str
    vae: str
    offload: str
    compile: bool
    fuse_qkv: bool
    reason: str

    @property
    def place(self) -> str:
        """Where the parts lie."""
        return {"none": "all parts on the device", "model": "parts moved in and out",
                "sequential": "layer by layer"}[self.offload]

    def __str__(self) -> str:
        words = [self.dtype, f"{self.attention} attention", self.place, f"VAE {self.vae}"]
        words += ["compiled blocks"] if self.compile else []
        words += ["fused QKV"] if self.fuse_qkv else []
        return ", ".join(words)


def check_engine(settings: EngineSettings) -> None:
    """Raises BadSetting for a word that none of these settings knows."""
    for name, known in (("dtype", DTYPES), ("offload", OFFLOADS), ("attention", ATTENTIONS)):
        value = getattr(settings, name)
        if value not in known:
            raise BadSetting(f"{name} is {value!r}", where=f"--{name}", fix=f"Give one of {', '.join(known)}.")
    end = settings.denoising_end
    if end is not None and not (math.isfinite(end) and 0 < end < 1):
        raise BadSetting(f"denoising_end is {end}", where="--denoising-end",
                         fix="Give the share of the steps before the refiner, between 0 and 1.")


def choose_engine(settings: EngineSettings, dtype: str, parts: Mapping[str, int], memory: DeviceMemory,
                  side_px: int) -> EngineChoice:
    """Keeps everything on the device when it fits, else one part at a time, else one layer; tiles the decoder's work
    when the whole picture would not fit.

    ``parts`` are counts of parameters by part; ``dtype`` is what the device runs best. On a processor moving parts
    brings nothing. Raises: OutOfMemory when a processor's memory cannot hold the weights.
    """
    dtype = dtype if settings.dtype == "auto" else settings.dtype
    weights = {name: count * _BYTES[dtype] for name, count in parts.items()}
    total, largest = sum(weights.values()), max(weights.values(), default=0)
    pixels, free = side_px**2, int(memory.free_bytes * (1 - _SPARE))
    on_card = not memory.device.startswith("cpu")
    if not on_card and total > free:
        raise OutOfMemory(f"the weights take {_gb(total)} in {dtype} and {memory.device} has {_gb(free)} free",
                          fix="Choose a smaller model, or --dtype bfloat16, or end other programs.")
    offload = settings.offload
    if offload == "auto":
        work = (_DENOISING + _TILED) * pixels
        offload = "none" if not on_card or total + work <= free else "model" if largest + work <= free else "sequential"
    resident = {"none": total, "model": largest, "sequential": 0}[offload]
    vae = settings.vae
    if vae == "auto":
        vae = "whole" if resident + (_DENOISING + _WHOLE) * pixels <= free else "tiled"
    return EngineChoice(
        dtype, "native" if settings.attention == "auto" else settings.attention, vae, offload,
        settings.compile and offload == "none", settings.fuse_qkv,
        f"weights {_gb(total)} (largest part {_gb(largest)}), {_gb(free)} usable on {memory.device}")


def parameters_of(directory: Path) -> dict[str, int]:
    """Parameters of each part of a pipeline directory, from the headers of its safetensors; {} where there are none."""
    counts = {}
    for part in sorted(path for path in directory.iterdir() if path.is_dir()):
        files = [path for path in part.glob("*.safetensors") if ".fp16" not in path.name] or [
            *part.glob("*.safetensors")]
        if files:
            counts[part.name] = sum(_parameters_in(path) for path in files)
    return counts


def _parameters_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError):  # loading will say what is wrong with this file
        return 0


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
