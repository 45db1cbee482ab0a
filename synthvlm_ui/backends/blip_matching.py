"""BLIP's image-text matching head through transformers: the probability that a picture and a caption belong together.

softmax of the two matching logits, the second of them; SynthVLM's filters use Salesforce/blip-itm-base-coco so. Pixels
are resized to the model's side with Pillow's bicubic and normalised with the model's own mean and deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from synthvlm_ui.backends.model_files import read_json
from synthvlm_ui.backends.transformers_writer import directory_of
from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.protocols import UInt8Image

# CLIP's, which BLIP was trained with, for a model that does not say.
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_BATCH = 16


class BlipMatching:
    """Args: ``source`` is a directory or a Hub id of safetensors weights. Raises: ModelUnavailable."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        torchvision_ops.ensure_importable()
        from transformers import AutoTokenizer, BlipForImageTextRetrieval

        directory = directory_of(source)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(directory, local_files_only=True)
            network: Any = BlipForImageTextRetrieval.from_pretrained(directory, local_files_only=True,
                                                                     use_safetensors=True, dtype=torch.float32)
        except (OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise ModelUnavailable(f"no image-text matching model of BLIP: {reason}", where=source,
                                   fix="Give a directory with config.json, a tokenizer and *.safetensors.") from error
        self._network = network.to(device).eval().requires_grad_(False)
        self._device, self._side_px = device, int(network.config.vision_config.image_size)
        stated = read_json(directory / "preprocessor_config.json")
        self._mean = np.array(stated.get("image_mean") or _MEAN, np.float32)
        self._deviation = np.array(stated.get("image_std") or _DEVIATION, np.float32)
        self._longest = int(network.config.text_config.max_position_embeddings)

    @torch.no_grad()
    def match(self, images: Sequence[UInt8Image], texts: Sequence[str]) -> list[float]:
        """One probability per pair, in order. Shapes: images (height, width, 3)."""
        found: list[float] = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([self._pixels(image) for image in images[start: start + _BATCH]])
            words = self._tokenizer(list(texts[start: start + _BATCH]), padding=True, truncation=True,
                                    max_length=self._longest, return_tensors="pt").to(self._device)
            logits = self._network(input_ids=words["input_ids"], attention_mask=words["attention_mask"],
                                   pixel_values=torch.from_numpy(pixels).to(self._device), use_itm_head=True).itm_score
            found += logits.float().softmax(-1)[:, 1].tolist()
        return found

    def _pixels(self, image: UInt8Image) -> np.ndarray[Any, np.dtype[np.float32]]:
        side = self._side_px
        resized = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
        return ((resized - self._mean) / self._deviation).transpose(2, 0, 1).astype(np.float32)
