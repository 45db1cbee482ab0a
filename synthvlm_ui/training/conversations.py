"""Conversations about pictures, as LLaVA's training wants them: of caption pairs, or of a LLaVA JSON file.

Knows no tokenizer. Data rules: LLaVA's own (stage 1: the picture, then the caption; stage 2: turns in order, with
``<image>`` once in the first human turn where there is a picture, and rows without pictures).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from synthvlm_ui.errors import EmptyInput, UnreadableFile
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.records import short_hash
from synthvlm_ui.training.pairs import Source

IMAGE = "<image>"
Turns = list[tuple[str, str]]


class Conversations(Protocol):
    """Conversations by number. ``turns`` are (human's text, model's answer); ``image`` is None where there is none."""

    key: str

    def __len__(self) -> int: ...

    def turns(self, index: int) -> Turns: ...

    def image(self, index: int) -> bytes | UInt8Image | None: ...


class PairConversations:
    """Image-caption pairs of several sources as conversations of one turn: the picture, and its caption."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._places = [(number, index) for number, source in enumerate(sources) for index in range(len(source.pairs))]
        self.key = short_hash("conversations", [source.pairs.key for source in sources])

    def __len__(self) -> int:
        return len(self._places)

    def turns(self, index: int) -> Turns:
        number, place = self._places[index]
        return [(IMAGE, self._sources[number].pairs.caption(place))]

    def image(self, index: int) -> bytes | UInt8Image:
        number, place = self._places[index]
        return self._sources[number].pairs.image(place)


class LlavaFile:
    """A LLaVA JSON file and the folder that its image names are below. Raises: UnreadableFile, EmptyInput."""

    def __init__(self, path: Path, images: Path) -> None:
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableFile("not a LLaVA JSON file", where=str(path), fix="Check it with validate.") from error
        if not isinstance(rows, list) or not rows:
            raise EmptyInput("no conversations in the file", where=str(path), fix="Give a list of records.")
        self._images = images.resolve()
        self._rows = [(_turns(row, path, number), self._file(row, path, number)) for number, row in enumerate(rows)]
        self.key = short_hash("llava", [[turns, str(image)] for turns, image in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    def turns(self, index: int) -> Turns:
        return self._rows[index][0]

    def image(self, index: int) -> bytes | None:
        """Raises: OSError when the file cannot be had."""
        path = self._rows[index][1]
        return None if path is None else path.read_bytes()

    def _file(self, row: dict[str, Any], path: Path, number: int) -> Path | None:
        name = row.get("image")
        if name is None:
            return None
        found = (self._images / str(name)).resolve()
        if not found.is_relative_to(self._images) or not found.is_file():
            raise UnreadableFile(f"record {number} names an image that is not below the folder", where=str(name),
                                 fix=f"Give the folder of the images of {path.name} as --images.")
        return found


def _turns(row: Any, path: Path, number: int) -> Turns:
    try:
        said = [(str(turn["from"]), str(turn["value"])) for turn in row["conversations"]]
        asked = [text for who, text in said[::2] if who in ("human", "user")]
        answered = [text for who, text in said[1::2] if who in ("gpt", "assistant")]
    except (KeyError, TypeError) as error:
        raise UnreadableFile(f"record {number} is no conversation", where=str(path),
                             fix="Check it with validate.") from error
    if not said or len(asked) != len(answered) or len(said) != 2 * len(asked):
        raise UnreadableFile(f"record {number} does not take turns", where=str(path), fix="Check it with validate.")
    turns = list(zip(asked, answered, strict=True))
    images = sum(text.count(IMAGE) for text in asked)
    if images != (row.get("image") is not None) or (images and IMAGE not in asked[0]):
        raise UnreadableFile(f"record {number} has {images} {IMAGE} for its image", where=str(path),
                             fix="Each record with an image has it once, in the first question.")
    return turns
