"""Latents to checked pixels, on a card beside the denoising of the next batch. Knows no request and no prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthvlm_ui.backends.device import device_lost, is_device_lost, is_out_of_memory, release_memory
from synthvlm_ui.backends.diffusers_families import decode_latents
from synthvlm_ui.errors import GenerationFailed, OutOfMemory
from synthvlm_ui.protocols import UInt8Image

if TYPE_CHECKING:
    import torch


class Decoder:
    """The decoder of one pipeline. On a card it works on a stream of its own, from the first call in a thread on."""

    def __init__(self, pipeline: Any, device: str) -> None:
        self._pipeline, self._device = pipeline, device
        self._stream: Any = None

    def mark(self) -> Any:
        """A point after what this thread has asked of the card so far, for ``decode`` to wait for; None elsewhere."""
        import torch

        return torch.cuda.current_stream(self._device).record_event() if self._device.startswith("cuda") else None

    def decode(self, latents: torch.Tensor, height: int, width: int, ready: Any) -> list[UInt8Image | Exception]:
        """One (height, width, 3) uint8 picture per latent, or why it is none.

        Raises: OutOfMemory when not even one can be decoded in tiles, DeviceLost.
        """
        import torch

        if ready is not None:
            self._step_aside(latents, ready)
        with torch.inference_mode():
            try:
                return self._decode(latents, height, width)
            except Exception as error:
                if is_device_lost(error):
                    raise device_lost(self._device, error, "while decoding") from error
                if not is_out_of_memory(error):
                    raise
            release_memory()
            return self._decode_frugally(latents, height, width)

    def _step_aside(self, latents: torch.Tensor, ready: Any) -> None:
        """Moves this thread, and with it the scoring that follows, off the stream that denoises."""
        import torch

        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
        torch.cuda.set_stream(self._stream)
        self._stream.wait_event(ready)
        latents.record_stream(self._stream)

    def _decode(self, latents: torch.Tensor, height: int, width: int) -> list[UInt8Image | Exception]:
        import torch

        images, flagged = decode_latents(self._pipeline, latents, height, width)
        broken = (~torch.isfinite(images).flatten(1).all(1)).tolist()
        pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return [pictured(*one) for one in zip(pixels, broken, flagged, strict=True)]

    def _decode_frugally(self, latents: torch.Tensor, height: int, width: int) -> list[UInt8Image | Exception]:
        """One by one and in tiles, from now on."""
        self._pipeline.vae.enable_tiling()
        try:
            return [one for index in range(len(latents))
                    for one in self._decode(latents[index:index + 1], height, width)]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"not even one image can be decoded in the memory of {self._device}",
                              fix="Choose a smaller size, or --vae tiny.") from error


def pictured(pixels: UInt8Image, broken: bool, flagged: bool) -> UInt8Image | Exception:
    """The picture, or why this is none: blacked out by a safety checker, not finite, or black all over."""
    if flagged:
        return GenerationFailed("the safety checker blacked this image out", fix="Change the prompt or the seed.")
    if broken:
        return GenerationFailed("the decoder overflowed (NaN)",
                                fix="Use a model whose decoder runs in this precision, or --dtype float32.")
    if not np.any(pixels):
        return GenerationFailed("black all over: the decoder overflowed, or a safety checker blacked it out")
    return pixels
