"""Which rows a diversity run looks at: datasets, selections, what they drop, real images, or files of embeddings.

Joins captions, candidates and stored embeddings to plain matrices. Computes no embedding itself: the job does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.store import Workspace

Places = NDArray[np.int32]
PARTS = ("dropped", "real")
_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class SetOfRows:
    """One set. Shapes: ``places`` (N,) int32 are captions of the dataset by their order, or candidates by ordinal when
    images are embedded; ``ordinals`` (N,) the candidate behind each row, -1 for a caption alone."""

    name: str
    kind: str
    dataset: str
    places: Places
    ordinals: Places

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "dataset": self.dataset}


class DatasetRows:
    """The captions and candidates of one dataset, as the rows of sets are numbered."""

    def __init__(self, workspace: Workspace, dataset: str) -> None:
        self._workspace, self.dataset = workspace, dataset

    @cached_property
    def texts(self) -> list[str]:
        """Every caption in the order of first import."""
        return [caption.caption for caption in self._captions]

    @cached_property
    def _captions(self) -> Any:
        return self._workspace.captions.load(self.dataset)

    @cached_property
    def caption_of(self) -> Places:
        """The caption's number for each ordinal of the workspace, -1 for other datasets' rows and unknown captions."""
        columns = self._workspace.columns
        numbers = np.full(columns.caption_count + 1, -1, np.int32)
        for number, caption in enumerate(self._captions):
            numbers[columns.caption_code_of(self.dataset, caption.id)] = number
        numbers[-1] = -1  # what has no candidate was written there
        found: Places = numbers[columns.caption_code]
        return found

    def candidates(self, *, real: bool = False) -> NDArray[np.int64]:
        """The ordinals of the images there are, or of the real ones."""
        rows = rows_of(self._workspace.columns, self.dataset, real=real)
        return rows[self._workspace.columns.ok[rows]]

    def id_of(self, number: int) -> str:
        return str(self._captions[number].id)


def resolve_sets(workspace: Workspace, config: Mapping[str, Any], images: bool) -> list[SetOfRows]:
    """The sets of a run, in the order they were named. Raises: UnknownName, EmptyInput, BadSetting."""
    books: dict[str, DatasetRows] = {}
    parts = config.get("parts") or []

    def book(dataset: str) -> DatasetRows:
        return books.setdefault(dataset, DatasetRows(workspace, dataset))

    sets: list[SetOfRows] = []
    for dataset in config.get("datasets") or []:
        rows = book(dataset)
        if images:
            sets.append(_of_ordinals(dataset, "dataset", rows, rows.candidates(), images))
        else:
            numbers = np.arange(len(rows.texts), dtype=np.int32)
            sets.append(SetOfRows(dataset, "dataset", dataset, numbers, np.full(len(numbers), -1, np.int32)))
    taken = {each.name for each in sets}
    for name in config.get("selections") or []:
        selection = workspace.selections.load(name)
        rows = book(selection.rule.dataset)
        kept = workspace.columns.ordinals_of(list(selection.candidate_ids))
        shown = f"{name} (selection)" if name in taken else name
        sets.append(_of_ordinals(shown, "selection", rows, kept, images))
        if "dropped" in parts:
            dropped = np.setdiff1d(rows.candidates(), kept)
            sets.append(_of_ordinals(f"{shown} (dropped)", "dropped", rows, dropped, images))
    if "real" in parts:
        sets += [_of_ordinals(f"{dataset} (real)", "real", rows, rows.candidates(real=True), images)
                 for dataset, rows in books.items() if len(rows.candidates(real=True))]
    for each in sets:
        if not len(each.places):
            raise EmptyInput(f"the set {each.name!r} is empty", fix="Leave it out, or generate candidates first.")
    return sets


def _of_ordinals(name: str, kind: str, rows: DatasetRows, ordinals: NDArray[Any], images: bool) -> SetOfRows:
    ordinals = ordinals.astype(np.int32)
    places = ordinals if images else rows.caption_of[ordinals]
    known = places >= 0
    return SetOfRows(name, kind, rows.dataset, places[known], ordinals[known])


def image_embeddings(workspace: Workspace, datasets: Sequence[str], key: str) -> NDArray[np.float16]:
    """The stored image embeddings of some datasets by ordinal, (n, D) float16, NaN where there is none.

    Raises: EmptyInput, CorruptData.
    """
    columns = workspace.columns
    found: NDArray[np.float16] | None = None
    for dataset in datasets:
        for shard in workspace.shards.names(dataset):
            if key not in workspace.scores.keys(dataset, shard):
                continue
            vectors = workspace.scores.read_embeddings(dataset, shard, key)
            if vectors is None:
                continue
            if found is None:
                found = np.full((columns.n, vectors.shape[1]), np.nan, np.float16)
            ids = [name.decode("ascii") for name in workspace.scores.read(dataset, shard, key).candidate_ids.tolist()]
            found[columns.ordinals_of(ids)] = vectors
    if found is None:
        raise EmptyInput("no image has an embedding", fix="Give --embedder clip-image:NAME, which computes them.")
    return found


def common_image_key(workspace: Workspace, datasets: Sequence[str]) -> str:
    """The scorer whose embeddings all datasets have, the one with most shards first.

    Raises: BadSetting when the datasets were embedded by different models, EmptyInput when one has none.
    """
    counts: list[dict[str, int]] = []
    models: dict[str, str] = {}
    for dataset in datasets:
        keys: dict[str, int] = {}
        for shard in workspace.shards.names(dataset):
            for key in workspace.scores.keys(dataset, shard):
                if (workspace.paths.embedding_folder(dataset, shard) / f"{key}.npy").is_file():
                    keys[key] = keys.get(key, 0) + 1
                    if key not in models:
                        models[key] = str(workspace.scores.scorer(dataset, shard, key).settings.get("model", key))
        if not keys:
            raise EmptyInput(f"the images of {dataset!r} have no embeddings", where="--embedder clip-image",
                             fix="Give --embedder clip-image:NAME, which computes them.")
        counts.append(keys)
    shared = set.intersection(*(set(keys) for keys in counts))
    if not shared:
        listed = "; ".join(f"{dataset}: {', '.join(sorted({models[key] for key in keys}))}"
                           for dataset, keys in zip(datasets, counts, strict=True))
        raise BadSetting(f"the sets have embeddings of different models ({listed})", where="--embedder",
                         fix="Give --embedder clip-image:NAME to embed all of them with one.")
    return max(sorted(shared), key=lambda key: sum(keys[key] for keys in counts))


def embeddings_of_files(files: Sequence[str], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """{name: (N, D) matrix mapped from the disk} of .npy files. Raises: UnreadableFile, BadSetting."""
    found: dict[str, NDArray[Any]] = {}
    for file, name in zip(files, names, strict=True):
        try:
            with Path(file).open("rb") as opened:  # numpy would open zip archives too, and pickles if it were let
                if opened.read(len(_MAGIC)) != _MAGIC:
                    raise ValueError("not a .npy file")
            rows: NDArray[Any] = np.load(Path(file), mmap_mode="r", allow_pickle=False)
        except Exception as error:  # numpy parses the header as Python, and a broken one raises what the parser does
            raise UnreadableFile(f"no embeddings can be read: {type(error).__name__}: {error}"[:200], where=file,
                                 fix="Give a .npy file with a matrix of numbers, one row each.") from error
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "fiu":
            raise UnreadableFile("this is no matrix of numbers", where=file,
                                 fix="Save an array of shape (rows, dimensions).")
        found[name] = rows
    return found
