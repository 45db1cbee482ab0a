"""Which shard a candidate is shown from, and writing what a shard says into its rows.

A candidate may lie in several shards, when two plans drew it. The rule depends on the shards alone and not on the
order in which they were found: an image beats a failure, then the first shard by dataset and name wins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.store.decisions.registry import CandidateIds
from synthvlm_ui.store.files.shards import ShardContents
from synthvlm_ui.store.memory.index import Index
from synthvlm_ui.store.memory.rows import FAILED, GONE

_ABSENT, _FAILURE, _IMAGE = 0, 1, 2
_POSITIONS = ("json_at", "json_size", "image_at", "image_size", "thumbnail_at", "thumbnail_size")


def place(index: Index, dataset: str, code: int, contents: ShardContents, ids: CandidateIds) -> None:
    """Writes a shard's facts into its rows. Raises: KeyError, TypeError, ValueError, OverflowError for broken facts."""
    rows = index.rows
    columns = _columns(index, dataset, contents)
    ordinals = rows.find(ids)
    taken = _taken(index, code, ordinals, columns["ok"])
    before = rows["shard_code"][ordinals]
    moved = taken & (before != code)
    index.shards["spare"][code] = bool((~taken).any())
    index.shards["spare"][before[moved]] = True
    np.subtract.at(index.shards["rows"], before[moved], 1)
    index.shards["rows"][code] += int(moved.sum())
    index.scores.forget(ordinals[moved])
    at = ordinals[taken]
    for name, values in columns.items():
        rows[name][at] = values[taken]
    rows["shard_code"][at] = code
    if index.shards["stamp"][code] or index.shards["rows"][code] > len(at):
        _retire(index, code, at)


def _columns(index: Index, dataset: str, contents: ShardContents) -> dict[str, NDArray[Any]]:
    facts = contents.facts
    ok = np.array([fact.get("status", "ok") == "ok" for fact in facts], bool) & (contents.image_size > 0)
    columns = {
        "seed": np.array([fact["seed"] for fact in facts], np.uint32),
        "repeat": np.array([fact["repeat"] for fact in facts], np.int32),
        "dataset_code": np.full(len(facts), index.datasets.code(dataset)),
        "generator_code": np.array([index.generators.code(fact["generator"]) for fact in facts], np.int16),
        "suffix_code": np.array([index.suffixes.code(suffix) for suffix in contents.suffixes], np.int16),
        "caption_code": index.captions.codes(dataset, [fact["caption_id"] for fact in facts]),
        "width_px": _pixels(facts, "width"), "height_px": _pixels(facts, "height"),
        "ok": ok, "reason": np.where(ok, 0, FAILED).astype(np.uint8),
    }
    return {**columns, **{name: getattr(contents, name) for name in _POSITIONS}}


def _pixels(facts: list[dict[str, Any]], name: str) -> NDArray[np.uint16]:
    return np.array([min(max(int(fact.get(name) or 0), 0), 65535) for fact in facts], np.uint16)


def _taken(index: Index, code: int, ordinals: NDArray[np.int32], ok: NDArray[np.bool_]) -> NDArray[np.bool_]:
    rows = index.rows
    now = rows["shard_code"][ordinals]
    taken: NDArray[np.bool_] = now == code
    elsewhere = np.flatnonzero(~taken)
    if elsewhere.size:
        names = index.shards.names
        current = _rank(rows["ok"][ordinals[elsewhere]], rows["reason"][ordinals[elsewhere]])
        offered = np.where(ok[elsewhere], _IMAGE, _FAILURE)
        first = np.array([names[code] < names[other] for other in now[elsewhere].tolist()], bool)
        taken[elsewhere] = (offered > current) | ((offered == current) & first)
    return taken


def _rank(ok: NDArray[np.bool_], reason: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.where(ok, _IMAGE, np.where(reason == FAILED, _FAILURE, _ABSENT))


def _retire(index: Index, code: int, ordinals: NDArray[np.int32]) -> None:
    """Marks the rows that this shard once had and has no more, and forgets its scores, which are read again."""
    had = np.flatnonzero(index.rows["shard_code"] == code)
    index.scores.forget(had)
    lost = had[~np.isin(had, ordinals)]
    index.rows["ok"][lost] = False
    index.rows["reason"][lost] = GONE


def mark_absent(index: Index, code: int, reason: int) -> None:
    """Marks every row of a shard as without image, for a reason of ``rows.REASONS``."""
    lost = np.flatnonzero(index.rows["shard_code"] == code)
    index.rows["ok"][lost] = False
    index.rows["reason"][lost] = reason


def keep_elsewhere(index: Index) -> list[tuple[str, str]]:
    """The present shards with candidates that are shown from other shards: where to look when one of those is lost."""
    spare = np.flatnonzero(index.shards["spare"] & (index.shards["stamp"] != 0))
    return [index.shards.names[code] for code in spare.tolist()]
