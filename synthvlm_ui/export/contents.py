"""What an export consists of, by its manifest: what is not listed there does not belong to it.

Knows no format and does not read the files themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.staging import MADE_BY, MANIFEST, is_export

# The facts before the list of files stand on the manifest's first line, and are short.
_HEAD_BYTES = 1024
_BEFORE_FILES = b', "files": {'
_LAST_LINE = "}}"


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the first line of a manifest says, and when it was written (seconds since 1970)."""

    name: str
    format: str
    written: int
    written_at: float


def listed_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Each file of an export and its size in bytes, the manifest last, checked to be there at the size of the manifest.

    Reads the manifest line by line: that of a million files would be half a gigabyte of objects. Raises: UnreadableFile
    when the folder is no export or has changed.
    """
    if not is_export(folder):
        raise UnreadableFile("this is no export of SynthVLM UI", where=str(folder),
                             fix="Export a selection first and name its folder.")
    for name, size in _entries(folder):
        path = folder / name
        if leads_out(name) or path.is_symlink() or not path.is_file() or path.stat().st_size != size:
            raise UnreadableFile(f"{name!r} is not the file of the manifest", where=str(folder),
                                 fix="Validate the export, or export again.")
        yield name, size
    yield MANIFEST, (folder / MANIFEST).stat().st_size


def leads_out(name: str) -> bool:
    """Whether a file's name in a manifest names something outside of the export."""
    return name.startswith("/") or ".." in PurePosixPath(name).parts


def _entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Name and size of each file: a line each as written, or all on one when saved anew."""
    last = ""
    try:
        with (folder / MANIFEST).open(encoding="utf-8") as lines:
            first = lines.readline()
            if not first.endswith(_BEFORE_FILES.decode() + "\n"):
                files = json.loads(first + lines.read())["files"]
                last = _LAST_LINE
                yield from ((name, int(entry["bytes"])) for name, entry in files.items())
            for line in lines:
                last = line.strip()
                if last and last != _LAST_LINE:
                    ((name, entry),) = json.loads("{" + last.removesuffix(",") + "}").items()
                    yield name, int(entry["bytes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        last = ""
    if last != _LAST_LINE:
        raise UnreadableFile("its manifest cannot be read", where=str(folder), fix="Export again.")


def exports_in(folder: Path) -> list[ExportFacts]:
    """The whole exports directly inside a folder, newest first; what else lies there is passed over."""
    found = []
    for path in folder.glob(f"*/{MANIFEST}"):
        export = path.parent
        hidden = export.name.startswith(".") or export.is_symlink()  # one that grows, or lies elsewhere
        if not hidden and (facts := _facts(path)):
            found.append(facts)
    return sorted(found, key=lambda one: (-one.written_at, one.name))


def _facts(manifest: Path) -> ExportFacts | None:
    try:
        with manifest.open("rb") as file:
            head, found, _ = file.read(_HEAD_BYTES).partition(_BEFORE_FILES)
        facts = json.loads(head + b"}")
        if not found or facts["made_by"] != MADE_BY:
            return None
        return ExportFacts(manifest.parent.name, str(facts["format"]), int(facts["written"]), manifest.stat().st_mtime)
    except (OSError, ValueError, KeyError, TypeError):
        return None
