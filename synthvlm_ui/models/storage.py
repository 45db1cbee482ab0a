"""Reads and writes the Synth2 parts: one directory each, config.json beside fp16 model.safetensors.

Knows nothing about training. Weights are stored as 16-bit floats and computed with as 32-bit.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models.masked_generator import GeneratorConfig, MaskedGenerator
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer, TokenizerConfig
from synthvlm_ui.models.vqgan import VqGan, VqGanConfig

ImageTokenizer = PictureTokenizer | VqGan
Model = TypeVar("Model", bound=nn.Module)
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_tokenizer(model: ImageTokenizer, out: Path) -> None:
    """Write a tokenizer; the table `codebook` holds the soft embedding of every id."""
    kind = "vq-gan" if isinstance(model, VqGan) else "picture-tokenizer"
    tensors = dict(model.state_dict()) | {"codebook": model.codebook()}
    write(out, kind, asdict(model.config), tensors)


def load_tokenizer(directory: Path) -> PictureTokenizer:
    """Read the small tokenizer in evaluation mode.

    Raises:
        ModelUnavailable: the directory holds none.
    """
    config, tensors = read(directory, "picture-tokenizer")
    config["levels"] = tuple(config["levels"])
    model = PictureTokenizer(TokenizerConfig(**config))
    tensors.pop("codebook", None)
    return _fill(model, tensors, directory)


def load_image_tokenizer(directory: Path) -> ImageTokenizer:
    """Read a tokenizer of either kind, VQ-GAN or small, in evaluation mode.

    Raises:
        ModelUnavailable: the directory holds none.
    """
    if _kind(directory) != "vq-gan":
        return load_tokenizer(directory)
    config, tensors = read(directory, "vq-gan")
    config["multipliers"] = tuple(config["multipliers"])
    tensors.pop("codebook", None)
    return _fill(VqGan(VqGanConfig(**config)), tensors, directory)


def save_generator(model: MaskedGenerator, out: Path) -> None:
    """Write a generator."""
    write(out, "masked-generator", asdict(model.config), dict(model.state_dict()))


def load_generator(directory: Path) -> MaskedGenerator:
    """Read a generator in evaluation mode.

    Raises:
        ModelUnavailable: the directory holds no generator.
    """
    config, tensors = read(directory, "masked-generator")
    config["levels"] = tuple(config["levels"])
    return _fill(MaskedGenerator(GeneratorConfig(**config)), tensors, directory)


def write(out: Path, kind: str, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Write one part: `kind` and sizes into config.json, tensors as fp16 (integers stay)."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG).write_text(json.dumps({"kind": kind, **config}, indent=1) + "\n")
    half = {
        name: (t.half() if t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    save_file(half, out / WEIGHTS)


def read(directory: Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Sizes and 32-bit tensors of one part.

    Raises:
        ModelUnavailable: files are missing or hold another kind of part.
    """
    try:
        config = json.loads((directory / CONFIG).read_text())
        tensors = load_file(directory / WEIGHTS)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"no {kind} here", where=str(directory), fix="Check the directory."
        ) from error
    if config.pop("kind", None) != kind:
        raise ModelUnavailable(f"this is not a {kind}", where=str(directory))
    return config, {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}


def _kind(directory: Path) -> str:
    try:
        return str(json.loads((directory / CONFIG).read_text())["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _fill(model: Model, tensors: dict[str, torch.Tensor], directory: Path) -> Model:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelUnavailable("weights do not fit their config", where=str(directory)) from error
    return model.eval().requires_grad_(False)
