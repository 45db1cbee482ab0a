"""Measures a whole dataset: block by block what a caption says by itself, then what needs all captions.

Two threads share the blocks, since most of the time goes into numpy, which lets both run. Knows no store and no rule's
limits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.catalogue import TEXT_RULES
from synthvlm_ui.captions.rules.duplicates import fingerprints, first_of_each, shared_share, word_runs
from synthvlm_ui.captions.rules.near_duplicates import nearest_earlier, signatures
from synthvlm_ui.captions.rules.rule import Options
from synthvlm_ui.captions.rules.text_block import TextBlock

BLOCK = 8192
THREADS = 2
BLOCKS_AT_ONCE = 8
Statistics = dict[str, NDArray[Any]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Part:
    values: dict[str, NDArray[np.float64]]
    prints: NDArray[np.uint64]
    runs: NDArray[np.uint64]
    run_counts: NDArray[np.int64]


def measure_texts(texts: Sequence[str], options: Mapping[str, Options], *,
                  done: Callable[[int], None] = lambda _count: None) -> Statistics:
    """Every statistic of the captions alone, and which of them repeat earlier ones word by word.

    ``options`` by rule name. Returns columns of shape (captions,): each rule's, and "exact_of", the first caption with
    the same words. ``done`` hears how many are measured and may raise to stop.
    """
    parts: list[_Part] = []
    counted = 0
    for size, part in _each_block(texts, lambda block: (len(block), _part(block, options))):
        parts.append(part)
        counted += size
        done(counted)
    found: Statistics = {rule.name: _joined([part.values[rule.name] for part in parts], np.float64)
                         for rule in TEXT_RULES}
    first = first_of_each(_joined([part.prints for part in parts], np.uint64))
    found["exact_of"] = first
    found["exact_duplicates"] = (first != np.arange(len(first))).astype(np.float64)
    found["shared_ngrams"] = shared_share(_joined([part.runs for part in parts], np.uint64),
                                          _joined([part.run_counts for part in parts], np.int64))
    return found


def measure_near(texts: Sequence[str], *, done: Callable[[int], None] = lambda _count: None) -> Statistics:
    """Similarity with the nearest earlier caption, and which one that is: "near_duplicates" and "near_of"."""
    sketches: list[NDArray[np.uint32]] = []
    counted = 0
    for found in _each_block(texts, lambda block: signatures(TextBlock(block))):
        sketches.append(found)
        counted += len(found)
        done(counted)
    if not sketches:
        return {"near_duplicates": np.zeros(0), "near_of": np.zeros(0, dtype=np.int32)}
    similarity, other = nearest_earlier(np.concatenate(sketches), texts)
    return {"near_duplicates": similarity, "near_of": other}


def _part(texts: Sequence[str], options: Mapping[str, Options]) -> _Part:
    block = TextBlock(texts)
    values = {rule.name: rule.measure(block, options.get(rule.name) or rule.options({})) for rule in TEXT_RULES
              if rule.measure is not None}
    runs, counts = word_runs(block, int((options.get("shared_ngrams") or {"n": 5})["n"]))
    return _Part(values, fingerprints(block), runs, counts)


def _each_block(texts: Sequence[str], work: Callable[[Sequence[str]], Result]) -> Iterator[Result]:
    """The work on each block, in order; a few blocks are under way at a time, so that a stop is soon heard."""
    starts = range(0, len(texts), BLOCK)
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for wave in range(0, len(starts), BLOCKS_AT_ONCE):
            yield from pool.map(lambda start: work(texts[start: start + BLOCK]), starts[wave: wave + BLOCKS_AT_ONCE])


def _joined(parts: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
