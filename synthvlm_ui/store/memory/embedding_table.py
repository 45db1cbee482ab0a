"""The embeddings of all shards as one file of rows by ordinal, put together from the shards' own files.

It only saves time: it can be deleted and is made again. Knows nothing of what an embedding means.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import CorruptData, UnknownName
from synthvlm_ui.store.files.atomic import exclusive, os_errors, write_bytes
from synthvlm_ui.store.files.paths import WorkspacePaths
from synthvlm_ui.store.files.scores import ScoreStore
from synthvlm_ui.store.memory.index import Index
from synthvlm_ui.store.memory.score_table import KeyScores

FORMAT = 1
CHUNK_ROWS = 32_768
_HALF = np.dtype(np.float16)


@dataclass(frozen=True)
class Embeddings:
    """Half-precision rows by ordinal in a file; a row of zeros is no embedding. Read with pread, never mapped, so that
    what the system caches of the file is not counted as this process's memory."""

    path: Path
    rows: int
    dimension: int

    def chunks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Every row, as (first ordinal, (M, D) float32)."""
        with open(self.path, "rb", buffering=0) as file:
            for start in range(0, self.rows, CHUNK_ROWS):
                count = min(CHUNK_ROWS, self.rows - start)
                yield start, self._read(file.fileno(), start, count).astype(np.float32)

    def of(self, ordinals: NDArray[np.integer]) -> NDArray[np.float32]:
        """Some rows, in their order. Shapes: (M,) -> (M, D)."""
        found = np.zeros((len(ordinals), self.dimension), np.float32)
        with open(self.path, "rb", buffering=0) as file:
            if len(ordinals) <= CHUNK_ROWS // 64:
                for place, ordinal in enumerate(ordinals.tolist()):
                    if ordinal < self.rows:
                        found[place] = self._read(file.fileno(), ordinal, 1)[0]
                return found
            for start in range(0, self.rows, CHUNK_ROWS):
                inside = np.flatnonzero((ordinals >= start) & (ordinals < start + CHUNK_ROWS))
                if len(inside):
                    chunk = self._read(file.fileno(), start, min(CHUNK_ROWS, self.rows - start))
                    found[inside] = chunk[ordinals[inside] - start]
        return found

    def _read(self, descriptor: int, start: int, count: int) -> NDArray[np.float16]:
        width = self.dimension * _HALF.itemsize
        content = os.pread(descriptor, count * width, start * width)
        rows = np.zeros((count, self.dimension), _HALF)
        read = np.frombuffer(content, _HALF, len(content) // width * self.dimension).reshape(-1, self.dimension)
        rows[: len(read)] = read
        return rows


class EmbeddingTable:
    """Keeps one file per scorer key up to date with the shards."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._scores = ScoreStore(paths)
        self._folder = paths.embedding_tables
        if paths.read_only:
            self._folder = Path(tempfile.mkdtemp(prefix="synthvlm-embeddings-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._known: dict[str, tuple[dict[str, int], int]] = {}

    def updated(self, index: Index, key: str) -> Embeddings:
        """The rows of a key as the shards have them now. Raises: UnknownName, DiskFull, WorkspaceError."""
        scores = index.scores.keys.get(key)
        if scores is None:
            raise UnknownName.of("scorer key", key, list(index.scores.keys))
        path = self._folder / f"{key}.f16"
        with os_errors(path):
            self._folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self._folder / f"{key}.lock"), os_errors(path):
            stamps, dimension = self._remembered(path)
            wanted = _stamps(index, scores)
            if wanted != stamps:
                dimension = self._write(index, scores, path, {name: stamp for name, stamp in wanted.items()
                                                              if stamps.get(name) != stamp}, dimension)
                self._remember(path, wanted, dimension)
        if not dimension:
            raise UnknownName(f"the scorer {scores.scorer.name} has left no embeddings", where=key,
                              fix="Score with the scorer clip.")
        return Embeddings(path, path.stat().st_size // (dimension * _HALF.itemsize), dimension)

    def _write(self, index: Index, scores: KeyScores, path: Path, names: dict[str, int], dimension: int) -> int:
        by_shard = np.argsort(index.rows["shard_code"], kind="stable")
        codes = index.rows["shard_code"][by_shard]
        with open(path, "r+b" if path.exists() and dimension else "w+b", buffering=0) as file:
            for name in names:
                dataset, _, shard = name.partition("/")
                code = index.shards.of(dataset)[shard]
                start, end = np.searchsorted(codes, [code, code + 1])
                ordinals = by_shard[start:end]
                ordinals = ordinals[scores.place.view[ordinals] >= 0]
                try:
                    vectors = self._scores.read_embeddings(dataset, shard, scores.scorer.key)
                except CorruptData:
                    vectors = None
                if vectors is None or not len(ordinals):
                    continue
                dimension = dimension or vectors.shape[1]
                places = scores.place.view[ordinals]
                if vectors.shape[1] == dimension and int(places.max()) < len(vectors):
                    _put(file.fileno(), ordinals, np.nan_to_num(vectors[places]), dimension)
            if dimension and os.fstat(file.fileno()).st_size < index.rows.n * dimension * _HALF.itemsize:
                os.truncate(file.fileno(), index.rows.n * dimension * _HALF.itemsize)
        return dimension

    def _remembered(self, path: Path) -> tuple[dict[str, int], int]:
        if path.stem not in self._known:
            try:
                described = json.loads(path.with_suffix(".json").read_bytes())
                usable = described["format"] == FORMAT and path.exists()
                self._known[path.stem] = (described["stamps"], described["dimension"]) if usable else ({}, 0)
            except (OSError, ValueError, KeyError):
                self._known[path.stem] = ({}, 0)
        return self._known[path.stem]

    def _remember(self, path: Path, stamps: dict[str, int], dimension: int) -> None:
        self._known[path.stem] = (stamps, dimension)
        described = {"format": FORMAT, "dimension": dimension, "stamps": stamps}
        write_bytes(path.with_suffix(".json"), json.dumps(described).encode("utf-8"))


def _stamps(index: Index, scores: KeyScores) -> dict[str, int]:
    """Of every shard with this key's scores, a number that changes when they or its rows do."""
    stamps = scores.stamps.view
    files = index.shards["stamp"].tolist()
    return {f"{dataset}/{shard}": int(stamp) ^ int(files[code])
            for code, ((dataset, shard), stamp) in enumerate(zip(index.shards.names, stamps.tolist(), strict=False))
            if stamp}


def _put(descriptor: int, ordinals: NDArray[np.integer], vectors: NDArray[np.float16], dimension: int) -> None:
    """Writes rows at their places, those that lie together in one go."""
    order = np.argsort(ordinals)
    ordinals, vectors = ordinals[order], np.ascontiguousarray(vectors[order])
    width = dimension * _HALF.itemsize
    for run in np.split(np.arange(len(ordinals)), np.flatnonzero(np.diff(ordinals) != 1) + 1):
        os.pwrite(descriptor, vectors[run].tobytes(), int(ordinals[run[0]]) * width)
