"""Score columns in RAM: float32 over ordinals, NaN where a scorer has not looked or could not tell; what is written as
64-bit whole numbers (hashes) stays so, 0 where there is none.

Numbers of different scorer keys are never mixed: each key has its own columns. Knows no files and decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from synthvlm_ui.errors import UnknownName
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.store.memory.growing import GrowingArray

FloatColumn = NDArray[np.float32]
HASH_TYPE = np.dtype(np.uint64)


@dataclass
class KeyScores:
    """What one scorer key has said: columns over ordinals; stamp and rows of each file read, by shard code.

    ``place`` is over ordinals too: the row of a candidate in its file and so in the embeddings beside it, -1 for none.
    """

    scorer: ScorerInfo
    columns: dict[str, GrowingArray]
    stamps: GrowingArray = field(default_factory=lambda: GrowingArray("i8"))
    covered: GrowingArray = field(default_factory=lambda: GrowingArray("i4"))
    place: GrowingArray = field(default_factory=lambda: GrowingArray("i4", -1))
    newest_ns: int = 0


class ScoreTable:
    """The scores of every key, and which key speaks for a scorer's name."""

    def __init__(self) -> None:
        self.keys: dict[str, KeyScores] = {}
        self._chosen: dict[str, str] = {}

    def ensure(self, scorer: ScorerInfo, n: int, hashes: Collection[str] = ()) -> KeyScores:
        """The columns of this scorer, made on first sight; ``hashes`` names those of 64-bit whole numbers."""
        scores = self.keys.get(scorer.key)
        if scores is None:
            columns = {name: _column(HASH_TYPE if name in hashes else "f4") for name in scorer.columns}
            scores = self.keys[scorer.key] = KeyScores(scorer, columns)
        for column in (*scores.columns.values(), scores.place):
            column.resize(n)
        return scores

    def resize(self, n: int, shards: int) -> None:
        """Makes room for rows and shards that have come."""
        for scores in self.keys.values():
            for column in (*scores.columns.values(), scores.place):
                column.resize(n)
            scores.stamps.resize(shards)
            scores.covered.resize(shards)

    def forget(self, ordinals: NDArray[Any]) -> None:
        """Sets every score of these rows to NaN."""
        for scores in self.keys.values():
            for column in (*scores.columns.values(), scores.place):
                column.view[ordinals] = column.fill

    def names(self) -> list[str]:
        return sorted({scores.scorer.name for scores in self.keys.values()})

    def keys_of(self, name: str) -> list[str]:
        """The keys of a scorer, the one covering most rows first, ties the newest first. Raises: UnknownName."""
        keys = [key for key, scores in self.keys.items() if scores.scorer.name == name]
        if not keys:
            raise UnknownName.of("scorer", name, self.names())
        return sorted(keys, key=lambda key: (-int(self.keys[key].covered.view.sum()), -self.keys[key].newest_ns, key))

    def active_key(self, name: str) -> str:
        """The key whose numbers this scorer's columns show. Raises: UnknownName."""
        chosen = self._chosen.get(name)
        return chosen if chosen in self.keys else self.keys_of(name)[0]

    def use(self, name: str, key: str) -> None:
        """Chooses the key for a scorer's columns. Raises: UnknownName."""
        if key not in self.keys_of(name):
            raise UnknownName.of("scorer key", key, self.keys_of(name))
        self._chosen[name] = key

    def active_columns(self) -> dict[str, GrowingArray]:
        """The columns on show by name; of two scorers with a column of one name, the first by scorer name."""
        shown: dict[str, GrowingArray] = {}
        for name in self.names():
            for column, values in self.keys[self.active_key(name)].columns.items():
                shown.setdefault(column, values)
        return shown

    def arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for key, scores in self.keys.items():
            arrays[f"score_file.{key}.stamps"] = scores.stamps.view
            arrays[f"score_file.{key}.covered"] = scores.covered.view
            arrays[f"score_file.{key}.place"] = scores.place.view
            arrays.update({f"score.{key}.{name}": column.view for name, column in scores.columns.items()})
        return arrays

    def describe(self) -> list[dict[str, Any]]:
        """What ``restore`` needs beside the arrays, JSON-ready."""
        return [{"name": scores.scorer.name, "columns": list(scores.scorer.columns), "key": key,
                 "settings": dict(scores.scorer.settings), "newest_ns": scores.newest_ns}
                for key, scores in self.keys.items()]

    @classmethod
    def restore(cls, described: list[Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]) -> ScoreTable:
        """The table that gave these arrays and this description. Raises: KeyError when they do not go together."""
        table = cls()
        for entry in described:
            scorer = ScorerInfo(entry["name"], tuple(entry["columns"]), entry["settings"])
            key = entry["key"]
            given = {name: arrays[f"score.{key}.{name}"] for name in scorer.columns}
            columns = {name: _column(array.dtype, array) for name, array in given.items()}
            table.keys[key] = KeyScores(scorer, columns, GrowingArray("i8", 0, arrays[f"score_file.{key}.stamps"]),
                                        GrowingArray("i4", 0, arrays[f"score_file.{key}.covered"]),
                                        GrowingArray("i4", -1, arrays[f"score_file.{key}.place"]), entry["newest_ns"])
        return table


def _column(dtype: DTypeLike, data: NDArray[Any] | None = None) -> GrowingArray:
    return GrowingArray(dtype, 0 if np.dtype(dtype) == HASH_TYPE else np.nan, data)
