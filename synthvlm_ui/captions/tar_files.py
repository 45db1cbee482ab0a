"""Rows of WebDataset archives: members that share a name up to the first dot belong together.

Reads texts only and writes nothing to disk, so a member's name can lead nowhere. An image is named archive/member.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from synthvlm_ui.captions.folder_files import IMAGE_ENDINGS
from synthvlm_ui.captions.rows import Columns, Rejected
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.captions.text_values import caption_in, decode_text
from synthvlm_ui.errors import UnreadableFile

TEXT_ENDINGS = (".txt", ".caption", ".json", ".text")
_MAX_TEXT_BYTES = 2**20


@dataclass
class _Sample:
    key: str
    image: str | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


def archives_of(path: Path) -> list[Path]:
    """The archive itself, or those in a folder, in the order of their names."""
    return [path] if path.is_file() else sorted(entry for entry in path.glob("*.tar") if entry.is_file())


def read_archives(source: Source) -> Iterator[Row | Rejected]:
    """One row a sample; .txt before .caption before .json. Raises: UnreadableFile when the first is no tar."""
    source.columns = Columns("txt, caption or json", "key", "image member")
    number = 0
    for archive in archives_of(source.path):
        try:
            for sample in _samples(archive):
                number += 1
                yield _row(number, archive.name, sample, source)
        except tarfile.TarError as problem:
            if not number:
                raise UnreadableFile(f"no tar archive: {problem}", where=str(archive),
                                     fix="Give uncompressed .tar files of WebDataset samples.") from None
            yield Rejected(number, f"the archive ends early: {problem}", archive.name, archive.name)


def _samples(archive: Path) -> Iterator[_Sample]:
    sample: _Sample | None = None
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if not member.isfile():
                continue
            folder, slash, name = member.name.rpartition("/")
            stem, dot, ending = name.partition(".")
            if not stem or not dot:
                continue
            key, ending = folder + slash + stem, "." + ending.lower()
            if sample is None or sample.key != key:
                if sample is not None:
                    yield sample
                sample = _Sample(key)
            if ending.endswith(IMAGE_ENDINGS):
                sample.image = sample.image or member.name
            elif ending in TEXT_ENDINGS and member.size <= _MAX_TEXT_BYTES:
                file = tar.extractfile(member)
                if file is not None:
                    sample.texts[ending] = file.read(_MAX_TEXT_BYTES)
            # tarfile remembers every member it has seen; a shard of a million need not be kept
            tar.members = []  # type: ignore[attr-defined]
    if sample is not None:
        yield sample


def _row(number: int, archive: str, sample: _Sample, source: Source) -> Row | Rejected:
    image = f"{archive}/{sample.image}" if sample.image else None
    text: object = None
    for ending in TEXT_ENDINGS:
        if ending in sample.texts and text is None:
            try:
                text = (caption_in(sample.texts[ending], source.mapping) if ending == ".json"
                        else decode_text(sample.texts[ending]))
            except ValueError:
                return Rejected(number, f"the member {ending} cannot be read", sample.key, archive)
    if text is None:
        return Rejected(number, "a sample without a caption", sample.key, archive)
    return number, text, sample.key, image, None
