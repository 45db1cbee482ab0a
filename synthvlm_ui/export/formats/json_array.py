"""A JSON array that is written record by record, as trainers load it whole. Knows no format."""

from __future__ import annotations

from typing import Any

from synthvlm_ui.export.records_json import line
from synthvlm_ui.export.staging import Staging


class JsonArray:
    """``relative`` of a staging folder as one JSON array, a record per line."""

    def __init__(self, staging: Staging, relative: str) -> None:
        self._file = staging.open_text(relative)
        self._before = "[\n"

    def add(self, record: dict[str, Any]) -> None:
        self._file.write(self._before + line(record)[:-1])
        self._before = ",\n"

    def close(self) -> None:
        self._file.write("\n]\n" if self._before == ",\n" else "[]\n")
        self._file.close()
