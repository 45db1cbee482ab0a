"""How much memory and disk a training will ask for, known before a network is opened. Imports no torch.

Weights are counted from the headers of safetensors files; networks that start anew from a table, which a test compares
with the networks themselves. Activations come on top: they depend on pictures and texts.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthvlm_ui.training.presets import Preset

# Parameters that a configuration trains with the parts it is named after (a tokenizer with its discriminator).
TRAINED = {
    ("synth2-vq", "tiny"): 2_973_396, ("synth2-vq", "miniature"): 2_929_269, ("synth2-vq", "paper"): 61_836_484,
    ("synth2-vq", "paper-decoder"): 211_448_388, ("synth2-generator", "tiny"): 200_016,
    ("synth2-generator", "miniature"): 3_761_992, ("synth2-generator", "paper"): 119_551_232,
    ("synth2-vlm", "tiny"): 1_123_112, ("synth2-vlm", "miniature"): 2_078_280, ("synth2-vlm", "paper"): 384_457_776,
}  # fmt: skip
_BYTES_PER_TRAINED = 20  # weight, gradient, two moments, running mean
_BYTES_PER_MOMENT_PAIR = 12  # LLaVA: gradient and two moments in 32 bits beside the weight
_HEADER_LIMIT = 100 * 2**20
_PROJECTOR, _LANGUAGE, _ADAPTED = "multi_modal_projector", ("language_model", "lm_head"), "_proj.weight"


@dataclass(frozen=True)
class Room:
    """``trained`` and ``frozen`` count parameters; ``memory_bytes`` is without activations, ``disk_bytes`` what
    checkpoints and the finished model take at once."""

    trained: int
    frozen: int
    memory_bytes: int
    disk_bytes: int


def shapes_of(directory: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor in a folder's safetensors files; files that do not read give none."""
    for path in sorted(directory.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(length, _HEADER_LIMIT)))
            found = [(name, tuple(map(int, entry["shape"]))) for name, entry in header.items() if "shape" in entry]
        except (OSError, ValueError, TypeError, struct.error, AttributeError):
            continue
        yield from found


def room_of_synth2(recipe: str, configuration: str, init_from: Path | None, language: Path | None) -> Room | None:
    """What a Synth2 recipe asks for; None where it cannot be known beforehand."""
    part = {"synth2-vq": "vq", "synth2-generator": "generator"}.get(recipe, "vlm")
    trained = TRAINED.get((recipe if part != "vlm" else "synth2-vlm", configuration), 0)
    if configuration == "finetune" and init_from is not None:
        trained = _count(init_from / "vlm")
    if not trained:
        return None
    frozen = 0 if part == "vq" or language is None else _count(language)
    held = _BYTES_PER_TRAINED * trained
    return Room(trained, frozen, held + 4 * frozen, 2 * held)


def room_of_llava(recipe: str, preset: Preset, directory: Path, vision: Path | None, *, on_card: bool) -> Room | None:
    """What a stage of LLaVA asks for; None when the directory holds no safetensors (a Hub id that is not here yet)."""
    parts = {"projector": 0, "language": 0, "vision": 0}
    adapters = 0
    for name, shape in shapes_of(directory):
        part = ("projector" if _PROJECTOR in name else "language"
                if vision is not None or any(word in name for word in _LANGUAGE) else "vision")
        parts[part] += math.prod(shape)
        if part == "language" and name.endswith(_ADAPTED) and len(shape) == 2:
            adapters += preset.lora_rank * sum(shape)
    if not parts["language"]:
        return None
    if vision is not None:
        parts["vision"] = _count(vision)
        parts["projector"] = _new_projector(directory, vision)
    trained = parts["projector"] + {"llava-stage1": 0, "llava-lora": adapters}.get(recipe, parts["language"])
    total = sum(parts.values()) + (adapters if recipe == "llava-lora" else 0)
    frozen = total - trained
    weight_bytes = 2 if on_card else 4
    memory = weight_bytes * frozen + (4 + _BYTES_PER_MOMENT_PAIR) * trained
    # A checkpoint of transformers: all weights and the moments; the finished model beside it.
    kept = 4 * adapters if recipe == "llava-lora" else weight_bytes * frozen + 4 * trained
    return Room(trained, frozen, memory, kept + 8 * trained + weight_bytes * total)


def _count(directory: Path) -> int:
    return sum(math.prod(shape) for _, shape in shapes_of(directory))


def _new_projector(language: Path, vision: Path) -> int:
    """Two linear layers from the width of the tower to that of the language model."""
    try:
        wide = int(json.loads((language / "config.json").read_text(encoding="utf-8"))["hidden_size"])
        config = json.loads((vision / "config.json").read_text(encoding="utf-8"))
        seen = int(config.get("vision_config", config)["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return seen * wide + wide + wide * wide + wide
