"""One row of a file becomes one caption or one rejection with its reason.

Knows columns, records and LLaVA conversations, but no file format and no encoding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synthvlm_ui.config import MAX_CAPTION_CHARACTERS
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import Caption, caption_id_of

GUESSES: Mapping[str, tuple[str, ...]] = {
    "caption": ("caption", "text", "prompt", "captions", "sentence", "sentences", "description",
                "conversations"),
    "id": ("id", "caption_id", "key", "uid"),
    "image": ("image", "image_path", "file_name", "filename", "path"),
}
MAX_ID_CHARACTERS = 200
EXCERPT_CHARACTERS = 80
# Everything no text encoder and no file name can use: C0 and C1 controls except tab and line ends, lone surrogates.
_NO_FACTS: Mapping[str, Any] = {}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that gave no caption. ``line`` is the line of a text file or the row of a parquet file, from 1."""

    line: int
    reason: str
    text_excerpt: str = ""
    file: str = ""  # of several that were read


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns (or JSON fields) hold what; None where the file has no such column."""

    caption: str
    id: str | None = None
    image: str | None = None

    def to_json(self) -> dict[str, str]:
        pairs = (("caption", self.caption), ("id", self.id), ("image", self.image))
        return {name: column for name, column in pairs if column is not None}


class Refusal(ValueError):
    """Why a row cannot be a caption; its text is the reason."""


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raises BadSetting for a mapping that names something other than caption, id and image."""
    for name in mapping:
        if name not in GUESSES:
            raise BadSetting(f"{name!r} cannot be mapped", where="--map", fix="Map caption, id or image to a column.")


def find_columns(names: Iterable[str], mapping: Mapping[str, str]) -> Columns | None:
    """The columns by mapping, else by their usual names (case does not matter); None when no caption column is found.

    Raises: BadSetting when the mapping names a column that is not there.
    """
    present = [name for name in names if name]
    folded = {name.strip().casefold(): name for name in reversed(present)}
    chosen: dict[str, str] = {}
    for role, guesses in GUESSES.items():
        if role in mapping:
            if mapping[role] not in present:
                raise BadSetting(f"there is no column {mapping[role]!r}", where=f"--map {role}={mapping[role]}",
                                 fix=f"The columns are: {', '.join(present[:20])}.")
            chosen[role] = mapping[role]
        else:
            guess = next((folded[name] for name in guesses if name in folded), None)
            if guess is not None and guess not in mapping.values():
                chosen[role] = guess
    if "caption" not in chosen:
        return None
    return Columns(chosen["caption"], chosen.get("id"), chosen.get("image"))


def clean_text(value: object) -> str:
    """The caption's text in Unicode NFC without white space at its ends. Raises: Refusal with the reason."""
    if not isinstance(value, str):
        raise Refusal("empty caption" if value is None else f"not a text but {_kind(value)}")
    text = value.strip()
    if not text:
        raise Refusal("empty caption")
    if len(text) > MAX_CAPTION_CHARACTERS:
        raise Refusal(f"longer than {MAX_CAPTION_CHARACTERS} characters")
    if _FORBIDDEN.search(text):
        raise Refusal("control characters")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def clean_id(value: object) -> str | None:
    """The source's id as text, or None when the source gave none. Raises: Refusal for an unusable id."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Refusal(f"id is not a text but {_kind(value)}")
    text = str(value).strip()
    if len(text) > MAX_ID_CHARACTERS:
        raise Refusal(f"id longer than {MAX_ID_CHARACTERS} characters")
    if _FORBIDDEN.search(text) or "\n" in text or "\r" in text or "\t" in text:
        raise Refusal("control characters in the id")
    return text or None


def references_of(text: object) -> list[str] | None:
    """The texts of a row that holds several references of one image, else None."""
    if isinstance(text, list) and len(text) > 1 and all(isinstance(each, str) for each in text):
        return text
    return None


def caption_of(text: object, given_id: object, image: object, source: str,
               facts: Mapping[str, Any] | None = None) -> Caption:
    """One caption from the values of one row. Raises: Refusal with the reason."""
    if isinstance(text, list):
        text = said_by_model(text)
    clean = clean_text(text)
    if image is not None and not isinstance(image, str):
        image = None
    return Caption(clean_id(given_id) or caption_id_of(clean), clean, (image or "").strip() or None, source,
                   facts or _NO_FACTS)


def said_by_model(turns: list[Any]) -> object:
    """The caption of a LLaVA conversation: what its one ``gpt`` turn says. Raises: Refusal."""
    if len(turns) == 1 and isinstance(turns[0], str):
        return turns[0]
    if not turns or not all(isinstance(turn, Mapping) for turn in turns):
        raise Refusal("not a text but a list")
    if len(turns) != 2:
        raise Refusal(f"a conversation of {len(turns)} turns, not of 2")
    if turns[1].get("from") != "gpt":
        raise Refusal("a conversation whose second turn is not from gpt")
    return turns[1].get("value")


def excerpt(value: object) -> str:
    """The start of a value for a message: one line, short, and safe to encode."""
    try:
        text = value if isinstance(value, str) else repr(value) if value is not None else ""
    except (RecursionError, ValueError):
        text = _kind(value)
    text = _FORBIDDEN.sub("\ufffd", " ".join(text[: EXCERPT_CHARACTERS * 4].split()))
    return text if len(text) <= EXCERPT_CHARACTERS else text[: EXCERPT_CHARACTERS - 1] + "…"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"
