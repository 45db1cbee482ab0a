"""Captions by dataset: one immutable parquet per import, so that an import is wholly there or not at all.

Knows nothing of where captions come from or of what is drawn from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from synthvlm_ui.errors import BadSetting, CorruptData, DuplicateId, EmptyInput, UnknownName
from synthvlm_ui.records import Caption, short_hash
from synthvlm_ui.store.files.atomic import exclusive, replacing
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.parquet import (
    DamagedParquet,
    TextWriter,
    last_of_each,
    read_batches,
    read_metadata,
    read_texts,
)
from synthvlm_ui.store.files.paths import WorkspacePaths, file_stamp

OnDuplicate = Literal["skip", "replace", "error"]
BATCH_ROWS = 65536

_FIELDS = ("id", "caption", "image", "source", "meta")


@dataclass(frozen=True, slots=True)
class AddedCaptions:
    """What an import did: ids new to the dataset, ids skipped as known, and ids whose caption was replaced."""

    imported: int
    duplicates: int
    replaced: int


class CaptionStore:
    """The captions of a workspace. The first import of an id fixes its place, the last replacement its content."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._paths = paths

    def datasets(self) -> list[str]:
        """The datasets that have captions, sorted."""
        return [name for name in self._paths.folders_in(self._paths.captions) if self._files(name)]

    def add(self, dataset: str, captions: Iterable[Caption], *, on_duplicate: OnDuplicate = "skip",
            source: str = "") -> AddedCaptions:
        """Adds captions to a dataset, all or none; ``source`` is noted for captions that name none themselves.

        Raises: DuplicateId naming the id when ``on_duplicate`` is "error", EmptyInput, BadSetting, DiskFull,
        WorkspaceError.
        """
        self._paths.check_writable()
        if on_duplicate not in ("skip", "replace", "error"):
            raise BadSetting(f"unknown answer to duplicates {on_duplicate!r}", fix="Use skip, replace or error.")
        folder = self._paths.caption_folder(dataset)
        # One import at a time and dataset, since each must know the ids of those before it.
        with exclusive(self._paths.captions / f".{dataset}.lock"):
            target = folder / f"{self._next_number(dataset):06d}.parquet"
            run = _Import(dataset, on_duplicate, source, self._ids(dataset))
            try:
                with replacing(target) as file:
                    run.write(file, captions)
                    if not run.rows:
                        raise _NothingNew
            except _NothingNew:
                pass
        if not run.seen_any:
            raise EmptyInput("there is no caption to import", where=source)
        return AddedCaptions(run.imported, run.duplicates, run.replaced)

    def count(self, dataset: str) -> int:
        """How many captions the dataset has. Raises: UnknownName, CorruptData."""
        return sum(_imported(path) for path in self._known_files(dataset))

    def texts(self, dataset: str) -> tuple[list[str], list[str]]:
        """Ids and captions alone, in the order of ``load`` and with a tenth of its memory. Raises: as ``load``."""
        captions: dict[str, str] = {}
        for path in self._known_files(dataset):
            try:
                for ids, texts in read_batches(path, ("id", "caption")):
                    captions.update(zip((one or "" for one in ids), (text or "" for text in texts), strict=True))
            except DamagedParquet as error:
                raise _corrupt(path, error) from error
        return list(captions), list(captions.values())

    def stamp(self, dataset: str) -> str:
        """What changes whenever a caption is added or replaced. Raises: UnknownName."""
        files = [(path.name, file_stamp(path.stat())) for path in self._known_files(dataset)]
        return short_hash("captions", dataset, files)

    def load(self, dataset: str) -> list[Caption]:
        """Every caption of the dataset in the order of first import. Raises: UnknownName, CorruptData."""
        captions: dict[str, Caption] = {}
        for path in self._known_files(dataset):
            # Assigning to a key that is there keeps its place: exactly what a replacement should do.
            captions.update((caption.id, caption) for caption in _captions(path))
        return list(captions.values())

    def text_array(self, dataset: str) -> tuple[list[str], Any]:
        """The ids of every caption in the order of first import, and their texts as a pyarrow array.

        Raises: UnknownName, CorruptData.
        """
        files = self._known_files(dataset)
        try:
            ids, texts = read_texts(files)
        except DamagedParquet as error:
            raise _corrupt(files[0].parent, error) from error
        if len(ids) > self.count(dataset):  # Some were replaced: the first place, the last text.
            ids, texts = last_of_each(ids, texts)
        return ids, texts

    def get(self, dataset: str, caption_id: str) -> Caption:
        """One caption. Raises: UnknownName, CorruptData."""
        for path in reversed(self._known_files(dataset)):
            found = list(_captions(path, caption_id))
            if found:
                return found[-1]
        raise UnknownName.of("caption", caption_id, [caption.id for caption in self.load(dataset)[:13]])

    def _files(self, dataset: str) -> list[Path]:
        folder = self._paths.caption_folder(dataset)
        try:
            return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".parquet")]
        except FileNotFoundError:
            return []

    def _known_files(self, dataset: str) -> list[Path]:
        checked_name("dataset", dataset)
        files = self._files(dataset)
        if not files:
            raise UnknownName.of("dataset", dataset, self.datasets())
        return files

    def _next_number(self, dataset: str) -> int:
        return max((int(path.stem) for path in self._files(dataset) if path.stem.isdigit()), default=0) + 1

    def _ids(self, dataset: str) -> set[str]:
        ids: set[str] = set()
        for path in self._files(dataset):
            for (batch,) in _batches(path, ("id",)):
                ids.update(caption_id for caption_id in batch if caption_id is not None)
        return ids


