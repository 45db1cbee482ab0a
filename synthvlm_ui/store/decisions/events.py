"""One line of the journal as a record. Knows no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.records import Verdict
from synthvlm_ui.store.decisions.bitmaps import bitmap_of, unpacked

EventKind = Literal["verdict", "undo", "redo", "selection", "note", "view", "caption_verdict", "study", "rating"]
VERDICT_VALUES: Mapping[str, int] = {"keep": 1, "reject": -1, "clear": 0}


@dataclass(frozen=True, slots=True)
class Event:
    """What an actor did, when, and to which rows.

    ``target`` is the verdict event that an undo took back or a redo put back. ``payload`` of a bulk verdict holds the
    rule that found the rows; ``bitmap`` holds the rows themselves, since later scores would give other rows.
    """

    id: int
    at: str
    actor: str
    kind: EventKind
    payload: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    target: int | None = None
    bitmap: bytes | None = field(default=None, repr=False)

    @property
    def rule(self) -> Mapping[str, Any] | None:
        """The rule of a bulk verdict, as the user wrote it."""
        rule: Mapping[str, Any] | None = self.payload.get("rule")
        return rule

    def ordinals(self) -> NDArray[np.uint32]:
        """The rows this event is about, ascending; of an undo or redo those of its target. Raises: CorruptData."""
        if self.bitmap is None:
            return np.zeros(0, np.uint32)
        try:
            return unpacked(bitmap_of(self.bitmap))
        except ValueError as error:
            raise CorruptData(f"the rows of event {self.id} do not read back", where="journal") from error

    @property
    def count(self) -> int:
        """How many rows this event is about."""
        return len(self.ordinals())

    def to_json(self) -> dict[str, Any]:
        """The event without its rows, JSON-ready."""
        return {"id": self.id, "at": self.at, "actor": self.actor, "kind": self.kind, "payload": dict(self.payload),
                "verdict": self.verdict, "target": self.target, "count": self.count}
