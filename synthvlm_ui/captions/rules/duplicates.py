"""Captions that say what an earlier one said: with the same words, or with runs of its words.

Both need all captions of a dataset, so they are measured in two steps: hashes block by block, then the comparison.
Knows no threshold: which caption of a group stays is decided where all rules are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.hashing import Hashes, Spans, mixed, windows
from synthvlm_ui.captions.rules.length import _mark_whole as mark_words
from synthvlm_ui.captions.rules.rule import Parameter, Rule, Statistic, shares
from synthvlm_ui.captions.rules.text_block import TextBlock


def fingerprints(block: TextBlock) -> Hashes:
    """A hash of each caption's words, whatever their case and the punctuation around them. Shape (captions,)."""
    lowered = block.lowered
    words = lowered.refined_words
    ends = np.cumsum(words.counts)
    found = Spans(words.hashes).hash(ends - words.counts, ends)
    bare = words.counts == 0  # nothing but special characters: then these are what the caption says
    found[bare] = mixed(lowered.spans.hash(lowered.starts, lowered.ends)[bare])
    return found


def first_of_each(prints: Hashes) -> NDArray[np.int32]:
    """For each caption the first one with the same words, itself when it is that. Shape (captions,)."""
    _, first, group = np.unique(prints, return_index=True, return_inverse=True)
    return first[group].astype(np.int32)


def word_runs(block: TextBlock, length: int) -> tuple[Hashes, NDArray[np.int64]]:
    """Every run of ``length`` words in a caption, and how many runs each caption has. Shapes: (runs,), (captions,)."""
    words = block.lowered.refined_words
    found = windows(words.hashes, length)
    inside = words.owner[: len(found)] == words.owner[length - 1:] if len(found) else np.zeros(0, dtype=bool)
    return found[inside], np.maximum(words.counts - length + 1, 0)


def shared_share(runs: Hashes, counts: NDArray[np.int64]) -> Statistic:
    """Which share of a caption's runs of words stands in an earlier caption. Shapes: (runs,), (captions,)."""
    owners = np.repeat(np.arange(len(counts)), counts)
    order = np.argsort(runs, kind="stable")
    ordered, ordered_owners = runs[order], owners[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(runs) else np.zeros(0, dtype=bool)
    first_owner = ordered_owners[first][np.cumsum(first) - 1] if len(runs) else ordered_owners
    earlier = first_owner < ordered_owners
    return shares(np.bincount(ordered_owners[earlier], minlength=len(counts)), counts)


EXACT_RULE = Rule(
    "exact_duplicates", "Same words", "1 when an earlier caption has the same words.", family="duplicates",
    mark=mark_words, digits=0)
NGRAM_RULE = Rule(
    "shared_ngrams", "Shared runs of words", "Share of the caption's runs of words that stand in an earlier caption.",
    family="duplicates", parameters={"n": Parameter("whole", "how many words make a run", 5)})
