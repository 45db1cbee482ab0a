"""Models that say what a picture shows: the token VLM of Synth2, or any image-to-text model that transformers saved.

Knows no store and no reference captions; loads from local directories only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models import storage, torchvision_ops
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.vlm import load_vlm, untrained_vlm
from synthvlm_ui.protocols import UInt8Image

TOKEN_VLM = "token-vlm"
_INSTRUCTION = "Describe the picture in one sentence."
_MOST_NEW_TOKENS = 64


class Captioner(Protocol):
    """One caption per picture, always the most likely one. Pictures are (H, W, 3) uint8 of any size."""

    def caption(self, images: Sequence[UInt8Image]) -> list[str]: ...


class TokenCaptioner:
    """Synth2's captioner: the tokenizer turns a picture into tokens, the VLM reads them.

    Args: ``vlm``, ``lm`` and ``vq``, the directories of its three parts. ``trained`` False makes it as it was before
    its first step.
    """

    def __init__(self, vlm: Path, lm: Path, vq: Path, device: str = "cpu", *, trained: bool = True) -> None:
        self._tokenizer = storage.load_image_tokenizer(vq).to(device)
        language = load_language_model(lm, device)
        self._model = (load_vlm if trained else untrained_vlm)(vlm, language).to(device)
        self._side = int(getattr(self._tokenizer.config, "side", 0)) or _side_of(self._tokenizer)

    def caption(self, images: Sequence[UInt8Image]) -> list[str]:
        pixels = torch.stack([torch.from_numpy(np.array(_square(image, self._side))) for image in images])
        with torch.no_grad():
            return self._model.caption(self._tokenizer.encode(pixels).to(torch.long))


class TransformersCaptioner:
    """An image-text-to-text model with its processor, such as LLaVA."""

    def __init__(self, directory: Path, device: str = "cpu") -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            self._processor: Any = AutoProcessor.from_pretrained(directory, local_files_only=True)
            model: Any = AutoModelForImageTextToText.from_pretrained(
                directory, local_files_only=True, use_safetensors=True,
                dtype=torch.float32 if device == "cpu" else torch.bfloat16)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"no captioner can be read: {str(error).splitlines()[0]}", where=str(directory),
                                   fix="Name a directory with the model and its processor.") from error
        self._model, self._device = model.to(device).eval(), device

    @classmethod
    def of(cls, model: Any, processor: Any) -> TransformersCaptioner:
        """The captioner of a model that is open already, on the processor."""
        made = cls.__new__(cls)
        made._model, made._processor, made._device = model.eval(), processor, "cpu"
        return made

    def caption(self, images: Sequence[UInt8Image]) -> list[str]:
        from PIL import Image

        return [self._one(Image.fromarray(image)) for image in images]

    @torch.no_grad()
    def _one(self, image: Any) -> str:
        inputs = self._processor(images=image, text=self._prompt(), return_tensors="pt").to(self._device)
        ids = self._model.generate(**inputs, max_new_tokens=_MOST_NEW_TOKENS, do_sample=False)
        new = ids[:, inputs["input_ids"].shape[1]:]
        return str(self._processor.batch_decode(new, skip_special_tokens=True)[0]).strip()

    def _prompt(self) -> str:
        """The model's own chat template; LLaVA's first stage has none: a picture, then the caption."""
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": _INSTRUCTION}]
            return str(self._processor.apply_chat_template([{"role": "user", "content": content}],
                                                           add_generation_prompt=True))
        return str(getattr(self._processor, "image_token", "<image>"))


def load_captioner(directory: Path, device: str = "cpu", *, trained: bool = True) -> Captioner:
    """The captioner in a directory: one that training made (parts ``vlm``, ``lm``, ``vq``, or the ``vlm`` part with the
    others beside it), or a model of transformers.

    ``trained`` False gives a token VLM as it was before its first step. Raises: ModelUnavailable.
    """
    torchvision_ops.ensure_importable()
    for vlm, parts in ((directory / "vlm", directory), (directory, directory.parent)):
        if kind_of(vlm) == TOKEN_VLM:
            missing = [name for name in ("lm", "vq") if not (parts / name / "config.json").is_file()]
            if missing:
                raise ModelUnavailable(f"the part {missing[0]!r} is missing beside the VLM", where=str(parts),
                                       fix="Keep the folders of a training run together.")
            return TokenCaptioner(vlm, parts / "lm", parts / "vq", device, trained=trained)
    return TransformersCaptioner(directory, device)


def kind_of(directory: Path) -> str:
    """What config.json says a part or a model is, or ""."""
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("kind") or config.get("model_type") or "") if isinstance(config, dict) else ""


def _side_of(tokenizer: Any) -> int:
    return int(tokenizer.config.grid) * int(tokenizer.config.patch)


def _square(image: UInt8Image, side: int) -> UInt8Image:
    """The middle square of a picture at the tokenizer's size, as training makes its pictures square."""
    from PIL import Image

    height, width = image.shape[:2]
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    if (height, width) == (side, side):
        return image
    box = (left, top, left + short, top + short)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS, box=box))
