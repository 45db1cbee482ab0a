"""Resizing 8-bit pictures with torch, and on a card their structural similarity there: protocols.RoundTripEngine.

On processors torch resizes antialiased in 8 bits, several times as fast as Pillow and within two grey levels of it; on
a card it does so in float32, rounded to whole grey levels after each resize. Knows no route and no score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthvlm_ui.protocols import UInt8Image

if TYPE_CHECKING:
    import torch

_WINDOW_PX = 7
_PIXELS = _WINDOW_PX**2
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class TorchRoundTrip:
    """On ``device``; only a CUDA device also compares."""

    interpolations = frozenset({"bicubic", "bilinear"})

    def __init__(self, device: str = "cpu") -> None:
        self._device = device if device.startswith("cuda") else "cpu"
        self.resampling = "torch, uint8" if self._device == "cpu" else "torch, float32 on a card, rounded"

    def resize(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> UInt8Image:
        """Shapes: (height, width, 3) uint8 to (size[1], size[0], 3) uint8."""
        resized = resized_pixels(self._planes(image), size, interpolation)
        return np.ascontiguousarray(resized[0].permute(1, 2, 0).cpu().numpy())

    def ssim(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> float | None:
        """The mean SSIM of the picture and its round trip; None on processors: kernels beside torch are faster."""
        if self._device == "cpu":
            return None
        before = self._planes(image)
        small = resized_pixels(before, size, interpolation)
        after = resized_pixels(small, (image.shape[1], image.shape[0]), interpolation)
        return float(mean_ssim(before, after))

    def _planes(self, image: UInt8Image) -> torch.Tensor:
        import torch

        # A view with channels last: the resize then works on whole pixels instead of plane by plane.
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"]))
        return pixels.to(self._device).permute(2, 0, 1)[None]


def resized_pixels(planes: torch.Tensor, size: tuple[int, int], interpolation: str) -> torch.Tensor:
    """Shapes: (1, 3, height, width) uint8 to (1, 3, size[1], size[0]) uint8, antialiased."""
    import torch

    if planes.device.type == "cpu" and planes.dtype == torch.uint8:
        return torch.nn.functional.interpolate(planes, size=(size[1], size[0]), mode=interpolation, antialias=True)
    # Cards resize no whole numbers. Width, then height, each cut to 0..255 as Pillow does: in one step the overshoot of
    # the first pass would enter the second.
    for target in ((planes.shape[2], size[0]), (size[1], size[0])):
        resized = torch.nn.functional.interpolate(planes.float(), size=target, mode=interpolation, antialias=True)
        planes = resized.round().clamp(0, 255)
    return planes.to(torch.uint8)


def mean_ssim(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """scikit-image's default SSIM (uniform window, sample covariance) of two (1, channels, height, width) uint8
    pictures: a scalar. In float64, in which sums of squares of bytes do not cancel."""
    import torch

    one, other = first.double(), second.double()

    def mean(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(values, _WINDOW_PX, stride=1)

    mean_one, mean_other = mean(one), mean(other)
    sample = _PIXELS / (_PIXELS - 1)
    variances = sample * (mean(one * one) - mean_one**2 + mean(other * other) - mean_other**2)
    covariance = sample * (mean(one * other) - mean_one * mean_other)
    top = (2 * mean_one * mean_other + _C1) * (2 * covariance + _C2)
    return (top / ((mean_one**2 + mean_other**2 + _C1) * (variances + _C2))).mean()
