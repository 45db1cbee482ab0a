"""Generator of the Synth2 kind: frozen language model, masked-token transformer, picture tokenizer.

The embedded default. Reads one directory with the parts ``lm``, ``vq`` and ``generator``; their sizes come from their
own config files. Knows nothing about how they were trained.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting, GenerationFailed
from synthvlm_ui.models import storage, torchvision_ops
from synthvlm_ui.models.language import REFERENCE, load_language_model
from synthvlm_ui.models.sampler import SamplerSettings, sample
from synthvlm_ui.protocols import TokenMatrix, UInt8Image
from synthvlm_ui.records import GenerationRequest, GeneratorInfo

MAX_STEPS = 256


class VqTokenGenerator:
    """Draws the native size of its tokenizer from text, by parallel decoding of masked tokens.

    Args:
        directory: holds ``lm``, ``vq`` and ``generator``.
        device: a torch device.
        name: under which the registry lists it.

    Raises:
        ModelUnavailable: a part is missing.
    """

    def __init__(self, directory: Path = MINIATURE, device: str = "cpu", name: str = "miniature") -> None:
        torchvision_ops.ensure_importable()
        self.device = device
        self._tokenizer = storage.load_image_tokenizer(directory / "vq").to(device)
        self._network = storage.load_generator(directory / "generator").to(device)
        self._language = load_language_model(directory / "lm", device, self._network.config.text_length)
        side, grid = self._tokenizer.config.side, self._tokenizer.config.grid
        self.info = GeneratorInfo(
            name=name,
            model=directory.name,
            revision=_revision(directory),
            sampler="masked-token cosine",
            native_width_px=side,
            native_height_px=side,
            default_num_inference_steps=8,
            default_guidance_scale=3.0,
            size_multiple_px=side,
            fixed_size=True,
            max_prompt_tokens=self._language.length - 2,
            token_grid=(grid, grid),
            licence="Apache-2.0",
            notes="Pictures do not depend on the batch; across devices and thread counts only up to rounding.",
        )

    def check(self, request: GenerationRequest) -> None:
        """Raises BadSetting with the accepted values when this request could never be drawn."""
        width, height = self.info.native_width_px, self.info.native_height_px
        if (request.width, request.height) != (width, height):
            raise BadSetting(
                f"{self.info.name} cannot draw {request.width}x{request.height}", fix=f"Use {width}x{height}."
            )
        if not 1 <= request.num_inference_steps <= MAX_STEPS:
            raise BadSetting(
                f"{request.num_inference_steps} inference steps", fix=f"Use 1 to {MAX_STEPS}; 8 is the default."
            )
        if not 0 <= request.guidance_scale <= 30:
            raise BadSetting(f"guidance scale {request.guidance_scale:g}", fix="Use 0 to 30; 3 is the default.")

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        """One (side, side, 3) uint8 picture per request, in order, or why it could not be drawn."""
        refusals = [self._refusal(request) for request in requests]
        accepted = [r for r, refusal in zip(requests, refusals, strict=True) if refusal is None]
        try:
            drawn = iter(self.decode_tokens(self.generate_tokens(accepted))) if accepted else iter(())
        except RuntimeError as error:
            failure = GenerationFailed(f"the generator broke: {error}")
            return [failure if refusal is None else refusal for refusal in refusals]
        return [next(drawn) if refusal is None else refusal for refusal in refusals]

    def generate_tokens(self, requests: Sequence[GenerationRequest]) -> TokenMatrix:
        """Token ids (N, rows * columns) uint16, row-major.

        Raises:
            BadSetting: a request could never be drawn.
        """
        groups: dict[tuple[int, float, str], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            self.check(request)
            key = (request.num_inference_steps, request.guidance_scale, request.negative_prompt or "")
            groups[key].append(index)
        tokens = np.zeros((len(requests), self._tokenizer.config.tokens), np.uint16)
        for (steps, guidance, negative), members in groups.items():
            ids = sample(
                self._network,
                self._language.encode([requests[i].prompt for i in members]),
                self._language.encode([negative]),
                [requests[i].seed for i in members],
                SamplerSettings(steps=steps, guidance=guidance),
            )
            tokens[members] = ids.numpy().astype(np.uint16)
        return tokens

    def decode_tokens(self, tokens: TokenMatrix) -> list[UInt8Image]:
        """Pictures (side, side, 3) uint8 of token rows, in order."""
        pixels = self._tokenizer.decode(torch.from_numpy(tokens.astype(np.int64)))
        return list(pixels.cpu().numpy())

    def _refusal(self, request: GenerationRequest) -> BadSetting | None:
        try:
            self.check(request)
        except BadSetting as error:
            return error
        return None


def _revision(directory: Path) -> str:
    """16 hex digits over the bytes of all weights: pictures are only repeatable with the same ones."""
    total = hashlib.sha256()
    for part in ("lm", "vq", "generator"):
        weights = directory / part / storage.WEIGHTS
        # A large language model stays where it is; its part then only says where that is.
        total.update((weights if weights.is_file() else directory / part / REFERENCE).read_bytes())
    return total.hexdigest()[:16]
