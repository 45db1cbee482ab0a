"""The scopes and views in memory: one scope per dataset and state of the facts, a few views of it.

Every part of an answer is cut from the same view, and one drag asks for several parts. Knows no page.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import check_rule, preset
from synthvlm_ui.service.scope import Makers, Scope, dataset_names
from synthvlm_ui.service.view import View
from synthvlm_ui.store import Workspace

_REMEMBERED_VIEWS = 8
_REMEMBERED_SCOPES = 3


class Views:
    """Reads are plain numpy on what is in memory, so a web server's threads may ask side by side."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._scopes: OrderedDict[tuple[str, ...], Scope] = OrderedDict()
        self._views: OrderedDict[tuple[Any, ...], View] = OrderedDict()

    def rule(self, dataset: str, **fields: Any) -> SelectionRule:
        """A rule from a preset and what the user changed of it. Raises: BadSetting, UnknownName."""
        known = SelectionRule.__dataclass_fields__
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise BadSetting(f"a rule has no {unknown[0]!r}", fix=f"It has: {', '.join(known)}.")
        dataset_names(dataset, self._workspace.captions.datasets())
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
        check_rule(rule, scope.columns)
        view = View.of(scope, rule, version, last)
        with self._lock:
            self._views[key] = view
            while len(self._views) > _REMEMBERED_VIEWS:
                self._views.popitem(last=False)
        return view

    def scope(self, dataset: str) -> Scope:
        """The columns of a dataset, several or all; made anew when more than verdicts has changed."""
        columns = self._workspace.columns
        names = dataset_names(dataset, self._workspace.captions.datasets())
        with self._making:
            found = self._scopes.get(names)
            if found is None or found.version != columns.facts_version:
                found = self._scopes[names] = Scope(columns, names, self._more)
                with self._lock:
                    for key in [key for key, view in self._views.items() if view.scope.version != found.version]:
                        del self._views[key]
            self._scopes.move_to_end(names)
            while len(self._scopes) > _REMEMBERED_SCOPES:
                self._scopes.popitem(last=False)
            return found

    def _more(self, rows: NDArray[np.int64]) -> Makers:
        return {}
