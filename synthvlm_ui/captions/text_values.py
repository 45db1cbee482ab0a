"""The caption inside a small file that stands beside an image or in an archive.

Knows neither folders nor archives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from synthvlm_ui.captions.rows import GUESSES


def decode_text(content: bytes) -> str:
    """UTF-8 with or without a byte order mark, else cp1252. Raises: UnicodeDecodeError for what is neither."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def caption_in(content: bytes, mapping: Mapping[str, str]) -> object:
    """The caption of a JSON object (by the mapping, else by its usual names), or of a JSON text or list.

    None when it has none. Raises: ValueError when it is no JSON.
    """
    value = json.loads(decode_text(content))
    if not isinstance(value, dict):
        return value
    if "caption" in mapping:
        return value.get(mapping["caption"])
    folded = {str(name).casefold(): name for name in value}
    found = next((folded[name] for name in GUESSES["caption"] if name in folded), None)
    return None if found is None else value[found]
