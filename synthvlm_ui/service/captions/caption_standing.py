"""Which captions of a dataset count: the rules' decision with people's verdicts above it.

Knows no rule. Read by generation, by the curation's desk and by the head of every page, so what was read is remembered
until a decision, a verdict or a caption is added.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from synthvlm_ui.store import Event, Workspace

KIND = "caption_verdict"
_REMEMBERED = 16


@dataclass(frozen=True)
class Standing:
    """``curated``: by rules. ``uncurated_ids``: imported since, which no rule has seen."""

    curated: bool
    total: int
    rejected_ids: frozenset[str] = frozenset()
    uncurated_ids: frozenset[str] = frozenset()
    kept_by_hand: int = 0
    rejected_by_hand: int = 0

    @property
    def kept(self) -> int:
        return self.total - len(self.rejected_ids) - len(self.uncurated_ids)

    def counts(self, caption_id: str) -> bool:
        """Whether a caption is drawn when only kept ones are."""
        return caption_id not in self.rejected_ids and caption_id not in self.uncurated_ids


_lock = threading.Lock()
_standings: dict[tuple[str, str], tuple[tuple[Any, ...], Standing]] = {}


def standing_of(workspace: Workspace, dataset: str) -> Standing:
    """Which captions count now. Raises: UnknownName, CorruptData."""
    events = workspace.journal.events(kinds=(KIND,))
    stamp = (workspace.captions.stamp(dataset), workspace.caption_curation.decision_stamp(dataset),
             events[-1].id if events else 0)
    place = (str(workspace.root), dataset)
    with _lock:
        known = _standings.get(place)
    if known is not None and known[0] == stamp:
        return known[1]
    standing = _read(workspace, dataset, verdicts_in(events, dataset))
    with _lock:
        _standings[place] = (stamp, standing)
        while len(_standings) > _REMEMBERED:
            _standings.pop(next(iter(_standings)))
    return standing


def caption_verdicts(workspace: Workspace, dataset: str) -> dict[str, str]:
    """What people said about captions of a dataset, keep or reject by id: the latest word counts."""
    return verdicts_in(workspace.journal.events(kinds=(KIND,)), dataset)


def verdicts_in(events: list[Event], dataset: str) -> dict[str, str]:
    """The same from events, oldest first."""
    found: dict[str, str] = {}
    for event in events:
        if event.payload.get("dataset") == dataset:
            found.update(dict.fromkeys(event.payload["ids"], str(event.payload["verdict"])))
    return {one: verdict for one, verdict in found.items() if verdict != "clear"}


def _read(workspace: Workspace, dataset: str, verdicts: dict[str, str]) -> Standing:
    decision = workspace.caption_curation.read_decision(dataset)
    if decision is None and not verdicts:
        return Standing(False, workspace.captions.count(dataset))
    ids = workspace.captions.texts(dataset)[0]
    verdicts = {one: verdicts[one] for one in ids if one in verdicts}
    kept = {one for one, verdict in verdicts.items() if verdict == "keep"}
    rejected = {one for one, verdict in verdicts.items() if verdict == "reject"}
    by_rule = decision.rejected_by if decision else dict.fromkeys(ids)
    out = {one for one in ids if by_rule.get(one) is not None}
    unseen = {one for one in ids if one not in by_rule}
    return Standing(decision is not None, len(ids), frozenset((out - kept) | rejected),
                    frozenset(unseen - kept - rejected), len(kept), len(rejected))
