"""Everything the columns are made of, as one value that a snapshot can hold. Reads no shard and no score file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.store.decisions.registry import Registration
from synthvlm_ui.store.memory.catalogue import CaptionCodes, Names, ShardTable
from synthvlm_ui.store.memory.rows import RowTable
from synthvlm_ui.store.memory.score_table import ScoreTable
from synthvlm_ui.store.memory.snapshot import load_snapshot, save_snapshot
from synthvlm_ui.store.memory.verdicts import VerdictLedger

INDEX_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the workspace that could not be used; the rest went on without it."""

    where: str
    what: str


@dataclass
class Index:
    """The state of the columns. ``registered`` is how many rows the registry knows; in a read-only workspace there may
    be more rows than that. ``seen`` holds the settled modification times of the datasets' folders, in ns.
    """

    ledger: VerdictLedger
    rows: RowTable = field(default_factory=RowTable)
    datasets: Names = field(default_factory=Names)
    generators: Names = field(default_factory=Names)
    suffixes: Names = field(default_factory=Names)
    captions: CaptionCodes = field(default_factory=CaptionCodes)
    shards: ShardTable = field(default_factory=ShardTable)
    scores: ScoreTable = field(default_factory=ScoreTable)
    problems: dict[str, Problem] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    registered: int = 0
    last_event: int = 0
    unsaved: int = 0

    def adopt(self, registrations: list[Registration]) -> None:
        """Adds the rows of registrations; what they are is known once their shard is read."""
        if not registrations:
            return
        counts = [len(registration.candidate_ids) for registration in registrations]
        datasets = [self.datasets.code(registration.dataset) for registration in registrations]
        shards = [self.shards.code(registration.dataset, registration.shard) for registration in registrations]
        ids = np.concatenate([registration.candidate_ids for registration in registrations])
        np.add.at(self.shards["rows"], shards, counts)
        # Scores first: whoever sees a row may ask for its score.
        self.scores.resize(self.rows.n + len(ids), len(self.shards.names))
        self.rows.extend(ids, np.repeat(np.array(datasets), counts), np.repeat(np.array(shards), counts))

    def save(self, directory: Path, journal_id: str) -> None:
        """Writes a snapshot of everything."""
        arrays = {**self.rows.arrays(), **self.captions.arrays(), **self.shards.arrays(), **self.scores.arrays(),
                  **self.ledger.arrays()}
        save_snapshot(directory, arrays, {
            "index_format": INDEX_FORMAT, "journal_id": journal_id, "registered": self.registered,
            "last_event": self.last_event, "datasets": self.datasets.names, "generators": self.generators.names,
            "suffixes": self.suffixes.names, "shards": self.shards.names, "scorers": self.scores.describe(),
            "seen": self.seen, "problems": {key: [found.where, found.what] for key, found in self.problems.items()}})
        self.unsaved = 0

    @classmethod
    def load(cls, directory: Path, journal_id: str, bitmap_by_event: Callable[[int], bytes]) -> Index | None:
        """The index of the snapshot in ``directory``; None when there is none, or it belongs to another journal."""
        loaded = load_snapshot(directory)
        if loaded is None:
            return None
        arrays, facts = loaded
        try:
            if facts["index_format"] != INDEX_FORMAT or facts["journal_id"] != journal_id:
                return None
            return cls(
                ledger=VerdictLedger(bitmap_by_event, arrays), rows=RowTable(arrays),
                datasets=Names(facts["datasets"]), generators=Names(facts["generators"]),
                suffixes=Names(facts["suffixes"]), captions=CaptionCodes(arrays),
                shards=ShardTable([(dataset, shard) for dataset, shard in facts["shards"]], arrays),
                scores=ScoreTable.restore(facts["scorers"], arrays),
                problems={key: Problem(*found) for key, found in facts["problems"].items()},
                seen=_int_values(facts["seen"]), registered=facts["registered"], last_event=facts["last_event"])
        except (KeyError, ValueError, TypeError):
            return None


def _int_values(mapping: dict[str, Any]) -> dict[str, int]:
    return {key: int(value) for key, value in mapping.items()}
