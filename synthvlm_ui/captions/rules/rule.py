"""What a rule is: a statistic of a caption, and limits on it. Measures nothing and decides nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.text_block import TextBlock

Options = Mapping[str, Any]
Span = tuple[int, int]
Statistic = NDArray[np.float64]
# text: from the caption alone. duplicates: from all captions together. images: from the original image.
# model: from a language model. They differ in what they need and in when they are measured again.
Family = Literal["text", "duplicates", "images", "model"]
Kind = Literal["number", "whole", "text", "names"]


@dataclass(frozen=True)
class Parameter:
    """A setting of a rule beside its limits; ``measured`` ones change the statistic itself, the others what is done
    with it."""

    kind: Kind
    about: str
    default: Any = None
    measured: bool = True


def no_marks(_text: str, _options: Options) -> list[Span]:
    """For statistics of the whole caption, where no part of it is to blame."""
    return []


@dataclass(frozen=True)
class Rule:
    """One rule: the name of its statistic, what it says, and how a caption's offending part is found.

    ``measure`` gives the statistic of every caption of a block, shape (captions,) float64, NaN where it has none; it is
    None for families whose statistics come from elsewhere. ``mark`` gives [start, end) in characters of one caption.
    ``digits`` is how precisely the number is worth showing.
    """

    name: str
    title: str
    about: str
    family: Family = "text"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    measure: Callable[[TextBlock, Options], Statistic] | None = None
    mark: Callable[[str, Options], list[Span]] = no_marks
    digits: int = 3

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with what was given in place of their defaults."""
        return {name: given.get(name, parameter.default) for name, parameter in self.parameters.items()}

    def measured_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Only the options that change the statistic: what a stored statistic is kept under."""
        chosen = self.options(given)
        return {name: chosen[name] for name, parameter in self.parameters.items() if parameter.measured}


def shares(part: NDArray[np.integer], whole: NDArray[np.integer]) -> Statistic:
    """part / whole, 0 where the whole is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def merged(spans: list[Span]) -> list[Span]:
    """The same characters as spans that do not touch, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
