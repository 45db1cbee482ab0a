"""Named selections: the rule and what was counted as JSON, the ids as a text file, best first.

Knows nothing of how a rule picks.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from synthvlm_ui.errors import CorruptData, UnknownName
from synthvlm_ui.records import Selection, SelectionRule
from synthvlm_ui.store.decisions.journal import Journal
from synthvlm_ui.store.files.atomic import write_bytes
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.paths import WorkspacePaths


class SelectionStore:
    """The selections of a workspace, by name."""

    def __init__(self, paths: WorkspacePaths, journal: Journal) -> None:
        self._paths, self._journal = paths, journal

    def save(self, selection: Selection, actor: str = "local") -> Path:
        """Writes a selection, in place of one of the same name, and returns the file of its ids, one per line.

        Raises: BadSetting, DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        name = checked_name("selection", selection.name)
        ids = "".join(f"{candidate_id}\n" for candidate_id in selection.candidate_ids).encode("utf-8")
        digest = hashlib.sha256(ids).hexdigest()
        # The ids file is named after its content and the JSON points at it, so that replacing the JSON replaces both.
        ids_file = self._paths.selections / f"{name}.{digest[:8]}.ids.txt"
        write_bytes(ids_file, ids)
        described = {"name": name, "rule": selection.rule.to_json(), "total": selection.total, "kept": selection.kept,
                     "captions_kept": selection.captions_kept, "created": selection.created,
                     "thresholds": dict(selection.thresholds), "ids_file": ids_file.name, "ids_sha256": digest}
        write_bytes(self._file(name), json.dumps(described, indent=1, ensure_ascii=False).encode("utf-8"))
        self._journal.append("selection", actor, described)
        return ids_file

    def names(self) -> list[str]:
        """The selections there are, sorted."""
        try:
            return sorted(name[:-5] for name in os.listdir(self._paths.selections) if name.endswith(".json"))
        except FileNotFoundError:
            return []

    def load(self, name: str) -> Selection:
        """The selection of that name. Raises: UnknownName, CorruptData."""
        file = self._file(checked_name("selection", name))
        if not file.is_file():
            raise UnknownName.of("selection", name, self.names())
        return read_selection(file)

    def ids_file(self, name: str) -> Path:
        """The file of a selection's ids, one per line, best first. Raises: UnknownName, CorruptData."""
        self.load(name)
        described = json.loads(self._file(name).read_bytes())
        return self._paths.selections / str(described["ids_file"])

    def _file(self, name: str) -> Path:
        return self._paths.selections / f"{name}.json"


def read_selection(file: Path) -> Selection:
    """A selection from its description, with the ids beside it. Raises: CorruptData."""
    try:
        described = json.loads(file.read_bytes())
        ids = (file.parent / described["ids_file"]).read_bytes()
        if hashlib.sha256(ids).hexdigest() != described["ids_sha256"]:
            raise ValueError("the ids are not those that were selected")
        return Selection(name=described["name"], rule=SelectionRule(**described["rule"]),
                         candidate_ids=tuple(ids.decode("utf-8").split()), total=described["total"],
                         captions_kept=described["captions_kept"], created=described["created"],
                         thresholds=described["thresholds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"the selection {file.stem!r} does not read back: {error}", where=str(file),
                          fix="Select again under the same name.") from error
