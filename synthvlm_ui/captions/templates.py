"""A prompt template and a caption make a prompt: {caption}, choices such as {red|blue}, and wildcards such as __toy__.

A wildcard stands for a random line of the text file of its name. Knows nothing of generators, and never looks inside a
caption: its braces and underscores are only characters.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from synthvlm_ui.captions.encodings import check_file, find_encoding
from synthvlm_ui.errors import BadSetting, SynthVLMError, UnknownName

FIELD = "caption"
MAX_TEMPLATE_CHARACTERS = 4000
MAX_WILDCARD_LINES = 200_000
_MAX_DEPTH = 8
_WILDCARD = re.compile(r"__([A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_))*?)__")
_FIX = ("Write the caption's place as {caption}, a choice as {a|b}, a wildcard as __name__, and a literal brace twice: "
        "{{ or }}.")

Wildcards = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[tuple[_Piece, ...], ...]


@dataclass(frozen=True, slots=True)
class _Wildcard:
    lines: Sequence[str]


class _Caption:
    pass


_Piece = str | _Choice | _Wildcard | _Caption
_CAPTION = _Caption()


def no_wildcards(name: str) -> Sequence[str]:
    raise UnknownName.of("wildcard", name, [])


class Template:
    """A parsed template. ``with_caption`` False: the text is a prompt of its own, where {caption} is no field and a
    brace that opens no choice is only a character.

    Raises: BadSetting for another field, a lone brace, or a template without {caption}; UnknownName for a wildcard.
    """

    def __init__(self, text: str, wildcards: Wildcards = no_wildcards, *, with_caption: bool = True) -> None:
        if len(text) > MAX_TEMPLATE_CHARACTERS:
            raise BadSetting(f"the prompt template has {len(text)} characters", where="prompt_template",
                             fix=f"Give at most {MAX_TEMPLATE_CHARACTERS}.")
        self.text = text
        self._reader = _Reader(text, wildcards, with_caption)
        self._pieces = self._reader.read()
        if with_caption and not self._reader.captions:
            raise BadSetting(f"prompt template {text!r} has no {{caption}}", where="prompt_template", fix=_FIX)

    @property
    def varies(self) -> bool:
        """Whether it has a choice or a wildcard, so that a seed decides the prompt."""
        return self._reader.choices > 0

    def resolve(self, caption: str = "", seed: object = 0) -> str:
        """The prompt: the same for the same seed, whatever the caption holds."""
        return _resolved(self._pieces, caption, random.Random(f"template {seed}"))

    def variations(self, count: int, seed: object = 0) -> list[str]:
        """Up to ``count`` different prompts; fewer when there are no more, or none more is found by trying."""
        tries = (self.resolve(seed=f"{seed} {number}") for number in range(20 * count + 20))
        return list(islice(dict.fromkeys(" ".join(text.split()) for text in tries), count))


def check_template(template: str, wildcards: Wildcards = no_wildcards) -> None:
    """Refuses a template that has no ``{caption}`` or names any other field. Raises: BadSetting, UnknownName."""
    Template(template, wildcards)


def resolve(template: str, caption: str, seed: object = 0, wildcards: Wildcards = no_wildcards) -> str:
    """The prompt of one caption. Raises: as ``Template``."""
    return Template(template, wildcards).resolve(caption, seed)


def wildcard_files(*folders: Path) -> Wildcards:
    """Wildcards by the names of text files (``toy`` is toy.txt), the first folder that has one winning.

    What it returns raises UnknownName with the known names, UnreadableFile, BadSetting for a file without lines.
    """

    def find(name: str) -> Sequence[str]:
        for folder in folders:
            path = folder / f"{name}.txt"
            if path.is_file():
                return _lines_of(path)
        known = sorted({path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.txt")})
        error = UnknownName.of("wildcard", name, known)
        raise UnknownName(error.what, where=f"__{name}__", fix=f"{error.fix} Or put {name}.txt into {folders[0]}.")

    return find


def _lines_of(path: Path) -> Sequence[str]:
    try:
        check_file(path)
        with path.open(encoding=find_encoding(path)) as file:
            lines = [" ".join(line.split()) for line in islice(file, MAX_WILDCARD_LINES)]
    except SynthVLMError as error:
        raise BadSetting(f"the wildcard cannot be read: {error.what}", where=str(path), fix=error.fix) from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BadSetting("the wildcard's file has no line", where=str(path), fix="Give one option a line.")
    return found


def _resolved(pieces: Sequence[_Piece], caption: str, chance: random.Random) -> str:
    parts = []
    for piece in pieces:
        if isinstance(piece, _Choice):
            parts.append(_resolved(chance.choice(piece.options), caption, chance))
        elif isinstance(piece, _Wildcard):
            parts.append(chance.choice(piece.lines))
        else:
            parts.append(piece if isinstance(piece, str) else caption)
    return "".join(parts)


class _Reader:
    """Reads a template from left to right."""

    def __init__(self, text: str, wildcards: Wildcards, with_caption: bool) -> None:
        self._text, self._wildcards, self._with_caption = text, wildcards, with_caption
        self._at = 0
        self.captions = self.choices = 0

    def read(self) -> tuple[_Piece, ...]:
        pieces = self._sequence("", 0)
        return tuple(pieces)

    def _sequence(self, ends: str, depth: int) -> list[_Piece]:
        pieces: list[_Piece] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in ends:
                return pieces
            if self._with_caption and character in "{}" and self._text[self._at + 1 : self._at + 2] == character:
                pieces.append(character)
                self._at += 2
            elif character == "{":
                pieces.append(self._brace(depth))
            elif character == "}" and self._with_caption:
                raise self._broken("Single '}' encountered")
            elif character == "_" and (found := _WILDCARD.match(self._text, self._at)):
                self.choices += 1
                pieces.append(_Wildcard(self._wildcards(found[1])))
                self._at = found.end()
            else:
                pieces.append(character)
                self._at += 1
        return pieces

    def _brace(self, depth: int) -> _Piece:
        end = _closing(self._text, self._at)
        inside = self._text[self._at + 1 : end] if end > 0 else ""
        if end > 0 and _has_bar(inside):
            if depth >= _MAX_DEPTH:
                raise self._broken("choices inside choices too deep")
            return self._choice(depth)
        if not self._with_caption:
            self._at += 1
            return "{"
        if end < 0:
            raise self._broken("expected '}' before end of string")
        if inside != FIELD:
            raise BadSetting(f"unknown field {{{inside}}} in the prompt template of a caption",
                             where="prompt_template", fix=_FIX)
        self._at = end + 1
        self.captions += 1
        return _CAPTION

    def _choice(self, depth: int) -> _Choice:
        self.choices += 1
        options: list[tuple[_Piece, ...]] = []
        while self._at < len(self._text) and self._text[self._at] != "}":
            self._at += 1  # past the opening brace or a bar
            options.append(tuple(self._sequence("|}", depth + 1)))
        self._at += 1
        return _Choice(tuple(options))

    def _broken(self, why: str) -> BadSetting:
        what = f"prompt template {self._text!r} (with {{caption}}): {why}"
        return BadSetting(what, where="prompt_template", fix=_FIX)


def _closing(text: str, start: int) -> int:
    """Where the brace that opens at ``start`` closes, or -1."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return at
    return -1


def _has_bar(inside: str) -> bool:
    """Whether a bar stands outside the braces within."""
    depth = 0
    for character in inside:
        depth += (character == "{") - (character == "}")
        if character == "|" and depth == 0:
            return True
    return False
