"""What was measured of captions, and which of them the rules rejected: beside the captions, never in them.

Statistics are kept by what they depend on, so that other settings are another file; a decision is one file that names
its settings. Knows no rule and no human verdict, which stands in the journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.store.files.atomic import replacing
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.parquet import DamagedParquet, read_table, write_table
from synthvlm_ui.store.files.paths import WorkspacePaths, file_stamp

_DECISION = "decision.parquet"


@dataclass(frozen=True)
class CaptionDecision:
    """What the rules decided at one time. ``rejected_by``: a rule's name, or None for a survivor, by caption id."""

    facts: Mapping[str, Any]
    rejected_by: Mapping[str, str | None]

    def rejected(self) -> set[str]:
        return {caption_id for caption_id, rule in self.rejected_by.items() if rule is not None}


class CaptionCurationStore:
    """Statistics and decisions of a workspace's datasets."""

    def __init__(self, paths: WorkspacePaths) -> None:
        self._paths = paths

    def read_statistics(self, dataset: str, key: str, stamp: str) -> dict[str, NDArray[Any]] | None:
        """The columns measured under a key, None when there are none or the captions have changed since.

        Shapes: (captions,) in the order of the captions. A file that does not read back is as good as none.
        """
        try:
            _, columns, metadata = read_table(self._statistics(dataset, key))
        except DamagedParquet:
            return None
        return columns if metadata.get("stamp") == stamp else None

    def write_statistics(self, dataset: str, key: str, stamp: str, columns: Mapping[str, NDArray[Any]],
                         settings: Mapping[str, Any]) -> None:
        """Raises: DiskFull, WorkspaceError."""
        self._paths.check_writable()
        metadata = {"stamp": stamp, "settings": json.dumps(dict(settings), sort_keys=True, default=str)}
        with replacing(self._statistics(dataset, key)) as file:
            write_table(file, {}, columns, metadata)

    def add_answers(self, dataset: str, key: str, texts: Sequence[str], values: NDArray[np.float64]) -> None:
        """Adds what a model said about some captions, by a hash of their text; wholly or not at all.

        Shapes: (N,). Raises: DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        folder = self._answer_folder(dataset, key)
        with replacing(folder / f"{len(self._parts(folder)):06d}-{os.getpid()}.parquet") as file:
            write_table(file, {"text_id": list(texts)}, {"value": values}, {})

    def read_answers(self, dataset: str, key: str) -> dict[str, float]:
        """Everything a model said under a key, by the hash of the text. A part that does not read back is left out."""
        found: dict[str, float] = {}
        folder = self._answer_folder(dataset, key)
        for path in self._parts(folder):
            try:
                texts, columns, _ = read_table(path)
            except DamagedParquet:
                continue
            found.update((text or "", float(value))
                         for text, value in zip(texts["text_id"], columns["value"].tolist(), strict=True))
        return found

    def write_decision(self, dataset: str, ids: Sequence[str], rejected_by: Iterable[str | None],
                       facts: Mapping[str, Any]) -> None:
        """Replaces the decision on a dataset. Raises: DiskFull, WorkspaceError."""
        self._paths.check_writable()
        with replacing(self._paths.curation_folder(dataset) / _DECISION) as file:
            write_table(file, {"caption_id": ids, "rejected_by": list(rejected_by)}, {},
                        {"facts": json.dumps(dict(facts), default=str)})

    def decision_stamp(self, dataset: str) -> int:
        """What changes with every decision, 0 while there is none."""
        try:
            return file_stamp((self._paths.curation_folder(dataset) / _DECISION).stat())
        except FileNotFoundError:
            return 0

    def read_decision(self, dataset: str) -> CaptionDecision | None:
        """The decision in force, None when the dataset was never curated. Raises: CorruptData."""
        path = self._paths.curation_folder(dataset) / _DECISION
        if not path.exists():
            return None
        try:
            texts, _, metadata = read_table(path)
            ids = [caption_id or "" for caption_id in texts["caption_id"]]
            return CaptionDecision(json.loads(metadata["facts"]), dict(zip(ids, texts["rejected_by"], strict=True)))
        except (DamagedParquet, KeyError, ValueError) as error:
            raise CorruptData(f"the curation does not read back: {error}", where=str(path),
                              fix="Delete the file and curate the captions again.") from error

    def _statistics(self, dataset: str, key: str) -> Path:
        return self._paths.curation_folder(dataset) / f"{checked_name('statistic', key)}.parquet"

    def _answer_folder(self, dataset: str, key: str) -> Path:
        return self._paths.curation_folder(dataset) / checked_name("statistic", key)

    @staticmethod
    def _parts(folder: Path) -> list[Path]:
        return sorted(folder.glob("*.parquet")) if folder.is_dir() else []
