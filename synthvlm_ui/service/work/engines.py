"""The loaded engines of one worker process, kept warm between jobs: one generator and one writer at a time, and the
scorers.

Lives only in workers. Does not know jobs. Loading a second generator lets go of the first: a card seldom holds two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synthvlm_ui.backends import (
    Budget,
    create_embedder,
    create_generator,
    create_round_trip_engine,
    create_scorer,
    create_text_embedder,
    create_writer,
)
from synthvlm_ui.protocols import CaptionWriter, Embedder, ImageGenerator, Scorer, TextEmbedder
from synthvlm_ui.records import EngineSettings, GenerationSettings
from synthvlm_ui.scoring import build_scorers


class Engines:
    """Loads on first use and remembers."""

    def __init__(self, device: str, lent_card: str | None = None) -> None:
        """``lent_card`` is the device of which generators borrow a moment for every batch, while all else has its own.
        """
        self.device, self._lent_card = device, lent_card
        self._generator: tuple[tuple[str, EngineSettings], ImageGenerator] | None = None
        self._drafter: tuple[str, ImageGenerator] | None = None
        self._embedders: dict[str, Embedder] = {}
        self._writer: tuple[str, CaptionWriter] | None = None
        self._text_embedders: dict[str, TextEmbedder] = {}

    def generator(self, name: str, engine: EngineSettings | None = None) -> ImageGenerator:
        """Raises: UnknownName, ModelUnavailable, BadSetting, OutOfMemory."""
        wanted = (name, engine or EngineSettings())
        if self._generator is None or self._generator[0] != wanted:
            self._generator = self._drafter = None
            self._generator = (wanted, self._create(name, engine))
        return self._generator[1]

    def generator_of(self, settings: Mapping[str, Any]) -> ImageGenerator:
        """The generator that a job's settings ask for. Raises: as ``generator``."""
        asked = GenerationSettings(**settings)
        return self.generator(asked.generator, asked.engine())

    def drafter(self, name: str) -> ImageGenerator:
        """A second generator beside the first, for drafts. Raises: as ``generator``."""
        if self._drafter is None or self._drafter[0] != name:
            self._drafter = None
            self._drafter = (name, self._create(name, None))
        return self._drafter[1]

    def _create(self, name: str, engine: EngineSettings | None) -> ImageGenerator:
        if self._lent_card is None:
            return create_generator(name, device=self.device, engine=engine)
        from synthvlm_ui.service.machine.lent_card import LentGenerator

        return LentGenerator(name, engine or EngineSettings(), self._lent_card)

    def writer(self, name: str, budget: Budget | None = None) -> CaptionWriter:
        """Raises: UnknownName, ModelUnavailable, BadSetting, OutOfMemory."""
        if name.startswith("openai:"):
            return create_writer(name, budget=budget)  # holds nothing but its budget, which is one job's
        if self._writer is None or self._writer[0] != name:
            self._writer = None
            if name != "miniature":
                self._generator = None
            self._writer = (name, create_writer(name, device=self.device))
        return self._writer[1]

    def scorers(self, names: Sequence[str], clip_model: str) -> list[Scorer]:
        """The scorers of these names, CLIP ones on ``clip_model``. Raises: UnknownName, ModelUnavailable."""
        return build_scorers(names, lambda: self.embedder(clip_model),
                             lambda name: create_scorer(name, device=self.device),
                             create_round_trip_engine(self.device))

    def text_embedder(self, name: str) -> TextEmbedder:
        """Raises: UnknownName, ModelUnavailable, BadSetting, OutOfMemory."""
        if name not in self._text_embedders:
            self._text_embedders[name] = create_text_embedder(name, device=self.device)
        return self._text_embedders[name]

    def embedder(self, name: str) -> Embedder:
        """Raises: UnknownName, ModelUnavailable."""
        if name not in self._embedders:
            self._embedders[name] = create_embedder(name, device=self.device)
        return self._embedders[name]
