"""The names behind the codes in the columns: datasets, generators, suffixes, captions and shards.

Codes are dense and belong to one index: a rebuilt one may number captions differently. Knows no files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.store.memory.growing import GrowingArray, KeyIndex

ABSENT, PRESENT, BROKEN = 0, 1, 2


class Names:
    """Distinct strings and their codes in order of arrival."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = list(names)
        self._codes = {name: code for code, name in enumerate(self.names)}

    def code(self, name: str) -> int:
        code = self._codes.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code

    def get(self, name: str) -> int | None:
        return self._codes.get(name)


class CaptionCodes:
    """A dense code for every (dataset, caption id), a million of them in some 40 MB."""

    def __init__(self, arrays: dict[str, NDArray[Any]] | None = None) -> None:
        given = arrays or {}
        self._text = GrowingArray("u1", 0, given.get("caption.text"))
        self._ends = GrowingArray("i8", 0, given.get("caption.ends"))
        self._index = KeyIndex(given.get("index.caption_keys"), given.get("index.caption_positions"))

    def __len__(self) -> int:
        return self._ends.size

    def codes(self, dataset: str, caption_ids: Sequence[str]) -> NDArray[np.int32]:
        """The codes of these captions, new ones for those not seen before. Shapes: (N,) int32."""
        keys = np.fromiter((_caption_key(dataset, name) for name in caption_ids), np.uint64, len(caption_ids))
        codes = self._index.find(keys)
        new: dict[int, int] = {}
        for row in np.flatnonzero(codes < 0).tolist():
            key = int(keys[row])
            if key not in new:
                new[key] = self._append(caption_ids[row])
            codes[row] = new[key]
        if new:
            self._index.add(np.fromiter(new, np.uint64, len(new)), np.fromiter(new.values(), np.int32, len(new)))
        return codes

    def find_all(self, dataset: str, caption_ids: Sequence[str]) -> NDArray[np.int32]:
        """The code of each caption, -1 for one without a candidate. Shapes: (N,)."""
        keys = np.fromiter((_caption_key(dataset, name) for name in caption_ids), np.uint64, len(caption_ids))
        return self._index.find(keys)

    def find(self, dataset: str, caption_id: str) -> int:
        """The code of a caption, -1 when it has no candidate."""
        return int(self._index.find(np.array([_caption_key(dataset, caption_id)], np.uint64))[0])

    def caption_id(self, code: int) -> str:
        ends = self._ends.view
        start = int(ends[code - 1]) if code else 0
        return self._text.view[start : int(ends[code])].tobytes().decode("utf-8")

    def _append(self, caption_id: str) -> int:
        self._text.extend(np.frombuffer(caption_id.encode("utf-8"), np.uint8))
        self._ends.extend(np.array([self._text.size], np.int64))
        return self._ends.size - 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        keys, positions = self._index.compact()
        return {"caption.text": self._text.view, "caption.ends": self._ends.view,
                "index.caption_keys": keys, "index.caption_positions": positions}


def _caption_key(dataset: str, caption_id: str) -> int:
    digest = hashlib.blake2b(f"{dataset}\0{caption_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


SHARD_FIELDS = {"state": "u1", "stamp": "i8", "thumbnail_stamp": "i8", "score_stamp": "i8", "rows": "i4", "spare": "?"}


class ShardTable:
    """The shards ever seen, with the state and stamps of their files.

    ``rows`` counts the rows that are shown from a shard; ``spare`` says that some of its candidates are not, since they
    lie in another shard too.
    """

    def __init__(self, shards: Sequence[tuple[str, str]] = (), arrays: dict[str, NDArray[Any]] | None = None) -> None:
        given = arrays or {}
        self.names: list[tuple[str, str]] = []
        self._codes: dict[str, dict[str, int]] = {}
        self._arrays = {name: GrowingArray(dtype, 0, given.get(f"shard.{name}"))
                        for name, dtype in SHARD_FIELDS.items()}
        for dataset, shard in shards:
            self._codes.setdefault(dataset, {})[shard] = len(self.names)
            self.names.append((dataset, shard))
        if len({len(self.names), *(array.size for array in self._arrays.values())}) != 1:
            raise ValueError("the shard table has columns of different lengths")

    def code(self, dataset: str, shard: str) -> int:
        codes = self._codes.setdefault(dataset, {})
        if shard not in codes:
            codes[shard] = len(self.names)
            self.names.append((dataset, shard))
            for array in self._arrays.values():
                array.resize(len(self.names))
        return codes[shard]

    def of(self, dataset: str) -> dict[str, int]:
        """The shards of a dataset by name."""
        return self._codes.get(dataset, {})

    def datasets(self) -> list[str]:
        return list(self._codes)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name].view

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {f"shard.{name}": array.view for name, array in self._arrays.items()}
