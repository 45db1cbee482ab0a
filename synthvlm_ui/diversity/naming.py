"""Names of clusters: the words that set a cluster apart, and the rows nearest to its centre.

Knows no model: words are counted, not embedded.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity.clusters import Codes

_WORD = re.compile(r"[^\W\d_][\w'-]*", re.UNICODE)
# Words that say nothing of a picture's content. Short on purpose: rareness in the other clusters does the rest.
_PLAIN = frozenset("a an and are as at be by for from has have in is it its of on or that the their there this to was "
                   "were with while which who one some image photo picture".split())
ROWS_READ = 400
WORDS_IN_NAME = 3


@dataclass(frozen=True)
class ClusterName:
    """``words`` best first; ``nearest`` the rows closest to the centre, at most one for each different text."""

    name: str
    words: tuple[str, ...]
    nearest: tuple[int, ...]


def name_clusters(codes: Codes, closeness: NDArray[np.float32], k: int, text_of: Callable[[int], str], *,
                  examples: int = 6) -> list[ClusterName]:
    """A name for each of k clusters, from the ROWS_READ rows nearest to each centre.

    Shapes: codes (N,), -1 for none; closeness (N,). Words are ranked by how much more often they come in the cluster
    than in all clusters together (log-odds with a prior, weighted by the count). Clusters without texts, and empty
    ones, are named by their number from 1. Equal input gives equal names.
    """
    rows = [_nearest(codes, closeness, cluster) for cluster in range(k)]
    texts = [[text_of(int(row)) for row in members] for members in rows]
    counted = [Counter(word for text in found for word in set(words_of(text))) for found in texts]
    total: Counter[str] = sum(counted, Counter())
    names = []
    for cluster in range(k):
        words = distinctive(counted[cluster], total, len(texts[cluster]), sum(map(len, texts)))
        first = {text: int(row) for row, text in reversed(list(zip(rows[cluster], texts[cluster], strict=True)))}
        nearest = tuple(sorted(first.values(), key=lambda row: (-closeness[row], row))[:examples])
        label = " · ".join(words[:WORDS_IN_NAME]) if words else f"cluster {cluster + 1}"
        names.append(ClusterName(label, tuple(words), nearest))
    return names


def words_of(text: str) -> list[str]:
    """The words of a text that can name something, lower case."""
    return [word for word in _WORD.findall(text.lower()) if word not in _PLAIN and len(word) > 1]


def distinctive(inside: Counter[str], everywhere: Counter[str], texts_inside: int, texts: int,
                most: int = 8) -> list[str]:
    """The words that come more often inside than elsewhere, the most telling first."""
    if not texts_inside or texts <= texts_inside:
        return [word for word, _ in sorted(inside.items(), key=lambda item: (-item[1], item[0]))[:most]]
    ranked = []
    for word, count in inside.items():
        elsewhere = everywhere[word] - count
        share, other = (count + 0.5) / (texts_inside + 1), (elsewhere + 0.5) / (texts - texts_inside + 1)
        if share > other and count > 1 or texts_inside == 1:
            ranked.append((-(share * math.log(share / other)), word))
    return [word for _, word in sorted(ranked)[:most]]


def _nearest(codes: Codes, closeness: NDArray[np.float32], cluster: int) -> Sequence[int]:
    members = np.flatnonzero(codes == cluster)
    if len(members) > ROWS_READ:
        members = members[np.argpartition(-closeness[members], ROWS_READ)[:ROWS_READ]]
    order = np.lexsort((members, -closeness[members]))
    return [int(row) for row in members[order]]
