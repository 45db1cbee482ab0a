"""The perceptual term: how far apart two pictures are to a network that has seen many.

The distance of LPIPS (Zhang et al. 2018) without its learned weights: features of several layers, each position scaled
to length one, squared differences summed over channels and averaged over positions. Which network gives the features is
the caller's choice; Synth2 does not name its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.errors import ModelUnavailable

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_VGG_LAYERS = (3, 8, 15, 22, 29)  # the last ReLU of each of VGG-16's five resolutions, as in LPIPS
_EPSILON = 1e-10


class Features(nn.Module, ABC):
    """Maps pictures to features of several layers; frozen, but the gradient passes to the pictures.

    Args: ``mean`` and ``std`` of the network's input in [0, 1]; ``side`` it wants, or None for any.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], side: int | None = None) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(N, height, width, 3) in [-1, 1] -> one (N, channels, rows, columns) per layer."""
        planes = ((pictures.permute(0, 3, 1, 2) + 1) / 2 - self.mean) / self.std
        if self.side is not None and planes.shape[-1] != self.side:
            planes = functional.interpolate(planes, size=(self.side, self.side), mode="bilinear", antialias=True)
        return self.layers(planes)

    @abstractmethod
    def layers(self, planes: Tensor) -> list[Tensor]:
        """Features of normalised planes (N, 3, rows, columns)."""


class ClipFeatures(Features):
    """Layers of the image tower of any open_clip model: the small world's own works offline."""

    def __init__(self, tower: Any, mean: Sequence[float], std: Sequence[float], side: int) -> None:
        super().__init__(mean, std, side)
        self.tower = tower.float().eval().requires_grad_(False)

    def layers(self, planes: Tensor) -> list[Tensor]:
        """The features between the tower's blocks."""
        found = self.tower.forward_intermediates(planes, intermediates_only=True)["image_intermediates"]
        return list(found)


class VggFeatures(Features):
    """VGG-16 as torchvision has it, from a safetensors file with its weights (``features.0.weight`` ...)."""

    def __init__(self, weights: Path) -> None:
        super().__init__(*_IMAGENET)
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        with torch.device("meta"):
            network = nn.Sequential(*_vgg_layers())
        try:
            tensors = load_file(weights)
            start = "features."
            network.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)},
                                    assign=True)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise ModelUnavailable("no VGG-16 weights here", where=str(weights),
                                   fix="Give the safetensors file of timm/vgg16.tv_in1k or of torchvision's vgg16.",
                                   ) from error
        self.network = network.eval().requires_grad_(False)

    def layers(self, planes: Tensor) -> list[Tensor]:
        """The last ReLU of each resolution."""
        found = []
        for number, layer in enumerate(self.network):
            planes = layer(planes)
            if number in _VGG_LAYERS:
                found.append(planes)
        return found


def _vgg_layers() -> Iterator[nn.Module]:
    """The convolutions of VGG-16 (Simonyan and Zisserman 2015, configuration D), numbered as in torchvision."""
    width = 3
    for block in ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)):
        for wider in block:
            yield from (nn.Conv2d(width, wider, 3, padding=1), nn.ReLU())
            width = wider
        yield nn.MaxPool2d(2)


def perceptual_distance(features: Features, made: Tensor, wanted: Tensor) -> Tensor:
    """Mean distance (a scalar) of pictures (N, height, width, 3) in [-1, 1]; no gradient to ``wanted``."""
    with torch.no_grad():
        aims = features(wanted)
    total = made.new_zeros(())
    for one, other in zip(features(made), aims, strict=True):
        total = total + (_unit(one) - _unit(other)).square().sum(1).mean()
    return total / len(aims)


def _unit(grid: Tensor) -> Tensor:
    length: Tensor = (grid.square().sum(1, keepdim=True) + _EPSILON).sqrt()
    return grid / length
