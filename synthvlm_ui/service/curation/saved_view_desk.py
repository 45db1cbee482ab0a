"""Saved views: a name for what one looks at, in the journal for everybody, and links that open the same.

Knows no candidate.
"""

from __future__ import annotations

import json
from typing import Any

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.curation.curation_desk import rule_words
from synthvlm_ui.service.curation.verdict_desk import VerdictDesk
from synthvlm_ui.service.curation.view_state import ViewState, state_of, state_of_query
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.service.printable_name import printable_name
from synthvlm_ui.store import Workspace

MOST_NAME_CHARACTERS = 80
MOST_STATE_BYTES = 16_384


class SavedViewDesk:
    """``studio.saved_views``. Saving under a known name replaces the view; the journal keeps every version."""

    def __init__(self, workspace: Workspace, views: Views, verdicts: VerdictDesk) -> None:
        self._workspace, self._views, self._verdicts = workspace, views, verdicts

    def list(self) -> dict[str, Any]:
        """Every saved view by name, as it was saved last."""
        found: dict[str, dict[str, Any]] = {}
        for event in self._workspace.journal.events(kinds=("view",)):
            name = str(event.payload.get("name", ""))
            if event.payload.get("state") is None:
                found.pop(name, None)
            else:
                state = state_of(event.payload["state"])
                found[name] = {"name": name, "at": event.at, "actor": event.actor, "state": state.to_json(),
                               "query": state.to_query()}
        return {"views": [found[name] for name in sorted(found)]}

    def state(self, name: str) -> ViewState:
        """The saved view of that name. Raises: UnknownName."""
        found = {view["name"]: view["state"] for view in self.list()["views"]}
        if name not in found:
            raise UnknownName.of("saved view", name, list(found))
        return state_of(found[name])

    def save(self, name: str, state: ViewState, actor: str | None = None) -> dict[str, Any]:
        """Saves a view under a name. Raises: BadSetting, UnknownName, WorkspaceError."""
        self._workspace.paths.check_writable()
        name = _checked_name(name)
        self._views.rule(**{"dataset": "", **state.rule})
        if len(json.dumps(state.to_json())) > MOST_STATE_BYTES:
            raise BadSetting("the view is too long to be saved", where="state", fix="Shorten its filter.")
        payload = {"name": name, "state": state.to_json()}
        event_id = self._workspace.journal.append("view", self._verdicts.name_of(actor), payload)
        return {"name": name, "event_id": event_id, "query": state.to_query()}

    def delete(self, name: str, actor: str | None = None) -> dict[str, Any]:
        """Takes a saved view off the list. Raises: UnknownName, WorkspaceError."""
        self._workspace.paths.check_writable()
        self.state(name)
        by, payload = self._verdicts.name_of(actor), {"name": name, "state": None}
        return {"name": name, "event_id": self._workspace.journal.append("view", by, payload)}

    def link(self, state: ViewState) -> dict[str, Any]:
        """The query that opens this view again, and the command that lists the same candidates."""
        rule = self._views.rule(**{"dataset": "", **state.rule})
        words = ["find", "--dataset", rule.dataset, *rule_words(rule), "--show", state.show, "--order", state.order]
        for flag in ("text", "meaning", "like"):
            words += [f"--{flag}", value] if (value := getattr(state.find, flag)) else []
        words += ["--offset", str(state.offset), "--limit", str(state.limit)]
        return {"query": state.to_query(), "command": command_line(self._workspace.root, words)}

    def open(self, query: str) -> dict[str, Any]:
        """The view behind a link. Raises: BadSetting, UnknownName naming the part that is wrong."""
        state = state_of_query(query)
        self._views.rule(**{"dataset": "", **state.rule})
        return {"state": state.to_json()}


def _checked_name(name: str) -> str:
    return printable_name(" ".join(name.split()), "view", where="name", most=MOST_NAME_CHARACTERS)
