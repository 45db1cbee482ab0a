"""Caption embeddings: computed once for a text and a model, found again by the text's hash.

One file per batch of texts, named after its content, so that two writers cannot disturb each other and a killed one
loses one batch. Knows no dataset: two datasets with the same caption share its embedding.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData
from synthvlm_ui.store.files.atomic import replacing
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.paths import WorkspacePaths

Vectors = NDArray[np.float16]


class CaptionEmbeddings:
    """``workspace.caption_embeddings``, by the key of the model that made them."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._paths = paths

    def add(self, key: str, texts: Sequence[str], vectors: NDArray[Any]) -> None:
        """Keeps the embeddings of texts in half precision. Shapes: vectors (N, D) for N texts.

        Raises: BadSetting, DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise BadSetting(f"the embeddings have the shape {vectors.shape} for {len(texts)} texts")
        hashes = hashes_of(texts)
        name = hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
        # The hashes last: a file of vectors without them is not looked at.
        for end, array in (("vectors", vectors.astype(np.float16)), ("texts", hashes)):
            with replacing(self._folder(key) / f"{name}.{end}.npy") as file:
                np.save(file, np.ascontiguousarray(array), allow_pickle=False)

    def missing(self, key: str, texts: Sequence[str]) -> list[str]:
        """Which of these texts have no embedding yet, each once, in their order. Raises: CorruptData."""
        known = self._hashes(key)
        fresh = ~np.isin(hashes_of(texts), np.concatenate([hashes for _, hashes in known] or [np.zeros(0, np.uint64)]))
        return list(dict.fromkeys(text for text, is_fresh in zip(texts, fresh.tolist(), strict=True) if is_fresh))

    def load(self, key: str, texts: Sequence[str]) -> Vectors:
        """The embeddings of texts, (N, D) float16; NaN for a text that has none. Raises: CorruptData."""
        wanted = hashes_of(texts)
        found: Vectors | None = None
        for name, hashes in self._hashes(key):
            order = np.argsort(hashes, kind="stable")
            places = np.searchsorted(hashes, wanted, sorter=order).clip(max=len(hashes) - 1)
            rows = order[places]
            hit = np.flatnonzero(hashes[rows] == wanted)
            if not len(hit):
                continue
            vectors = _read(self._folder(key) / f"{name}.vectors.npy", np.float16, 2)
            if found is None:
                found = np.full((len(texts), vectors.shape[1]), np.nan, np.float16)
            found[hit] = vectors[rows[hit]]
        return np.full((len(texts), 1), np.nan, np.float16) if found is None else found

    def _hashes(self, key: str) -> list[tuple[str, NDArray[np.uint64]]]:
        folder = self._folder(key)
        try:
            names = sorted(name[:-10] for name in os.listdir(folder) if name.endswith(".texts.npy"))
        except FileNotFoundError:
            return []
        read = [(name, _read(folder / f"{name}.texts.npy", np.uint64, 1)) for name in names]
        return [(name, hashes) for name, hashes in read if len(hashes)]

    def _folder(self, key: str) -> Path:
        return self._paths.caption_embeddings / checked_name("embedder", key)


def hashes_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each text, (N,) uint64."""
    digests = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, np.uint64)


def _read(file: Path, dtype: type[np.generic], dimensions: int) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        if found.dtype != dtype or found.ndim != dimensions:
            raise ValueError(f"{found.dtype} of {found.ndim} dimensions")
    except (OSError, ValueError, EOFError) as error:
        raise CorruptData(f"caption embeddings do not read back: {error}", where=str(file),
                          fix="Delete the file; they are computed again when they are needed.") from error
    return found
