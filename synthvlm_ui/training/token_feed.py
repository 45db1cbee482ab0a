"""Where the tokens of a step come from: a table on disk, pixels encoded now, or a generator that draws them now.

One batch may have all three (Synth2 Figure 4: real pairs through the pixels, synthetic ones without). Knows no VLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.sampler import SamplerSettings, sample
from synthvlm_ui.models.storage import ImageTokenizer
from synthvlm_ui.training.pairs import Draw, Mixture
from synthvlm_ui.training.pictures import PictureBatches
from synthvlm_ui.training.tokens import TokenTable


class FreshTokens:
    """Tokens drawn for captions by a generator, other ones every time a caption comes.

    Args: ``language`` is the frozen model that the generator was trained with.
    """

    def __init__(self, generator: MaskedGenerator, language: LanguageModel, seed: int,
                 settings: SamplerSettings | None = None) -> None:
        self._generator, self._seed = generator, seed
        self._language = LanguageModel(language.network, language.tokenizer, generator.config.text_length)
        self._settings = settings or SamplerSettings()

    def draw(self, captions: Sequence[str], step: int) -> Tensor:
        """(N, tokens) int64 for N captions; a function of (seed, step, captions)."""
        seeds = np.random.default_rng([self._seed, 25, step]).integers(0, 2**32, len(captions))
        encode = self._language.encode
        return sample(self._generator, encode(captions), encode([""]), seeds.tolist(), self._settings)


@dataclass
class TokenFeed:
    """The tokens of each step. ``pictures`` reads the sources whose pixels are encoded, ``fresh`` draws for those whose
    numbers are in ``drawn``; ``table`` has the others."""

    mixture: Mixture
    tokenizer: ImageTokenizer
    pictures: PictureBatches
    table: TokenTable | None = None
    fresh: FreshTokens | None = None
    drawn: frozenset[int] = frozenset()

    def load(self, step: int) -> tuple[Tensor, list[Draw]]:
        """Token ids (N, tokens) int64 on the processor, and the pairs they belong to, in order."""
        pixels, draws = self.pictures.load(step)
        places: dict[str, list[int]] = {"pixels": [], "drawn": [], "table": []}
        for place, draw in enumerate(draws):
            kind = ("pixels" if self.pictures.reads(draw) else "drawn" if draw.source in self.drawn else "table")
            places[kind].append(place)
        ids = torch.zeros(len(draws), self.tokenizer.config.tokens, dtype=torch.long)
        if places["pixels"]:
            ids[places["pixels"]] = self.tokenizer.encode(torch.from_numpy(pixels)).cpu()
        if places["drawn"] and self.fresh is not None:
            captions = [self.mixture.caption(draws[place]) for place in places["drawn"]]
            ids[places["drawn"]] = self.fresh.draw(captions, step)
        if places["table"] and self.table is not None:
            ids[places["table"]] = self.table.rows([draws[place] for place in places["table"]])
        return ids, draws
