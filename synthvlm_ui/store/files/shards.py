"""Shards: one tar of images with their facts and one tar of thumbnails per chunk of work.

The renamed image tar is the record that its chunk is done. Knows nothing of scores, verdicts, or how an image is coded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData, DuplicateId, UnknownName
from synthvlm_ui.records import Candidate
from synthvlm_ui.store.files.atomic import replacing
from synthvlm_ui.store.files.names import checked_candidate_id, checked_name
from synthvlm_ui.store.files.news import tell
from synthvlm_ui.store.files.paths import WorkspacePaths, file_stamp
from synthvlm_ui.store.files.tar import DamagedTar, TarFile, write_tar

_REQUIRED = frozenset(found.name for found in fields(Candidate) if found.default is MISSING)
MEDIA_TYPES = {"webp": "image/webp", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class ShardMember:
    """One candidate with its encoded image and thumbnail; both are None for a candidate that failed."""

    candidate: Candidate
    image: bytes | None
    image_suffix: str = "webp"
    thumbnail: bytes | None = None


class StaleShard(LookupError):
    """The archive is not the one whose positions are known: look again before reading."""


@dataclass(frozen=True)
class ShardContents:
    """What an archive holds and where, without the pixels: one entry per candidate, positions in bytes.

    Shapes: every array is (N,); ``image_size`` and ``thumbnail_size`` are 0 where there is none. ``facts`` are the
    candidates' facts as parsed JSON. ``missing_thumbnails`` says why no thumbnail could be found, or is empty.
    """

    stamp: int
    thumbnail_stamp: int
    candidate_ids: list[str]
    facts: list[dict[str, Any]]
    json_at: NDArray[np.int64]
    json_size: NDArray[np.int32]
    image_at: NDArray[np.int64]
    image_size: NDArray[np.int32]
    suffixes: list[str]
    thumbnail_at: NDArray[np.int64]
    thumbnail_size: NDArray[np.int32]
    missing_thumbnails: str = ""


class ShardStore:
    """The shards of a workspace, by dataset and shard name."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._paths = paths

    def datasets(self) -> list[str]:
        """The datasets that have a directory of shards, sorted."""
        return self._paths.folders_in(self._paths.shards)

    def names(self, dataset: str) -> list[str]:
        """The finished shards of a dataset, sorted; none when it has none."""
        try:
            names = os.listdir(self._paths.shards / checked_name("dataset", dataset))
        except FileNotFoundError:
            return []
        return sorted(name[:-4] for name in names if name.endswith(".tar"))

    def exists(self, dataset: str, shard: str) -> bool:
        """Whether this chunk of work is done."""
        return self._paths.shard(dataset, shard).is_file()

    def write(self, dataset: str, shard: str, members: Sequence[ShardMember]) -> None:
        """Writes a shard, durably and all at once; writing it again replaces it.

        Raises: BadSetting, DuplicateId, DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        _check(dataset, members)
        # The image tar is the ledger, so it comes last: whoever sees it may rely on the thumbnails.
        with replacing(self._paths.thumbnail_shard(dataset, shard)) as file:
            write_tar(file, ((f"{m.candidate.id}.webp", m.thumbnail) for m in members if m.thumbnail is not None))
        with replacing(self._paths.shard(dataset, shard)) as file:
            write_tar(file, _image_members(members))
        tell(self._paths.news, "shards", dataset, shard)

    def read(self, dataset: str, shard: str) -> Iterator[ShardMember]:
        """The candidates of a shard in order, with images and without thumbnails. Raises: CorruptData, UnknownName."""
        contents = self.contents(dataset, shard)
        path = self._paths.shard(dataset, shard)
        with _opened(path) as archive:
            for row, facts in enumerate(contents.facts):
                size = int(contents.image_size[row])
                image = archive.read(int(contents.image_at[row]), size) if size else None
                yield ShardMember(Candidate.from_json(facts), image, contents.suffixes[row] or "webp")

    def contents(self, dataset: str, shard: str) -> ShardContents:
        """What the shard holds and where. Raises: CorruptData naming the shard, UnknownName."""
        path = self._paths.shard(dataset, shard)
        if not path.is_file():
            raise UnknownName.of("shard", f"{dataset}/{shard}", self.names(dataset))
        with _opened(path) as archive:
            entries = _entries(path, archive)
            stamp = archive.stamp
        thumbnails, thumbnail_stamp, problem = self._thumbnails(dataset, shard)
        nowhere = (0, 0)
        places = [thumbnails.get(entry.facts["id"], nowhere) for entry in entries]
        return ShardContents(
            stamp=stamp, thumbnail_stamp=thumbnail_stamp, missing_thumbnails=problem,
            candidate_ids=[entry.facts["id"] for entry in entries], facts=[entry.facts for entry in entries],
            json_at=np.array([entry.json_at for entry in entries], np.int64),
            json_size=np.array([entry.json_size for entry in entries], np.int32),
            image_at=np.array([entry.image_at for entry in entries], np.int64),
            image_size=np.array([entry.image_size for entry in entries], np.int32),
            suffixes=[entry.suffix for entry in entries],
            thumbnail_at=np.array([place[0] for place in places], np.int64),
            thumbnail_size=np.array([place[1] for place in places], np.int32))

    def _thumbnails(self, dataset: str, shard: str) -> tuple[dict[str, tuple[int, int]], int, str]:
        path = self._paths.thumbnail_shard(dataset, shard)
        try:
            with _opened(path) as archive:
                places = {member.name.partition(".")[0]: (member.offset, member.size) for member in archive.members()}
                return places, archive.stamp, ""
        except FileNotFoundError:
            return {}, 0, "the thumbnails are missing"
        except DamagedTar as error:
            return {}, self.thumbnail_stamp(dataset, shard), f"the thumbnails are damaged: {error}"

    def thumbnail_stamp(self, dataset: str, shard: str) -> int:
        """The stamp of the thumbnail tar, 0 when there is none."""
        try:
            return file_stamp(os.stat(self._paths.thumbnail_shard(dataset, shard)))
        except FileNotFoundError:
            return 0

    def read_at(self, dataset: str, shard: str, offset: int, size: int, stamp: int) -> bytes:
        """``size`` bytes of the image tar. Raises: StaleShard when it is not the tar that ``stamp`` was taken of."""
        return _read_at(self._paths.shard(dataset, shard), offset, size, stamp)

    def thumbnail_at(self, dataset: str, shard: str, offset: int, size: int, stamp: int) -> bytes:
        """``size`` bytes of the thumbnail tar. Raises: StaleShard as ``read_at`` does."""
        return _read_at(self._paths.thumbnail_shard(dataset, shard), offset, size, stamp)


@dataclass(slots=True)
class _Entry:
    facts: dict[str, Any]
    json_at: int
    json_size: int
    image_at: int = 0
    image_size: int = 0
    suffix: str = ""


class _Archive(TarFile):
    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.stamp = file_stamp(os.fstat(descriptor))


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield _Archive(descriptor)
    finally:
        os.close(descriptor)


def _read_at(path: Path, offset: int, size: int, stamp: int) -> bytes:
    try:
        with _opened(path) as archive:
            if archive.stamp == stamp:
                return archive.read(offset, size)
    except FileNotFoundError:
        pass
    except DamagedTar as error:
        raise _corrupt(path, str(error)) from error
    raise StaleShard(str(path))


def _corrupt(path: Path, why: str) -> CorruptData:
    return CorruptData(f"the shard is damaged: {why}", where=str(path),
                       fix="Delete it and run the generation again; nothing else is affected.")


def _entries(path: Path, archive: _Archive) -> list[_Entry]:
    entries: dict[str, _Entry] = {}
    try:
        for member in archive.members():
            candidate_id, _, suffix = member.name.partition(".")
            if suffix == "json":
                facts = json.loads(archive.read(member.offset, member.size))
                if facts["id"] != candidate_id:
                    raise DamagedTar(f"{member.name} describes another candidate")
                if not facts.keys() >= _REQUIRED:
                    raise DamagedTar(f"{member.name} lacks {', '.join(sorted(_REQUIRED - facts.keys()))}")
                entries[candidate_id] = _Entry(facts, member.offset, member.size)
            elif candidate_id in entries:
                entry = entries[candidate_id]
                entry.image_at, entry.image_size, entry.suffix = member.offset, member.size, suffix
            else:
                raise DamagedTar(f"{member.name} comes before its facts")
    except (DamagedTar, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _corrupt(path, str(error)) from error
    return list(entries.values())


def _check(dataset: str, members: Sequence[ShardMember]) -> None:
    seen: set[str] = set()
    for member in members:
        candidate = member.candidate
        checked_candidate_id(candidate.id)
        if candidate.id in seen:
            raise DuplicateId(f"the candidate {candidate.id} comes twice in one shard", where=dataset)
        seen.add(candidate.id)
        if candidate.dataset != dataset:
            raise BadSetting(f"the candidate {candidate.id} is of the dataset {candidate.dataset!r}", where=dataset)
        if (member.image is None) == (candidate.status == "ok"):
            raise BadSetting(f"the candidate {candidate.id} is {candidate.status}, which does not go with its image",
                             where=dataset, fix="Give an image exactly when the status is ok.")
        if member.image is not None and member.image_suffix.lstrip(".") not in MEDIA_TYPES:
            raise BadSetting(f"unknown image suffix {member.image_suffix!r}",
                             fix=f"Use one of {', '.join(MEDIA_TYPES)}.")


def _image_members(members: Sequence[ShardMember]) -> Iterator[tuple[str, bytes]]:
    for member in members:
        facts = json.dumps(member.candidate.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        yield f"{member.candidate.id}.json", facts.encode("utf-8")
        if member.image is not None:
            yield f"{member.candidate.id}.{member.image_suffix.lstrip('.')}", member.image
