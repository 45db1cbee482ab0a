"""The rows of the columns: one per ordinal, what is known of a candidate and where its bytes lie.

Knows nothing of files, scores or verdict history.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.store.memory.growing import GrowingArray, KeyIndex, keys_of_ids

FAILED, MISSING, DAMAGED, GONE = 1, 2, 3, 4
REASONS = ("", "its generation failed", "its shard is missing", "its shard is damaged", "it is no longer in its shard")

# name: (dtype, value before anything is known)
FIELDS: dict[str, tuple[str, int | bytes]] = {
    "candidate_id": ("S16", b""), "dataset_code": ("u2", 0), "shard_code": ("i4", -1), "caption_code": ("i4", -1),
    "generator_code": ("i2", -1), "ok": ("?", 0), "reason": ("u1", MISSING), "seed": ("u4", 0), "repeat": ("i4", 0),
    "json_at": ("i8", 0), "json_size": ("i4", 0), "image_at": ("i8", 0), "image_size": ("i4", 0),
    "suffix_code": ("i2", -1), "width_px": ("u2", 0), "height_px": ("u2", 0),
    "thumbnail_at": ("i8", 0), "thumbnail_size": ("i4", 0),
    "verdict": ("i1", 0), "verdict_event": ("i4", 0),
}


class RowTable:
    """Growing arrays, one for each of FIELDS, and the index from candidate id to ordinal.

    New rows count (``n``) only when every array has them, so that a thread may read while another one extends.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]] | None = None) -> None:
        given = arrays or {}
        self._arrays = {name: GrowingArray(dtype, fill, given.get(f"row.{name}"))
                        for name, (dtype, fill) in FIELDS.items()}
        self._index = KeyIndex(given.get("index.row_keys"), given.get("index.row_positions"))
        if len({array.size for array in self._arrays.values()}) != 1:
            raise ValueError("the columns have different lengths")
        self.n = self._arrays["candidate_id"].size

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name].view[: self.n]

    def extend(self, candidate_ids: NDArray[np.bytes_], dataset_codes: NDArray[Any], shard_codes: NDArray[Any]) -> None:
        """Adds rows of which nothing but these is known yet. Shapes: all (N,)."""
        start, end = self.n, self.n + len(candidate_ids)
        for array in self._arrays.values():
            array.resize(end)
        self._arrays["candidate_id"].view[start:] = candidate_ids
        self._arrays["dataset_code"].view[start:] = dataset_codes
        self._arrays["shard_code"].view[start:] = shard_codes
        self.n = end
        self._index.add(keys_of_ids(self["candidate_id"][start:]), np.arange(start, end, dtype=np.int32))

    def find(self, candidate_ids: NDArray[np.bytes_]) -> NDArray[np.int32]:
        """The ordinal of each S16 id, -1 where it is unknown. Shapes: (N,) -> (N,)."""
        found = self._index.find(keys_of_ids(candidate_ids))
        known = found >= 0
        found[known] = np.where(self["candidate_id"][found[known]] == candidate_ids[known], found[known], -1)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for the snapshot."""
        keys, positions = self._index.compact()
        return {**{f"row.{name}": array.view for name, array in self._arrays.items()},
                "index.row_keys": keys, "index.row_positions": positions}
