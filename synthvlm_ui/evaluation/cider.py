"""CIDEr: how much a caption says of what people say about a picture, and others do not.

Vedantam et al. 2015, in the form that caption papers report (CIDEr-D of section 6: clipped counts, a
Gaussian penalty of the length difference, times 10). Papers print 100 times this number: 1.26 is "126".
Knows nothing about pictures, models or tokenizers: a caption is a string of words with spaces between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 4
SIGMA = 6.0

_Ngram = tuple[str, ...]
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


@dataclass(frozen=True)
class _Vector:
    """One caption: weights of its n-grams per n, their norms, and its number of bigrams (the length that counts)."""

    weights: list[dict[_Ngram, float]]
    norms: NDArray[np.float64]
    length: int


def cider(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, NDArray[np.float64]]:
    """Mean CIDEr over all pictures and the score of each, (N,) float64; 0 to 10, ten for a perfect copy.

    Document frequencies come from the references themselves, so a score depends on the whole set and
    numbers of different sets are not comparable. One picture alone scores 0: nothing is rare in it.

    Args:
        candidates: N captions, words separated by spaces.
        references: for each picture at least one caption in the same form.

    Raises:
        ValueError: the lists differ in length, are empty, or a picture has no reference.
    """
    if len(candidates) != len(references) or not candidates or not all(references):
        raise ValueError("CIDEr needs one caption and at least one reference for every picture")
    counted = [[_ngrams(text) for text in texts] for texts in references]
    frequency = Counter(ngram for texts in counted for ngram in set().union(*texts))
    pictures = float(np.log(len(candidates)))
    scores = np.empty(len(candidates))
    for row, (candidate, texts) in enumerate(zip(candidates, counted, strict=True)):
        own = _weigh(_ngrams(candidate), frequency, pictures)
        others = [_weigh(text, frequency, pictures) for text in texts]
        scores[row] = 10 * np.mean([_similarity(own, other) for other in others])
    return float(scores.mean()), scores


def plain_words(text: str) -> str:
    """Lower-case words of a caption without punctuation, as captions are compared.

    The reference scores run the Penn Treebank tokenizer (Java) first; on captions without
    contractions and hyphens this gives the same words.
    """
    return " ".join(_WORD.findall(text.lower()))


def _ngrams(text: str) -> Counter[_Ngram]:
    words = text.split()
    spans = ((start, n) for n in range(1, LONGEST + 1) for start in range(len(words) - n + 1))
    return Counter(tuple(words[start : start + n]) for start, n in spans)


def _weigh(counts: Counter[_Ngram], frequency: Counter[_Ngram], pictures: float) -> _Vector:
    """Term frequency times the logarithm of (pictures / pictures whose references hold the n-gram)."""
    weights: list[dict[_Ngram, float]] = [{} for _ in range(LONGEST)]
    for ngram, count in counts.items():
        weights[len(ngram) - 1][ngram] = count * (pictures - float(np.log(max(1, frequency[ngram]))))
    norms = np.sqrt([sum(value * value for value in part.values()) for part in weights])
    return _Vector(weights, norms, sum(count for ngram, count in counts.items() if len(ngram) == 2))


def _similarity(own: _Vector, other: _Vector) -> float:
    """Mean over n of the clipped cosine, times the length penalty."""
    cosines = []
    for n in range(LONGEST):
        theirs = other.weights[n]
        product = sum(min(value, theirs.get(ngram, 0.0)) * theirs.get(ngram, 0.0)
                      for ngram, value in own.weights[n].items())  # fmt: skip
        scale = own.norms[n] * other.norms[n]
        cosines.append(product / scale if scale else product)
    return float(np.mean(cosines) * np.exp(-((own.length - other.length) ** 2) / (2 * SIGMA**2)))
