"""Rows of JSON documents and of JSON lines: strings, objects, and LLaVA records.

Knows no encoding and makes no captions. A document is decoded one element at a time, so that a million records never
stand in memory as objects at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from synthvlm_ui.captions.rows import GUESSES, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import BadSetting, UnreadableFile

_loads: Callable[[str], Any]
try:
    from orjson import loads as _loads
except ImportError:
    _loads = json.loads

_SPACE = re.compile(r"[ \t\r\n]*")
_MAX_FIELDS = 100
_LISTS = ("captions", "data", "annotations", "rows")


def read_json_lines(source: Source) -> Iterator[Row | Rejected]:
    """One row a line; blank lines are passed over."""
    take = _Fields(source)
    with source.open_text(newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                value = _loads(line)
            except ValueError as problem:
                if not line.isspace():
                    yield Rejected(number, _bad_json(problem), excerpt(line))
                continue
            yield take(number, value)
    _require_captions(source, take)


def read_document(source: Source) -> Iterator[Row | Rejected]:
    """The elements of a JSON array, or of the one list of captions inside an object. JSON lines are recognised.

    Raises: UnreadableFile with line and column where the text stops being JSON.
    """
    with source.open_text() as file:
        text = file.read()
    start = _skip(text, 0)
    if text[start : start + 1] == "{":
        if _is_json_lines(text):
            source.notes.append("read as JSON lines")
            yield from read_json_lines(source)
            return
        start = _inner_list(source, text, start)
    elif text[start : start + 1] != "[":
        raise _broken(source, text, start, "a caption document starts with [ or {")
    take = _Fields(source)
    for line, value in _elements(source, text, start):
        yield take(line, value)
    _require_captions(source, take)


class _Fields:
    """Turns decoded values into rows. The fields are chosen at the first object that has a caption; an id or image
    field that only later objects have is taken up from there on.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen: dict[str, None] = {}
        self.strings = False

    def __call__(self, line: int, value: Any) -> Row | Rejected:
        if isinstance(value, str):
            self.strings = True
            return line, value, None, None
        if not isinstance(value, dict):
            return Rejected(line, "neither a text nor an object", excerpt(value))
        if not self.seen.keys() >= value.keys() and len(self.seen) < _MAX_FIELDS:
            self._choose(value)
        columns = self.source.columns
        if columns is None or columns.caption not in value:
            wanted = columns.caption if columns else self.source.mapping.get("caption", "caption")
            return Rejected(line, f"no field {wanted!r}", excerpt(value))
        return (line, value[columns.caption], value.get(columns.id) if columns.id else None,
                value.get(columns.image) if columns.image else None)

    def _choose(self, value: dict[str, Any]) -> None:
        self.seen.update(dict.fromkeys(value))
        mapping = {role: name for role, name in self.source.mapping.items() if name in self.seen}
        if "caption" in self.source.mapping and "caption" not in mapping:
            return
        if self.source.columns is not None:
            mapping["caption"] = self.source.columns.caption
        absent = {role for role in self.source.mapping if role not in mapping}
        names = [name for name in self.seen if not any(name.casefold() in GUESSES[role] for role in absent)]
        self.source.choose(names, mapping)


def _require_captions(source: Source, take: _Fields) -> None:
    if source.columns is not None or take.strings or not take.seen:
        return
    if "caption" in source.mapping:
        raise BadSetting(f"no object has a field {source.mapping['caption']!r}", where="--map",
                         fix=f"The fields are: {', '.join(list(take.seen)[:20])}.")
    raise source.no_caption_column(take.seen)


def _elements(source: Source, text: str, start: int) -> Iterator[tuple[int, Any]]:
    """(line, element) of the array that starts here; the line is where the element starts."""
    decode = json.JSONDecoder(strict=False).raw_decode
    line, counted, at = 1, 0, _skip(text, start + 1)
    if text[at : at + 1] == "]":
        return
    while True:
        value, end = _decode(source, text, at, decode)
        line, counted = line + text.count("\n", counted, at), at
        yield line, value
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            return
        if text[at : at + 1] != ",":
            raise _broken(source, text, at, "expected , or ]")
        at = _skip(text, at + 1)


def _decode(source: Source, text: str, at: int, decode: Callable[[str, int], tuple[Any, int]]) -> tuple[Any, int]:
    try:
        return decode(text, at)
    except json.JSONDecodeError as problem:
        raise _broken(source, text, problem.pos, problem.msg) from None
    except RecursionError:
        raise _broken(source, text, at, "nested too deeply") from None
    except ValueError:
        raise _broken(source, text, at, "a number of too many digits") from None


def _inner_list(source: Source, text: str, start: int) -> int:
    """Where the list of captions inside a JSON object starts."""
    decode = json.JSONDecoder(strict=False).raw_decode
    at, names = _skip(text, start + 1), []
    while text[at : at + 1] == '"':
        name, at = _decode(source, text, at, decode)
        names.append(name)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise _broken(source, text, at, "expected :")
        at = _skip(text, at + 1)
        if name in _LISTS and text[at : at + 1] == "[":
            source.notes.append(f"read the list {name!r}")
            return at
        _, at = _decode(source, text, at, decode)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    if text[at : at + 1] != "}":
        raise _broken(source, text, at, "expected a name in quotes or }")
    listed = ", ".join(repr(name) for name in names[:20]) or "nothing"
    raise UnreadableFile(f"one JSON object with {listed}, not a list of captions", where=str(source.path),
                         fix=f"Give an array, or put it under one of {', '.join(_LISTS)}.")


def _is_json_lines(text: str) -> bool:
    first, _, rest = text.lstrip().partition("\n")
    try:
        return isinstance(_loads(first), Mapping) and bool(rest.strip())
    except ValueError:
        return False


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _broken(source: Source, text: str, at: int, why: str) -> UnreadableFile:
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    what = "the JSON ends too early" if at >= len(text) else f"not valid JSON: {why}"
    return UnreadableFile(what, where=f"{source.path}, line {line}, column {column}",
                          fix="Correct it there, or write it again with a JSON writer.")


def _bad_json(problem: ValueError) -> str:
    return "surrogate in a JSON text" if "surrogate" in str(problem) else "not valid JSON"
