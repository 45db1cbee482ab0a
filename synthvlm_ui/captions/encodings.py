"""Finds out how the bytes of a text file are to be read, and refuses files that are no text.

Knows nothing of captions.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from synthvlm_ui.errors import EmptyInput, UnreadableFile

_BLOCK_BYTES = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))
_SIGNATURES = ((b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"), (b"PK\x03\x04", "a zip archive"),
               (b"\x1f\x8b", "a gzip archive"), (b"%PDF", "a PDF"), (b"PAR1", "a parquet file"),
               (b"RIFF", "a RIFF media file"), (b"SQLite format 3", "an SQLite database"), (b"ARROW1", "an Arrow file"))
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def check_file(path: Path) -> None:
    """Raises UnreadableFile for a path that is no readable file, EmptyInput for a file of 0 bytes."""
    try:
        if path.is_dir():
            raise UnreadableFile("is a folder, not a file", where=str(path), fix="Name one caption file.")
        with path.open("rb") as file:
            if not file.read(1):
                raise EmptyInput("the file is empty", where=str(path), fix="Give a file with at least one caption.")
    except FileNotFoundError:
        raise UnreadableFile("no such file", where=str(path), fix="Check the path.") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise UnreadableFile(f"cannot be opened: {reason}", where=str(path), fix="Check the file's rights.") from None


def find_encoding(path: Path) -> str:
    """The Python name of the encoding: by byte order mark, else UTF-8 if every byte agrees, else cp1252.

    Reads the whole file once (0.1 s per 100 MB), so that reading never stops half-way at a stray byte.
    Raises: UnreadableFile for a file that is no text.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    for mark, name in _BOMS:
        if head.startswith(mark):
            _decodes(path, name, strict=True)
            return name
    _refuse_binary(path, head)
    if _decodes(path, "utf-8", strict=False):
        return "utf-8"
    _decodes(path, "cp1252", strict=True)
    return "cp1252"


def _refuse_binary(path: Path, head: bytes) -> None:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            raise UnreadableFile(f"is {kind}, not a text file", where=str(path),
                                 fix="Give a txt, csv, tsv, json, jsonl or parquet file with its right ending.")
    if head.count(b"\0") * 4 > len(head) and len(head) > 3:
        raise UnreadableFile("looks like UTF-16 without a byte order mark, or is no text", where=str(path),
                             fix="Save it as UTF-8.")
    if len(_CONTROLS.findall(head)) * 10 > len(head):
        raise UnreadableFile("is no text: too many control characters", where=str(path), fix="Save it as UTF-8 text.")


def _decodes(path: Path, encoding: str, *, strict: bool) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    read = lines = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as problem:
                if not strict:
                    return False
                line = lines + block[: problem.start].count(b"\n") + 1
                raise _undecodable(path, encoding, line, read + problem.start) from None
            read, lines = read + len(block), lines + block.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if not strict:
            return False
        raise _undecodable(path, encoding, lines + 1, read) from None
    return True


def _undecodable(path: Path, encoding: str, line: int, at_byte: int) -> UnreadableFile:
    tried = "neither UTF-8 nor cp1252" if encoding == "cp1252" else f"not the {encoding} its byte order mark says"
    return UnreadableFile(f"is {tried}", where=f"{path}, line {line}, byte {at_byte}", fix="Save it as UTF-8.")
