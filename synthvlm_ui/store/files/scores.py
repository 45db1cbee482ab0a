"""Scores: one parquet per shard and scorer, so that scoring again with other settings touches nothing else.

Embeddings lie beside them as half-precision arrays. Knows nothing of what a number means or of thresholds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.store.files.atomic import replacing
from synthvlm_ui.store.files.names import checked_candidate_id, checked_name
from synthvlm_ui.store.files.news import tell
from synthvlm_ui.store.files.parquet import DamagedParquet, read_columns, read_metadata, write_columns
from synthvlm_ui.store.files.paths import WorkspacePaths

_SCORER = "scorer"


@dataclass(frozen=True)
class ShardScores:
    """What one scorer wrote about one shard. Shapes: ``candidate_ids`` and every column are (N,)."""

    scorer: ScorerInfo
    candidate_ids: NDArray[np.bytes_]
    columns: dict[str, NDArray[Any]]


class ScoreStore:
    """The scores of a workspace, by dataset, shard and scorer key."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._paths = paths

    def write(self, dataset: str, shard: str, scorer: ScorerInfo, candidate_ids: Sequence[str],
              columns: Mapping[str, NDArray[Any]], embeddings: NDArray[Any] | None = None) -> None:
        """Writes what a scorer says about a shard, all at once; writing it again replaces it.

        Shapes: every column is (N,) for N candidate ids, in the same order; embeddings (N, D), kept as float16.
        Raises: BadSetting, DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        _check(scorer, candidate_ids, columns, embeddings)
        key = checked_name("scorer", scorer.key)
        if embeddings is not None:
            # Before the parquet, so that whoever sees the scores finds the embeddings too.
            with replacing(self._paths.embedding_folder(dataset, shard) / f"{key}.npy") as file:
                np.save(file, np.ascontiguousarray(embeddings, dtype=np.float16), allow_pickle=False)
        facts = {"name": scorer.name, "columns": list(scorer.columns), "settings": dict(scorer.settings)}
        described = json.dumps(facts, sort_keys=True, default=str)
        values = {name: np.asarray(columns[name]) for name in scorer.columns}
        folder = self._paths.score_folder(dataset, shard)
        # Staged one level up: the rename then changes the time of both folders, so that a look at the dataset's folder
        # alone tells a reader that some shard below has news.
        with replacing(folder / f"{key}.parquet", staging=folder.parent) as file:
            write_columns(file, candidate_ids, values, {_SCORER: described})
        tell(self._paths.news, "scores", dataset, shard)

    def keys(self, dataset: str, shard: str) -> list[str]:
        """The keys of the scorers that have scored this shard, sorted."""
        try:
            names = os.listdir(self._paths.score_folder(dataset, shard))
        except FileNotFoundError:
            return []
        return sorted(name[:-8] for name in names if name.endswith(".parquet"))

    def read(self, dataset: str, shard: str, key: str) -> ShardScores:
        """What one scorer wrote about this shard. Raises: CorruptData naming the file, UnknownName."""
        path = self._path(dataset, shard, key)
        try:
            columns, metadata = read_columns(path)
            scorer = _scorer(metadata)
            return ShardScores(scorer, columns["candidate_id"], {name: columns[name] for name in scorer.columns})
        except (DamagedParquet, KeyError, ValueError, TypeError) as error:
            raise _corrupt(path, error) from error

    def scorer(self, dataset: str, shard: str, key: str) -> ScorerInfo:
        """The scorer behind a key, with the settings its numbers depend on. Raises: CorruptData, UnknownName."""
        path = self._path(dataset, shard, key)
        try:
            return _scorer(read_metadata(path))
        except (DamagedParquet, KeyError, ValueError, TypeError) as error:
            raise _corrupt(path, error) from error

    def read_embeddings(self, dataset: str, shard: str, key: str) -> NDArray[np.float16] | None:
        """The (N, D) embeddings in the order of ``read``'s rows, None when there are none. Raises: CorruptData."""
        path = self._paths.embedding_folder(dataset, shard) / f"{checked_name('scorer', key)}.npy"
        try:
            embeddings: NDArray[np.float16] = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            raise _corrupt(path, error) from error
        if embeddings.dtype != np.float16 or embeddings.ndim != 2:
            raise _corrupt(path, f"{embeddings.dtype} of {embeddings.ndim} dimensions")
        return embeddings

    def _path(self, dataset: str, shard: str, key: str) -> Path:
        path = self._paths.score_folder(dataset, shard) / f"{checked_name('scorer', key)}.parquet"
        if not path.is_file():
            raise UnknownName.of("scorer", key, self.keys(dataset, shard))
        return path


def _scorer(metadata: Mapping[str, str]) -> ScorerInfo:
    described = json.loads(metadata[_SCORER])
    return ScorerInfo(described["name"], tuple(described["columns"]), described["settings"])


def _corrupt(path: Path, why: object) -> CorruptData:
    return CorruptData(f"the scores do not read back: {why}", where=str(path),
                       fix="Delete the file and score again; nothing else is affected.")


def _check(scorer: ScorerInfo, candidate_ids: Sequence[str], columns: Mapping[str, NDArray[Any]],
           embeddings: NDArray[Any] | None) -> None:
    for candidate_id in candidate_ids:
        checked_candidate_id(candidate_id)
    if set(columns) != set(scorer.columns):
        raise BadSetting(f"the scorer {scorer.name} promises {', '.join(scorer.columns)} and gave {', '.join(columns)}")
    for name, values in columns.items():
        if np.shape(values) != (len(candidate_ids),):
            raise BadSetting(f"the score {name} has the shape {np.shape(values)} for {len(candidate_ids)} candidates")
    if embeddings is not None and (embeddings.ndim != 2 or len(embeddings) != len(candidate_ids)):
        raise BadSetting(f"the embeddings have the shape {embeddings.shape} for {len(candidate_ids)} candidates")
