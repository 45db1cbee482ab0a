"""Walks through a large JSON document one element at a time, with the line of each.

Knows no captions. Decodes with the standard library, since a document is cut into elements where they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any

from synthvlm_ui.captions.source import Source
from synthvlm_ui.errors import UnreadableFile

_SPACE = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder(strict=False).raw_decode


def elements(source: Source, text: str, start: int) -> Generator[tuple[int, Any], None, int]:
    """(line, element) of the array that starts here, the line being where the element starts; returns where it ends.

    Raises: UnreadableFile with line and column where the text stops being JSON.
    """
    line, counted, at = 1, 0, skip_space(text, start + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        value, end = decode_at(source, text, at)
        line, counted = line + text.count("\n", counted, at), at
        yield line, value
        at = skip_space(text, end)
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise broken(source, text, at, "expected , or ]")
        at = skip_space(text, at + 1)


def top_level(source: Source, text: str, start: int) -> dict[str, int]:
    """Where the value of each name of the object that starts here begins; lists are passed over without keeping them.

    Raises: UnreadableFile.
    """
    at, starts = skip_space(text, start + 1), {}
    while text[at : at + 1] == '"':
        name, at = decode_at(source, text, at)
        at = skip_space(text, at)
        if text[at : at + 1] != ":":
            raise broken(source, text, at, "expected :")
        at = skip_space(text, at + 1)
        starts[str(name)] = at
        at = skip_space(text, _end_of_value(source, text, at))
        if text[at : at + 1] == ",":
            at = skip_space(text, at + 1)
    if text[at : at + 1] != "}":
        raise broken(source, text, at, "expected a name in quotes or }")
    return starts


def decode_at(source: Source, text: str, at: int) -> tuple[Any, int]:
    """The value that starts here and where it ends. Raises: UnreadableFile."""
    try:
        return _decode(text, at)
    except json.JSONDecodeError as problem:
        raise broken(source, text, problem.pos, problem.msg) from None
    except RecursionError:
        raise broken(source, text, at, "nested too deeply") from None
    except ValueError:
        raise broken(source, text, at, "a number of too many digits") from None


def skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def broken(source: Source, text: str, at: int, why: str) -> UnreadableFile:
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    what = "the JSON ends too early" if at >= len(text) else f"not valid JSON: {why}"
    return UnreadableFile(what, where=f"{source.path}, line {line}, column {column}",
                          fix="Correct it there, or write it again with a JSON writer.")


def _end_of_value(source: Source, text: str, at: int) -> int:
    if text[at : at + 1] != "[":
        return decode_at(source, text, at)[1]
    walk = elements(source, text, at)
    while True:
        try:
            next(walk)
        except StopIteration as stopped:
            return int(stopped.value)