class _NothingNew(Exception):
    """Every caption of an import was there already: no file is written."""


@dataclass
class _Import:
    """One import while it runs: which ids are known, and what has been counted."""

    dataset: str
    on_duplicate: OnDuplicate
    source: str
    ids: set[str]
    imported: int = 0
    duplicates: int = 0
    replaced: int = 0
    seen_any: bool = False
    _batch: list[Caption] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.imported + self.replaced

    def write(self, file: BinaryIO, captions: Iterable[Caption]) -> None:
        with TextWriter(file, _FIELDS) as writer:
            for caption in captions:
                self.seen_any = True
                if self._is_wanted(caption):
                    self._batch.append(caption)
                    if len(self._batch) >= BATCH_ROWS:
                        self._flush(writer)
            self._flush(writer)
            writer.describe({"imported": str(self.imported), "source": self.source})

    def _is_wanted(self, caption: Caption) -> bool:
        if not caption.id:
            raise BadSetting("a caption has an empty id", where=self.source or self.dataset)
        if caption.id not in self.ids:
            self.ids.add(caption.id)
            self.imported += 1
            return True
        if self.on_duplicate == "error":
            raise DuplicateId(f"the caption id {caption.id!r} comes twice", where=self.source or self.dataset,
                              fix="Skip or replace duplicates, or give the captions other ids.")
        if self.on_duplicate == "replace":
            self.replaced += 1
            return True
        self.duplicates += 1
        return False

    def _flush(self, writer: TextWriter) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            writer.add({
                "id": [caption.id for caption in batch],
                "caption": [caption.caption for caption in batch],
                "image": [caption.image for caption in batch],
                "source": [caption.source or self.source for caption in batch],
                "meta": [json.dumps(dict(caption.meta), default=str) if caption.meta else None for caption in batch],
            })
        except ValueError as error:
            raise BadSetting(f"the caption {_unstorable(batch)} is not text that can be stored",
                             where=self.source or self.dataset,
                             fix="Save the file as UTF-8 and import it again.") from error


def _unstorable(batch: list[Caption]) -> str:
    for caption in batch:
        try:
            for text in (caption.id, caption.caption, caption.image or "", caption.source):
                text.encode("utf-8")
        except (UnicodeEncodeError, AttributeError):
            return ascii(caption.id)
    return ascii(batch[0].id)


def _captions(path: Path, only_id: str | None = None) -> Iterator[Caption]:
    for columns in _batches(path, _FIELDS, only_id):
        for caption_id, caption, image, source, meta in zip(*columns, strict=True):
            yield Caption(caption_id or "", caption or "", image, source or "", json.loads(meta) if meta else {})


def _batches(path: Path, names: Sequence[str], only_id: str | None = None) -> Iterator[list[list[str | None]]]:
    try:
        yield from read_batches(path, names, None if only_id is None else ("id", only_id))
    except DamagedParquet as error:
        raise _corrupt(path, error) from error


def _imported(path: Path) -> int:
    try:
        return int(read_metadata(path)["imported"])
    except (DamagedParquet, KeyError) as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, why: object) -> CorruptData:
    return CorruptData(f"the captions do not read back: {why}", where=str(path),
                       fix="Put back a copy of the file, or delete it and import the captions again.")
