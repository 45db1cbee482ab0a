"""Rows of embeddings: which are usable, their unit form, and a sample that does not depend on their order.

Knows no model and no file. A row is one caption or one image; rows of one clustering all come from one model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput

Rows = NDArray[Any]
FloatRows = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHUNK_ROWS = 8192
SAMPLE_ROWS = 50_000
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def chunks(count: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Slices that cover ``count`` rows, each small enough for the processor's cache to help."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def unit(rows: Rows) -> FloatRows:
    """The rows as float32 of L2 norm 1; call it on chunks. Shapes: (N, D) -> (N, D)."""
    plain = np.asarray(rows, dtype=np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", plain, plain))[:, None]
    divided: FloatRows = np.divide(plain, norms, where=norms > 0, out=np.zeros_like(plain))
    return divided


def usable(rows: Rows, name: str = "") -> Mask:
    """Which rows have only finite numbers and are not all 0, (N,) bool.

    Raises: BadSetting when ``rows`` is not a matrix of numbers, EmptyInput when not one row is usable.
    """
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise BadSetting(f"embeddings are a matrix of numbers, not {rows.dtype} of shape {rows.shape}", where=name)
    mask = np.zeros(len(rows), bool)
    for part in chunks(len(rows)):
        plain = np.asarray(rows[part], dtype=np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("nd,nd->n", plain, plain)
        mask[part] = np.isfinite(squares) & (squares > 0)
    if not mask.any():
        raise EmptyInput("no row has an embedding of finite numbers" if len(rows) else "there are no embeddings",
                         where=name)
    return mask


def keys_of(rows: Rows, salt: int) -> NDArray[np.uint64]:
    """A well mixed 64-bit number for each row that follows from its bytes and the salt alone, (N,) uint64.

    The second row with the same bytes gets another key than the first, so that copies are drawn independently; which
    of them is called the second makes no difference to what is drawn.
    """
    keys = np.zeros(len(rows), np.uint64)
    for part in chunks(len(rows)):
        keys[part] = _hashed(np.ascontiguousarray(rows[part]))
    return _mixed(keys + _occurrence(keys) * _ODD + _mixed(np.array([salt], np.uint64)))


def _hashed(rows: Rows) -> NDArray[np.uint64]:
    raw = rows.view(np.uint8).reshape(len(rows), -1)
    spare = -raw.shape[1] % 8
    words = (np.pad(raw, ((0, 0), (0, spare))) if spare else raw).view(np.uint64)
    places = (np.arange(1, words.shape[1] + 1, dtype=np.uint64) * _ODD) | np.uint64(1)
    mixed = (words ^ (words >> np.uint64(32))) * places
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX_2
    total: NDArray[np.uint64] = mixed.sum(axis=1, dtype=np.uint64)
    return total


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every bit of the result depends on every bit of the key."""
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX_1
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX_2
    return np.asarray(keys ^ (keys >> np.uint64(31)))


def _occurrence(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """0 for the first row with a key, 1 for the second, and so on."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.append(starts, len(keys)))
    counted = np.empty(len(keys), np.uint64)
    counted[order] = (np.arange(len(keys)) - np.repeat(starts, lengths)).astype(np.uint64)
    return counted


def shares_of_sample(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many rows each set gives to a pooled sample of at most ``limit``: everything when it fits, else equal shares,
    and what a small set cannot fill goes to the others, so that no set is drowned by another."""
    taken = dict.fromkeys(sizes, 0)
    room, open_sets = limit, sorted(sizes, key=lambda name: (sizes[name], name))
    while open_sets:
        name = open_sets.pop(0)
        taken[name] = min(sizes[name], room // (len(open_sets) + 1))
        room -= taken[name]
    return taken


def pooled_sample(sets: Mapping[str, Rows], masks: Mapping[str, Mask], *, limit: int = SAMPLE_ROWS,
                  seed: int = 0) -> FloatRows:
    """At most ``limit`` unit rows of all sets together, in an order that follows from the rows and the seed alone.

    Shapes: (S, D) float32. The same rows in another order, or in another set, give the same sample as long as all fit.
    Raises: BadSetting when the sets have different widths.
    """
    widths = {name: rows.shape[1] for name, rows in sets.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise BadSetting(f"the sets have embeddings of different widths ({listed}), so of different models",
                         fix="Embed all sets with one model.")
    shares = shares_of_sample({name: int(masks[name].sum()) for name in sets}, limit)
    parts = []
    for name, rows in sets.items():
        places = np.flatnonzero(masks[name])
        if shares[name] < len(places):
            keys = keys_of(rows, seed)[places]
            places = np.sort(places[np.argpartition(keys, shares[name])[: shares[name]]])
        parts.append(unit(rows[places]))
    pooled = np.concatenate(parts)
    return np.asarray(pooled[np.argsort(keys_of(pooled, seed), kind="stable")])


def distinct_rows(rows: Rows, enough: int) -> int:
    """How many different rows there are; stops counting at ``enough``."""
    seen: set[bytes] = set()
    for row in np.ascontiguousarray(rows):
        seen.add(row.tobytes())
        if len(seen) >= enough:
            break
    return len(seen)
