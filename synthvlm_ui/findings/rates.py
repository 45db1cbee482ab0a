"""Training steps per second from tokens and from pixels, with and without generation in the step (Synth2 Table 5).

The step is that of the training room: the whole VLM of the small world. Time is processor time of this process, since
other work on the machine would otherwise be part of the ratio.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.findings.front import new_vlm
from synthvlm_ui.findings.sets import PairSet, generated_tokens
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.vlm import TokenVlm
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer
from synthvlm_ui.protocols import TokenGenerator
from synthvlm_ui.training.captioning import caption_loss

BATCH = 8


class _Step:
    """One training step, timed. Four ways to come by its tokens."""

    def __init__(self, generator: TokenGenerator, tokenizer: PictureTokenizer, model: TokenVlm, pairs: PairSet) -> None:
        self._generator, self._tokenizer, self._model, self._pairs = generator, tokenizer, model, pairs
        self._optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-4)
        images = generator.decode_tokens(pairs.tokens[:BATCH])
        self._files = [_png(image) for image in images]

    def run(self, way: str) -> float:
        """Seconds of one step: tokens or pixels, "fly" or "cached"."""
        started = time.process_time()
        kind, where = way.split("_")
        captions = self._pairs.captions[:BATCH]
        tokens = generated_tokens(self._generator, captions, 0) if where == "fly" else self._pairs.tokens[:BATCH]
        ids = torch.from_numpy(tokens.astype(np.int64))
        if kind == "pixels":
            images = self._generator.decode_tokens(tokens) if where == "fly" else [
                np.asarray(Image.open(io.BytesIO(data))) for data in self._files]
            ids = self._tokenizer.encode(torch.from_numpy(np.stack(images)))
        loss = caption_loss(self._model, captions, ids)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        return time.process_time() - started


WAYS = ("tokens_fly", "pixels_fly", "tokens_cached", "pixels_cached")


def measure_rates(generator: TokenGenerator, language: LanguageModel, tokenizer: PictureTokenizer, pairs: PairSet,
                  rounds: int, on_round: Callable[[int, int], None]) -> dict[str, float]:
    """{way: steps per second}, each way once per round so that all see the same machine; medians over the rounds."""
    step = _Step(generator, tokenizer, new_vlm(language, tokenizer, 0).train(), pairs)
    step.run("pixels_cached")  # warm-up
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for done in range(rounds):
        on_round(done, rounds)
        for way in WAYS:
            # Steps without generation are forty times shorter; several of them make one measurement.
            repeats = 1 if way.endswith("fly") else 4
            seconds[way].append(float(np.mean([step.run(way) for _ in range(repeats)])))
    return {way: 1 / float(np.median(values)) for way, values in seconds.items()}


def through_pixels(generator: TokenGenerator, tokenizer: PictureTokenizer, tokens: NDArray[np.uint16],
                   ) -> NDArray[np.uint16]:
    """Tokens (N, tokens) decoded to pictures and encoded again, as training from pixels sees them."""
    parts = []
    for start in range(0, len(tokens), 64):
        images = np.stack(generator.decode_tokens(tokens[start:start + 64]))
        parts.append(tokenizer.encode(torch.from_numpy(images)).numpy().astype(np.uint16))
    return np.concatenate(parts)


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
