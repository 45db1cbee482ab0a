"""Which row of the columns is which candidate, for ever: the append-only table that gives out ordinals.

Bitmaps in the journal mean rows by their ordinals, so an ordinal is never given twice, not even when its shard is gone.
Knows nothing of what else is known about a candidate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.store.decisions.database import Database

ID_BYTES = 16
CandidateIds = NDArray[np.bytes_]


@dataclass(frozen=True)
class Registration:
    """The candidates of a shard that got the ordinals ``base``, ``base`` + 1, ... Shapes: candidate_ids (N,) S16."""

    base: int
    dataset: str
    shard: str
    candidate_ids: CandidateIds


class ShardRegistry:
    """Gives every candidate one ordinal, whichever process sees its shard first and in however many shards it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def total(self) -> int:
        """How many ordinals have been given out."""
        return int(self._database.one("SELECT base + rows FROM shard ORDER BY base DESC LIMIT 1") or 0)

    def since(self, base: int) -> list[Registration]:
        """The registrations from ordinal ``base`` on, in order. Raises: CorruptData."""
        rows = self._database.rows(
            "SELECT base, rows, dataset, name, digest, candidate_ids FROM shard WHERE base >= ? ORDER BY base", (base,))
        found = []
        for start, count, dataset, name, digest, blob in rows:
            if start != base or len(blob) != count * ID_BYTES or digest != digest_of(blob):
                raise CorruptData(f"the registration of {dataset}/{name} does not read back", where="journal",
                                  fix="Put back a copy of the journal.")
            found.append(Registration(start, dataset, name, np.frombuffer(blob, dtype=f"S{ID_BYTES}")))
            base = start + count
        return found

    def register(self, shards: Sequence[tuple[str, str, CandidateIds]], known: int,
                 unknown_of: Callable[[list[Registration], CandidateIds], NDArray[np.bool_]]) -> None:
        """Gives ordinals to the candidates of these (dataset, shard, ids) that have none yet.

        ``known`` is how many ordinals the caller has seen; ``unknown_of(news, ids)`` says which ids are neither among
        those nor in ``news``, the registrations of other processes since.
        """
        with self._database.transaction():
            news = self.since(known)
            base = self.total()
            claimed: set[bytes] = set()
            for dataset, shard, ids in shards:
                fresh = [name for name in ids[unknown_of(news, ids)].tolist() if name not in claimed]
                if not fresh:
                    continue
                claimed.update(fresh)
                blob = np.array(fresh, dtype=f"S{ID_BYTES}").tobytes()
                self._database.write("INSERT INTO shard VALUES (?, ?, ?, ?, ?, ?)",
                                     (base, len(fresh), dataset, shard, digest_of(blob), blob))
                base += len(fresh)


def digest_of(blob: bytes) -> str:
    """What a registration says of its ids, to notice when they do not read back."""
    return hashlib.sha256(blob).hexdigest()[:32]
