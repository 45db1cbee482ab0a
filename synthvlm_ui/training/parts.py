"""The parts of a VQ token generator in one directory: ``lm``, ``vq``, ``generator``; written whole or not at all.

Knows no network: it moves and copies folders.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthvlm_ui.errors import ModelUnavailable

REFERENCE = "reference.json"  # as models.language reads it
_LARGEST_COPY_BYTES = 2**30
_COPIED = ("*.json", "*.safetensors", "*.txt", "*.model")


@contextmanager
def replacing_part(out: Path, part: str) -> Iterator[Path]:
    """A folder to write a part into, which takes the old one's place when the block ends well."""
    out.mkdir(parents=True, exist_ok=True)
    draft, old = (out / f".{part}.{secrets.token_hex(4)}" for _ in range(2))
    draft.mkdir()
    try:
        yield draft
        if (out / part).exists():
            os.rename(out / part, old)
        os.rename(draft, out / part)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def find_part(part: str, *places: Path | None) -> Path:
    """The first of the directories that has this part. Raises: ModelUnavailable."""
    for place in places:
        if place is not None and (place / part / "config.json").is_file():
            return place / part
    named = ", ".join(str(place) for place in places if place is not None)
    raise ModelUnavailable(f"no part {part!r} to start from", where=named, fix="Give its directory as --init-from.")


def copy_language(source: Path, out: Path) -> None:
    """Copies a language model up to 1 GiB; of a larger one only what it is and where it lies."""
    weights = sum(path.stat().st_size for path in source.glob("*.safetensors"))
    if weights <= _LARGEST_COPY_BYTES:
        copy_part(source, out, "lm")
        return
    with replacing_part(out, "lm") as folder:
        shutil.copyfile(source / "config.json", folder / "config.json")
        (folder / REFERENCE).write_text(json.dumps({"directory": str(source.resolve())}) + "\n", encoding="utf-8")


def copy_part(source: Path, out: Path, part: str) -> None:
    """Copies configuration, weights and tokenizer files of a part, unless it is there already."""
    if source.resolve() == (out / part).resolve():
        return
    with replacing_part(out, part) as folder:
        for pattern in _COPIED:
            for path in source.glob(pattern):
                if path.name != "training.safetensors":  # what a recipe keeps to go on from
                    shutil.copyfile(path, folder / path.name)
