"""Reads everything in a workspace once and says what does not read back. Changes nothing.

Works on the paths and not on an open workspace, since a damaged journal cannot be opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.store.decisions.salvage import damage_of
from synthvlm_ui.store.files.caption_curation import CaptionCurationStore
from synthvlm_ui.store.files.parquet import DamagedParquet, read_batches
from synthvlm_ui.store.files.paths import WorkspacePaths
from synthvlm_ui.store.files.scores import ScoreStore
from synthvlm_ui.store.files.selections import read_selection
from synthvlm_ui.store.files.shards import ShardStore

Kind = Literal["journal", "captions", "curation", "shard", "thumbnails", "scores", "embeddings", "selection"]
CheckImage = Callable[[bytes], object]


@dataclass(frozen=True)
class Damage:
    """One file that does not read back: what it is, where, and why. ``files`` are all that belong to it."""

    kind: Kind
    files: tuple[Path, ...]
    what: str
    dataset: str = ""
    shard: str = ""


def find_damage(paths: WorkspacePaths, check_image: CheckImage | None = None,
                count: Callable[[str], None] = lambda kind: None) -> Iterator[Damage]:
    """Everything that is damaged. ``check_image(content)`` raises ValueError or OSError for a picture that does not
    decode; without it images are read and not decoded. ``count(kind)`` is told of every file that was looked at."""
    count("journal")
    if problem := damage_of(paths.journal):
        yield Damage("journal", (paths.journal,), problem)
    for dataset in paths.folders_in(paths.captions):
        yield from _captions(paths, dataset, count)
    for dataset in paths.folders_in(paths.curation):
        yield from _curation(paths, dataset, count)
    shards = ShardStore(paths)
    for dataset in shards.datasets():
        for shard in shards.names(dataset):
            yield from _shard(paths, shards, dataset, shard, check_image, count)
    for dataset in paths.folders_in(paths.scores):
        for shard in paths.folders_in(paths.scores / dataset):
            yield from _scores(paths, dataset, shard, count)
    yield from _selections(paths, count)


def _captions(paths: WorkspacePaths, dataset: str, count: Callable[[str], None]) -> Iterator[Damage]:
    for file in sorted(paths.caption_folder(dataset).glob("*.parquet")):
        count("captions")
        try:
            for _ in read_batches(file, ("id", "caption", "image", "source", "meta")):
                pass
        except DamagedParquet as error:
            yield Damage("captions", (file,), str(error), dataset)


def _curation(paths: WorkspacePaths, dataset: str, count: Callable[[str], None]) -> Iterator[Damage]:
    count("curation")
    try:
        CaptionCurationStore(paths).read_decision(dataset)
    except CorruptData as error:
        yield Damage("curation", (Path(error.where),), error.what, dataset)


def _shard(paths: WorkspacePaths, shards: ShardStore, dataset: str, shard: str, check_image: CheckImage | None,
           count: Callable[[str], None]) -> Iterator[Damage]:
    count("shard")
    file, thumbnails = paths.shard(dataset, shard), paths.thumbnail_shard(dataset, shard)
    try:
        contents = shards.contents(dataset, shard)
        for member in shards.read(dataset, shard):
            if member.image is not None and check_image is not None:
                try:
                    check_image(member.image)
                except (ValueError, OSError) as error:
                    raise CorruptData(f"the image of {member.candidate.id} does not decode: {error}") from error
    except CorruptData as error:
        yield Damage("shard", (file, thumbnails), error.what, dataset, shard)
        return
    count("thumbnails")
    missing = contents.missing_thumbnails
    if not missing and np.any((contents.image_size > 0) & (contents.thumbnail_size == 0)):
        missing = "some thumbnails are missing"
    if missing:
        yield Damage("thumbnails", (thumbnails,), missing, dataset, shard)


def _scores(paths: WorkspacePaths, dataset: str, shard: str, count: Callable[[str], None]) -> Iterator[Damage]:
    store, folder = ScoreStore(paths), paths.score_folder(dataset, shard)
    for key in store.keys(dataset, shard):
        embeddings = paths.embedding_folder(dataset, shard) / f"{key}.npy"
        both = (folder / f"{key}.parquet", embeddings)
        count("scores")
        try:
            rows = len(store.read(dataset, shard, key).candidate_ids)
        except CorruptData as error:
            yield Damage("scores", both, error.what, dataset, shard)
            continue
        if not embeddings.exists():
            continue
        count("embeddings")
        try:
            found = store.read_embeddings(dataset, shard, key)
            if found is None or len(found) != rows:
                raise CorruptData("there is not one embedding a score")
        except CorruptData as error:
            # The scores go with them: a shard counts as embedded when it is scored.
            yield Damage("embeddings", both, error.what, dataset, shard)


def _selections(paths: WorkspacePaths, count: Callable[[str], None]) -> Iterator[Damage]:
    for file in sorted(paths.selections.glob("*.json")):
        count("selection")
        try:
            read_selection(file)
        except CorruptData as error:
            yield Damage("selection", (file,), error.what)
