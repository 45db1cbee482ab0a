"""Counts, while pairs pass by, what the card will say about them.

Knows no format.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from synthvlm_ui.export.items import ExportItem


@dataclass
class Spread:
    """Count, mean, spread and extremes of one score; Welford's running sums, exact for a million pairs too."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)
        self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def std(self) -> float:
        """Of the pairs themselves (divided by their number)."""
        return math.sqrt(self.squares / self.count)


@dataclass
class Tally:
    """What was written: pairs, captions, recipes (how images were made) with their counts, scores, image sizes."""

    written: int = 0
    captions: set[str] = field(default_factory=set)
    datasets: Counter[str] = field(default_factory=Counter)
    recipes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    scores: dict[str, Spread] = field(default_factory=dict)

    def add(self, item: ExportItem, width: int, height: int, split: str) -> None:
        candidate = item.candidate
        self.written += 1
        self.captions.add(candidate.caption_id)
        self.datasets[candidate.dataset] += 1
        self.sizes[width, height] += 1
        self.splits[split] += 1
        self.recipes[(candidate.generator, candidate.model, candidate.revision, candidate.sampler,
                      str(candidate.num_inference_steps), f"{candidate.guidance_scale:g}",
                      candidate.prompt_template, candidate.negative_prompt or "")] += 1
        for name, value in item.scores.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                self.scores.setdefault(name, Spread()).add(float(value))
