"""Images as a CLIP model wants them: resized, cropped and normalised as its own configuration says.

Resizing stays in 8 bits with an antialiased filter, as the models were trained with (Pillow); it agrees with
open_clip's own transform within one grey level. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.protocols import UInt8Image

if TYPE_CHECKING:
    import torch

_OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
_OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class ClipPreprocess:
    """``side_px`` is the model's input; "shortest" scales the shorter side to it and crops the middle, "squash" neither
    keeps the aspect nor crops."""

    side_px: int
    mean: tuple[float, ...] = _OPENAI_MEAN
    std: tuple[float, ...] = _OPENAI_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"

    @classmethod
    def of(cls, config: Mapping[str, Any], side_px: int) -> ClipPreprocess:
        """From the ``preprocess_cfg`` of an open_clip model. Raises: ModelUnavailable for modes not known here."""
        mode = config.get("resize_mode") or "shortest"
        interpolation = config.get("interpolation") or "bicubic"
        if mode not in ("shortest", "squash") or interpolation not in ("bicubic", "bilinear"):
            raise ModelUnavailable(f"this model wants {interpolation} {mode} resizing, which is not supported",
                                   fix="Choose a model with bicubic or bilinear, shortest or squash.")
        return cls(side_px, _triple(config.get("mean"), _OPENAI_MEAN), _triple(config.get("std"), _OPENAI_STD),
                   interpolation, mode)

    def pixels(self, image: UInt8Image) -> torch.Tensor:
        """(height, width, 3) uint8 to (3, side, side) uint8."""
        import torch

        height, width = image.shape[:2]
        target = self._target(height, width)
        # A view with channels last: the resize then works on whole pixels, several times faster than plane by plane.
        planes = torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)[None]
        if target != (height, width):
            planes = torch.nn.functional.interpolate(planes, size=target, mode=self.interpolation, antialias=True)
        top, left = (int(round((side - self.side_px) / 2.0)) for side in target)
        return planes[0, :, top : top + self.side_px, left : left + self.side_px]

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if self.resize_mode == "squash":
            return self.side_px, self.side_px
        short = min(height, width)
        return int(self.side_px * height / short), int(self.side_px * width / short)

    def batch(self, images: Sequence[UInt8Image], device: str, dtype: torch.dtype) -> torch.Tensor:
        """(N, 3, side, side) normalised, on the device."""
        import torch

        stacked = torch.stack([self.pixels(image) for image in images]).to(device).float()
        mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) * 255 for values in (self.mean, self.std))
        return ((stacked - mean) / std).to(dtype)


def _triple(value: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    if value is None:
        return default
    return tuple(float(each) for each in value) if isinstance(value, list | tuple) else (float(value),) * 3
