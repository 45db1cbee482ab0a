"""The pairs to train on: images and captions by number, and which of them a step draws.

What is drawn is a function of (seed, step) alone, so a resumed run sees what the unbroken one would have seen. Knows
neither where pairs are kept nor what is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.protocols import UInt8Image

_BLOCK = 1024


class Pairs(Protocol):
    """Image-caption pairs in a fixed order. ``image`` gives an encoded file or decoded pixels, and may be called by
    several threads at once. ``key`` changes when the pairs do: what is cached for them is filed under it."""

    key: str

    def __len__(self) -> int: ...

    def image(self, index: int) -> bytes | UInt8Image: ...

    def caption(self, index: int) -> str: ...


@dataclass(frozen=True)
class Source:
    """Pairs with their share of every batch; without a weight a source counts as much as it has pairs.

    ``synthetic`` pairs may be read as tokens where real ones are read as pixels.
    """

    name: str
    pairs: Pairs
    weight: float | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Draw:
    """One pair of a batch: the number of its source, and its number therein."""

    source: int
    index: int


class Mixture:
    """Draws batches from weighted sources: each source's pairs in a new random order every time it has been through.

    Args: ``sources`` with at least one pair each; when any has a weight, those without count 1.
    Raises: EmptyInput, BadSetting.
    """

    def __init__(self, sources: Sequence[Source], batch_size: int, seed: int) -> None:
        if not sources:
            raise EmptyInput("there is nothing to train on", fix="Name a selection, a dataset or a file.")
        for source in sources:
            if not len(source.pairs):
                raise EmptyInput(f"{source.name} has no pairs to train on", fix="Name one that has images.")
            if source.weight is not None and not 0 < source.weight < float("inf"):
                raise BadSetting(f"the weight of {source.name} is {source.weight}", fix="Give a number above 0.")
        self.sources, self.batch_size, self.seed = tuple(sources), batch_size, seed
        self.shares = _shares(sources)
        self._starts = [np.zeros(len(sources), np.int64)]  # pairs that each source gave before each block of steps

    def __len__(self) -> int:
        return sum(len(source.pairs) for source in self.sources)

    def draw(self, step: int) -> list[Draw]:
        """The pairs of step ``step``, counted from 0."""
        quotas, before = self._quotas(step)
        draws = []
        for number, (count, first) in enumerate(zip(quotas, before, strict=True)):
            draws += [Draw(number, self._index(number, first + place)) for place in range(count)]
        return draws

    def caption(self, draw: Draw) -> str:
        return self.sources[draw.source].pairs.caption(draw.index)

    def _quotas(self, step: int) -> tuple[list[int], list[int]]:
        """How many pairs each source gives to this step, and how many it gave to all before it."""
        block, place = divmod(step, _BLOCK)
        while len(self._starts) <= block:
            self._starts.append(self._starts[-1] + self._block(len(self._starts) - 1).sum(0))
        quotas = self._block(block)
        return quotas[place].tolist(), (self._starts[block] + quotas[:place].sum(0)).tolist()

    def _block(self, block: int) -> NDArray[np.int64]:
        return _block_quotas(self.seed, block, self.batch_size, self.shares)

    def _index(self, number: int, position: int) -> int:
        size = len(self.sources[number].pairs)
        return int(_order(self.seed, number, position // size, size)[position % size])


def _shares(sources: Sequence[Source]) -> tuple[float, ...]:
    weighted = any(source.weight is not None for source in sources)
    weights = [(source.weight or 1.0) if weighted else float(len(source.pairs)) for source in sources]
    return tuple(weight / sum(weights) for weight in weights)


@lru_cache(maxsize=8)
def _block_quotas(seed: int, block: int, batch_size: int, shares: tuple[float, ...]) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 21, block]).multinomial(batch_size, shares, size=_BLOCK)


@lru_cache(maxsize=16)
def _order(seed: int, number: int, epoch: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 22, number, epoch]).permutation(size)
