"""Rows of JSON documents and of JSON lines: strings, objects, and LLaVA records.

Knows no encoding and makes no captions. A document is decoded one element at a time, so that a million records never
stand in memory as objects at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from synthvlm_ui.captions.coco_files import is_coco, read_coco
from synthvlm_ui.captions.json_documents import broken, elements, skip_space, top_level
from synthvlm_ui.captions.rows import GUESSES, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import BadSetting, UnreadableFile

_loads: Callable[[str], Any]
try:
    from orjson import loads as _loads
except ImportError:
    _loads = json.loads

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
    """The elements of a JSON array, or of the one list of captions inside an object. JSON lines and COCO are seen.

    Raises: UnreadableFile with line and column where the text stops being JSON.
    """
    with source.open_text() as file:
        text = file.read()
    start = skip_space(text, 0)
    if text[start : start + 1] == "{":
        if _is_json_lines(text):
            source.notes.append("read as JSON lines")
            yield from read_json_lines(source)
            return
        starts = top_level(source, text, start)
        if is_coco(text, starts):
            yield from read_coco(source, text, starts)
            return
        start = _inner_list(source, starts, text)
    elif text[start : start + 1] != "[":
        raise broken(source, text, start, "a caption document starts with [ or {")
    take = _Fields(source)
    for line, value in elements(source, text, start):
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
            return line, value, None, None, None
        if not isinstance(value, dict):
            return Rejected(line, "neither a text nor an object", excerpt(value))
        if not self.seen.keys() >= value.keys() and len(self.seen) < _MAX_FIELDS:
            self._choose(value)
        columns = self.source.columns
        if columns is None or columns.caption not in value:
            wanted = columns.caption if columns else self.source.mapping.get("caption", "caption")
            return Rejected(line, f"no field {wanted!r}", excerpt(value))
        return (line, value[columns.caption], value.get(columns.id) if columns.id else None,
                value.get(columns.image) if columns.image else None, None)

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


def _inner_list(source: Source, starts: dict[str, int], text: str) -> int:
    """Where the list of captions inside a JSON object starts."""
    for name, at in starts.items():
        if name in _LISTS and text[at : at + 1] == "[":
            source.notes.append(f"read the list {name!r}")
            return at
    listed = ", ".join(repr(name) for name in list(starts)[:20]) or "nothing"
    raise UnreadableFile(f"one JSON object with {listed}, not a list of captions", where=str(source.path),
                         fix=f"Give an array, or put it under one of {', '.join(_LISTS)}.")


def _is_json_lines(text: str) -> bool:
    first, _, rest = text.lstrip().partition("\n")
    try:
        return isinstance(_loads(first), Mapping) and bool(rest.strip())
    except ValueError:
        return False


def _bad_json(problem: ValueError) -> str:
    return "surrogate in a JSON text" if "surrogate" in str(problem) else "not valid JSON"
