"""What the checks of all formats share: findings, pairs to look at, ids, captions, paths.

Knows no format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export.staging import MANIFEST

MAX_LISTED = 100
OUR_OWN_JSON = (MANIFEST, "selection.json")
# LLaVA cuts a conversation at 2048 tokens of its language model. English has about four tokens for three words; the
# exact count needs that model's tokenizer, so this only warns.
_MOST_TOKENS, _TOKENS_PER_WORD = 2048, 4 / 3


@dataclass(frozen=True)
class ValidationReport:
    """``errors`` stop a trainer or harm it silently, ``warnings`` are worth a look; at most 100 of each are listed."""

    ok: bool
    errors: list[str]
    warnings: list[str]
    records: int = 0


@dataclass
class Findings:
    """Messages by kind: past the limit they are only counted."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    records: int = 0

    def error(self, message: str) -> None:
        self.counts["errors"] += 1
        if len(self.errors) < MAX_LISTED:
            self.errors.append(message)

    def warn(self, message: str) -> None:
        self.counts["warnings"] += 1
        if len(self.warnings) < MAX_LISTED:
            self.warnings.append(message)

    def report(self) -> ValidationReport:
        for kind, messages in (("errors", self.errors), ("warnings", self.warnings)):
            if self.counts[kind] > MAX_LISTED:
                messages.append(f"and {self.counts[kind] - MAX_LISTED} more")
        return ValidationReport(not self.errors, self.errors, self.warnings, self.records)


@dataclass(frozen=True)
class Pair:
    """One record as far as its format made it readable: a place for messages, and a file or bytes for its image."""

    place: str
    image: Path | bytes | None = None


def place_of(number: int, record: Mapping[str, Any]) -> str:
    """How messages name a record."""
    identity = record.get("id")
    return f"record {number} ({identity[:40]})" if isinstance(identity, str) and identity else f"record {number}"


def check_id(record: Mapping[str, Any], place: str, seen: set[str], findings: Findings) -> None:
    identity = record.get("id")
    if not isinstance(identity, str) or not identity:
        findings.error(f"{place}: id is not a text")
    elif identity in seen:
        findings.error(f"{place}: id is there twice")
    else:
        seen.add(identity)


def check_caption(caption: Any, place: str, findings: Findings) -> None:
    if not isinstance(caption, str) or not caption.strip():
        findings.error(f"{place}: empty caption")


def check_length(text: str, place: str, findings: Findings) -> None:
    """Warns of a conversation that a trainer would cut."""
    tokens = int(len(text.split()) * _TOKENS_PER_WORD)
    if tokens > _MOST_TOKENS:
        findings.warn(f"{place}: about {tokens} tokens; LLaVA cuts at {_MOST_TOKENS}")


def image_path(name: Any, root: Path, place: str, findings: Findings) -> Path | None:
    """Where the image lies; None, and an error, for a name that leaves the folder or is no name."""
    if not isinstance(name, str) or not name or "\0" in name:
        findings.error(f"{place}: image is not a text")
        return None
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name[0] in "/\\" or ".." in parts or (len(name) > 1 and name[1] == ":"):
        findings.error(f"{place}: image {name!r} leads out of the folder")
        return None
    return root / name


def main_files(path: Path, usual: Iterable[str]) -> list[Path]:
    """The files with the records: the one that was named, those of an export, or the only one of the kind.

    Raises: UnreadableFile.
    """
    if path.is_file():
        return [path]
    names = list(usual)
    found = [path / name for name in names if (path / name).is_file()]
    if found:
        return found
    others = [file for file in sorted(path.glob(f"*{Path(names[0]).suffix}")) if file.name not in OUR_OWN_JSON]
    if len(others) != 1:
        raise UnreadableFile(f"no {names[0]}", where=str(path), fix="Name the folder of the export, or its main file.")
    return others


def load_json(file: Path) -> Any:
    """Raises: UnreadableFile."""
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise UnreadableFile(f"not valid JSON: {problem}", where=str(file), fix="Write it again.") from None
    except OSError as problem:
        raise UnreadableFile(f"cannot be read: {problem.strerror}", where=str(file), fix="Check its rights.") from None
