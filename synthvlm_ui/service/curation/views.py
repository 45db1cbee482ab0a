"""The scopes and views in memory: one scope per dataset and state of the facts, a few views of it.

Every part of an answer is cut from the same view, and one drag asks for several parts. Knows no page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, SynthVLMError
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import check_rule, near_duplicates_of, preset
from synthvlm_ui.service.curation.caption_words import CaptionColumn, CaptionWords
from synthvlm_ui.service.curation.joined_columns import Members, Vectors
from synthvlm_ui.service.curation.near_tables import NearTables
from synthvlm_ui.service.curation.neighbours import SCORER
from synthvlm_ui.service.curation.scope import Makers, Scope, dataset_names
from synthvlm_ui.service.curation.view import View
from synthvlm_ui.store import Clustering, Workspace

_REMEMBERED_VIEWS, _REMEMBERED_RANKINGS = 3, 2
_REMEMBERED_SCOPES = 2
_LEAVING_S = 5.0
_LOOK_EVERY_S = 1.0


class Views:
    """Reads are plain numpy on what is in memory, so a web server's threads may ask side by side."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self.near = workspace, NearTables(workspace)
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._scopes: OrderedDict[tuple[str, ...], Scope] = OrderedDict()
        self._captions: dict[str, tuple[Any, CaptionWords]] = {}
        self._reading, self._being_read = threading.Lock(), dict[str, threading.Thread]()
        self._looked: dict[str, float] = {}
        self._clustered: dict[tuple[str, ...], tuple[float, list[Clustering | None]]] = {}
        self._views: OrderedDict[tuple[Any, ...], View] = OrderedDict()

    def rule(self, dataset: str, **fields: Any) -> SelectionRule:
        """A rule from a preset and what the user changed of it. Raises: BadSetting, UnknownName."""
        known = SelectionRule.__dataclass_fields__
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise BadSetting(f"a rule has no {unknown[0]!r}", fix=f"It has: {', '.join(known)}.")
        self._names(dataset)
        given = {name: value for name, value in fields.items() if value is not None}
        return SelectionRule(dataset=dataset, **{**preset(given.get("preset", "paper")), **given})

    def of(self, rule: SelectionRule) -> View:
        """The rule resolved against the columns as they are now. Raises: BadSetting, UnknownName."""
        columns = self._workspace.columns
        version = columns.version
        scope = self.scope(rule.dataset)
        key = (id(scope), version, rule)
        with self._lock:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
            last = next((view for view in reversed(self._views.values()) if view.scope is scope), None)
        check_rule(rule, scope.columns.with_columns(verdict=scope.verdict))
        if by_hash(rule):
            self.near.settle(scope.columns["phash"], rule.duplicate_bits)
        view = View.of(scope, rule, version, last)
        with self._lock:
            self._views[key] = view
            while len(self._views) > _REMEMBERED_VIEWS or self._rankings() > _REMEMBERED_RANKINGS:
                self._views.popitem(last=False)
        return view

    def waiting(self, rule: SelectionRule) -> float | None:
        """The share that is done of what a rule needs and takes long to find, which this starts; None when it is at
        hand. Raises: UnknownName."""
        columns = self.scope(rule.dataset).columns
        if not by_hash(rule) or "phash" not in columns or columns["phash"].dtype.kind != "u":
            return None
        return self.near.waiting(columns["phash"], rule.duplicate_bits)

    def _rankings(self) -> int:
        """How many combined scores the views hold; one is as large as ten views of it."""
        return len({id(view.ranked) for view in self._views.values()})

    def scope(self, dataset: str) -> Scope:
        """The columns of a dataset, several or all; made anew when more than verdicts has changed."""
        columns = self._workspace.columns
        names = self._names(dataset)
        with self._making:
            found = self._scopes.get(names)
            clusterings = self._clusterings(names)
            runs = [clustering.run if clustering else None for clustering in clusterings]
            if found is None or found.version != columns.facts_version or found.runs != runs:
                known = [clustering for clustering in clusterings if clustering]
                found = self._scopes[names] = Scope(columns, names, partial(self._more, names))
                found.runs = runs
                found.cluster_names = list(known[0].names) if len({clustering.run for clustering in known}) == 1 else []
                with self._lock:
                    for key in [key for key, view in self._views.items() if view.scope.datasets == names]:
                        del self._views[key]
            self._scopes.move_to_end(names)
            while len(self._scopes) > _REMEMBERED_SCOPES:
                self._scopes.popitem(last=False)
            return found

    def _names(self, dataset: str) -> tuple[str, ...]:
        return dataset_names(dataset, self._workspace.columns.datasets, self._workspace.captions.datasets)

    def _more(self, names: tuple[str, ...], rows: NDArray[np.int64]) -> Makers:
        """Columns that other stores than that of candidates have: captions, saved selections, clusters, embeddings."""
        columns = self._workspace.columns
        caption = partial(self._caption_column, names, rows)
        makers: Makers = {
            "caption": caption, "length": lambda: caption().numbers("lengths"),
            "words": lambda: caption().numbers("word_counts"), "tokens": lambda: caption().numbers("token_counts"),
            "selection": lambda: Members(self._workspace, columns.candidate_id[rows])}
        if any(scorer.name == SCORER for scorer in columns.scorers()):
            makers["embedding"] = lambda: Vectors(columns.embeddings(columns.active_key(SCORER)), rows)
        if (clusters := self._clusters(names)) is not None:
            makers["cluster"] = lambda: clusters[rows]
        return makers

    def captions(self, dataset: str) -> CaptionWords:
        """The captions of a dataset in memory, read again when some have come. Raises: UnknownName, CorruptData."""
        columns = self._workspace.columns
        stamp = (self._workspace.captions.stamp(dataset), columns.caption_count)
        with self._reading:
            kept = self._captions.get(dataset)
            if kept is None or kept[0] != stamp:
                kept = self._captions[dataset] = (stamp, CaptionWords(self._workspace.captions, columns, dataset))
            return kept[1]

    def captions_at_hand(self, dataset: str) -> CaptionWords | None:
        """The captions of a dataset if they are in memory; else starts reading them and returns None."""
        kept = self._captions.get(dataset)
        now = time.monotonic()
        if kept is not None and now < self._looked.get(dataset, 0.0) + _LOOK_EVERY_S:
            return kept[1]
        stamp = (self._workspace.captions.stamp(dataset), self._workspace.columns.caption_count)
        if kept is not None and kept[0] == stamp:
            self._looked[dataset] = now
            return kept[1]
        if dataset not in self._being_read:
            reader = threading.Thread(target=self._read_captions, args=(dataset,), name="captions", daemon=True)
            self._being_read[dataset] = reader
            reader.start()
        return None

    def _read_captions(self, dataset: str) -> None:
        try:
            self.captions(dataset).prepare()
        except (SynthVLMError, FileNotFoundError):
            pass  # Whoever needs them is told then. Not found: another process deleted the dataset meanwhile.
        finally:
            self._being_read.pop(dataset, None)

    def close(self) -> None:
        """Ends what is being found, and waits until nothing is read from the workspace any more."""
        self.near.close()
        for reader in list(self._being_read.values()):
            reader.join(_LEAVING_S)

    def _caption_column(self, names: tuple[str, ...], rows: NDArray[np.int64]) -> CaptionColumn:
        columns = self._workspace.columns
        known = [name for name in names if name in columns.datasets]
        return CaptionColumn([self.captions(name) for name in known], columns.caption_code[rows],
                             columns.caption_count)

    def _clusterings(self, names: tuple[str, ...]) -> list[Clustering | None]:
        """The clustering in force of each dataset; looked up once a second at most."""
        looked_at, found = self._clustered.get(names, (-_LOOK_EVERY_S, []))
        if time.monotonic() > looked_at + _LOOK_EVERY_S:
            found = [self._workspace.clusterings.current(name) for name in names]
            self._clustered[names] = (time.monotonic(), found)
        return found

    def _clusters(self, names: tuple[str, ...]) -> NDArray[np.int16] | None:
        """The cluster of every candidate of the workspace, -1 where none is known; None without any clustering."""
        found = self._clusterings(names)
        if not any(found):
            return None
        columns = self._workspace.columns
        codes = np.full(columns.n, -1, np.int16)
        for name, clustering in zip(names, found, strict=True):
            if clustering is not None and name in columns.datasets:
                given = np.asarray(clustering.codes)[: columns.n]
                inside = columns.dataset_code[: len(given)] == columns.datasets.index(name)
                codes[: len(given)][inside] = given[inside]
        return codes


def by_hash(rule: SelectionRule) -> bool:
    """Whether a rule looks for near duplicates by hash."""
    return "phash" in near_duplicates_of(rule)
