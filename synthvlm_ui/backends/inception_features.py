"""The 2,048 pool features of Inception-v3 that FID is defined on, from weights that the user gives as safetensors.

FID (Heusel et al. 2017) means the TensorFlow network of 2015, whose average pools leave the padding out and whose last
block pools by maximum. Tensors are named as in torchvision, so the usual converted weights load. Ships no weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from synthvlm_ui.backends.device import choose_device
from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.protocols import UInt8Image

SIDE_PX = 299
Pair = tuple[int, int]
Spec = tuple[str, int, int | Pair, int, int | Pair]  # name, channels, kernel, stride, padding


class _Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int | Pair, stride: int = 1, padding: int | Pair = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Branches side by side, joined along the channels. A branch may end in two halves, named a and b.

    ``pool``: "mean" leaves padding out, "padded mean" counts it, "max" keeps the size, "shrink" halves it.
    """

    def __init__(self, inputs: int, branches: Sequence[Sequence[Spec]], pool: str, pool_channels: int = 0) -> None:
        super().__init__()
        self._branches, self._pool = [[spec[0] for spec in branch] for branch in branches], pool
        self.outputs = pool_channels or inputs
        for branch in branches:
            width = inputs
            for name, channels, kernel, stride, padding in branch:
                self.add_module(name, _Conv(width, channels, kernel, stride, padding))
                width = width if name.endswith("a") else channels
            self.outputs += width * (2 if branch[-1][0].endswith("b") else 1)
        if pool_channels:
            self.branch_pool = _Conv(inputs, pool_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        for names in self._branches:
            y = x
            halves = []
            for name in names:
                if name[-1] in "ab":
                    halves.append(self.get_submodule(name)(y))
                else:
                    y = self.get_submodule(name)(y)
            parts += halves or [y]
        pooled = self._pooled(x)
        return torch.cat([*parts, self.branch_pool(pooled) if hasattr(self, "branch_pool") else pooled], 1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self._pool == "shrink":
            return F.max_pool2d(x, 3, 2)
        if self._pool == "max":
            return F.max_pool2d(x, 3, 1, 1)
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=self._pool == "padded mean")


def _a(inputs: int, pool: int, kind: str) -> _Block:
    return _Block(inputs, [[("branch1x1", 64, 1, 1, 0)],
                           [("branch5x5_1", 48, 1, 1, 0), ("branch5x5_2", 64, 5, 1, 2)],
                           [("branch3x3dbl_1", 64, 1, 1, 0), ("branch3x3dbl_2", 96, 3, 1, 1),
                            ("branch3x3dbl_3", 96, 3, 1, 1)]], kind, pool)


def _b(inputs: int) -> _Block:
    return _Block(inputs, [[("branch3x3", 384, 3, 2, 0)],
                           [("branch3x3dbl_1", 64, 1, 1, 0), ("branch3x3dbl_2", 96, 3, 1, 1),
                            ("branch3x3dbl_3", 96, 3, 2, 0)]], "shrink")


def _c(width: int, kind: str) -> _Block:
    across, down = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    return _Block(768, [[("branch1x1", 192, 1, 1, 0)],
                        [("branch7x7_1", width, 1, 1, 0), ("branch7x7_2", width, *across), ("branch7x7_3", 192, *down)],
                        [("branch7x7dbl_1", width, 1, 1, 0), ("branch7x7dbl_2", width, *down),
                         ("branch7x7dbl_3", width, *across), ("branch7x7dbl_4", width, *down),
                         ("branch7x7dbl_5", 192, *across)]], kind, 192)


def _d(inputs: int) -> _Block:
    return _Block(inputs, [[("branch3x3_1", 192, 1, 1, 0), ("branch3x3_2", 320, 3, 2, 0)],
                           [("branch7x7x3_1", 192, 1, 1, 0), ("branch7x7x3_2", 192, (1, 7), 1, (0, 3)),
                            ("branch7x7x3_3", 192, (7, 1), 1, (3, 0)), ("branch7x7x3_4", 192, 3, 2, 0)]], "shrink")


def _e(inputs: int, kind: str) -> _Block:
    across, down = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
    return _Block(inputs, [[("branch1x1", 320, 1, 1, 0)],
                           [("branch3x3_1", 384, 1, 1, 0), ("branch3x3_2a", 384, *across),
                            ("branch3x3_2b", 384, *down)],
                           [("branch3x3dbl_1", 448, 1, 1, 0), ("branch3x3dbl_2", 384, 3, 1, 1),
                            ("branch3x3dbl_3a", 384, *across), ("branch3x3dbl_3b", 384, *down)]], kind, 192)


class Inception(nn.Module):
    """Inception-v3 up to its last pool. Shapes: (N, 3, 299, 299) in [-1, 1] -> (N, 2048).

    ``as_fid`` pools as FID's network does, otherwise as torchvision's.
    """

    def __init__(self, as_fid: bool = True) -> None:
        super().__init__()
        mean, last = ("mean", "max") if as_fid else ("padded mean", "padded mean")
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32, mean), _a(256, 64, mean), _a(288, 64, mean)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_c(width, mean) for width in (128, 160, 160, 192))
        self.Mixed_7a = _d(768)
        self.Mixed_7b, self.Mixed_7c = _e(1280, mean), _e(2048, last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))


class InceptionFeatures:
    """Features of images by a file of weights. Raises: ModelUnavailable when they are not of this network."""

    def __init__(self, weights: str | Path, device: str = "cpu") -> None:
        self._device = choose_device(device)
        path = Path(weights)
        self.sha256 = _sha256(path)
        with torch.device("meta"):
            self._network = Inception()
        self._network.load_state_dict(_read(path, self._network), assign=True)
        self._network.to(self._device).eval()

    def features(self, images: Sequence[UInt8Image]) -> NDArray[np.float32]:
        """Shapes: N arrays (height, width, 3) uint8 -> (N, 2048) float32."""
        with torch.inference_mode():
            batch = torch.cat([self._prepared(image) for image in images])
            return np.asarray(self._network(batch).float().cpu().numpy(), np.float32)

    def _prepared(self, image: UInt8Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).to(self._device).permute(2, 0, 1)[None].float() / 255
        # Without antialiasing, as the networks that published FIDs came from resize; so sizes matter and are compared
        # only between sets of one size.
        return F.interpolate(pixels, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False) * 2 - 1


def _read(path: Path, network: Inception) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"the weights do not read back: {error}", where=str(path),
                               fix="Give a complete safetensors file.") from error
    wanted = network.state_dict()
    counters = {name: torch.zeros((), dtype=torch.int64) for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in counters
               and (name not in found or found[name].shape != wanted[name].shape)]
    if missing:
        raise ModelUnavailable(f"not the weights of Inception-v3: {missing[0]} is missing or of another shape",
                               where=str(path), fix="See docs/scorers.md for how to make the file.")
    return counters | {name: found[name].float() for name in wanted if name not in counters}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
