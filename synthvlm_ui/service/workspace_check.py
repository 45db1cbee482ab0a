"""``workspace check``: what in a workspace does not read back, and setting it right as far as that can be done.

Works without an open workspace, since a damaged journal cannot be opened. Repairing deletes nothing: what is damaged is
moved into the folder ``damaged`` of the workspace, and what can be made again is made or named.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.errors import WorkspaceError
from synthvlm_ui.generation import encode_thumbnail
from synthvlm_ui.jobs.locks import is_held
from synthvlm_ui.pipeline import decode_image
from synthvlm_ui.records import Caption
from synthvlm_ui.service.app_lock import app_of
from synthvlm_ui.store import ShardStore, Workspace, WorkspacePaths
from synthvlm_ui.store.checking import Damage, find_damage
from synthvlm_ui.store.decisions.registry import CandidateIds
from synthvlm_ui.store.decisions.salvage import Salvaged, salvage

_AFTERWARDS = {
    "shard": "run the same generate command again: it makes exactly these images",
    "scores": "run score again: it fills in what is missing",
    "embeddings": "run score again: it fills in what is missing",
    "curation": "curate the captions again",
    "selection": "select again under the same name",
}


class WorkspaceCheck:
    """One look through the workspace at ``root``. Raises: WorkspaceError when there is none, or it is in use."""

    def __init__(self, root: Path, *, repair: bool = False, images: bool = True) -> None:
        self._paths = WorkspacePaths(root)
        if not self._paths.format_file.is_file():
            raise WorkspaceError("there is no workspace", where=str(root), fix="Give the directory of a workspace.")
        self._repair, self._images = repair, images
        self._moved_to = self._paths.root / "damaged" / time.strftime("%Y%m%d-%H%M%S")
        if repair:
            self._require_rest()

    def run(self) -> dict[str, Any]:
        """{ok, checked{kind: n}, findings[{kind, where, what, repaired, next}]}; ``ok``: nothing is left damaged."""
        checked = Counter[str]()
        findings = []
        captions_lost: set[str] = set()
        check_image = decode_image if self._images else None
        for damage in find_damage(self._paths, check_image, lambda kind: checked.update((kind,))):
            repaired = self._mend(damage) if self._repair else ""
            if repaired and damage.kind == "captions":
                captions_lost.add(damage.dataset)
            findings.append({"kind": damage.kind, "where": str(damage.files[0].relative_to(self._paths.root)),
                             "what": damage.what, "repaired": repaired,
                             "next": _AFTERWARDS.get(damage.kind, "") if repaired else ""})
        for dataset in sorted(captions_lost):
            back = self._captions_of_candidates(dataset)
            findings.append({"kind": "captions", "where": f"captions/{dataset}", "what": "captions were lost",
                             "repaired": f"{back} came back from the candidates made of them",
                             "next": "import the file again for those without a candidate"})
        return {"ok": all(found["repaired"] for found in findings), "checked": dict(checked), "findings": findings,
                "damaged_files": str(self._moved_to) if self._moved_to.is_dir() else None}

    def _require_rest(self) -> None:
        """Repairing under a running app or worker would take files from under it."""
        owner = app_of(self._paths.root)
        busy = [path.name for path in (self._paths.jobs / ".workers").glob("*.lock") if is_held(path)]
        if owner is not None or busy:
            who = "a worker runs" if owner is None else f"an app serves it at {owner.get('address', 'some address')}"
            raise WorkspaceError(f"the workspace is in use: {who}", where=str(self._paths.root),
                                 fix="Stop it before repairing.")

    def _mend(self, damage: Damage) -> str:
        """What was done, in words."""
        if damage.kind == "journal":
            return self._mend_journal()
        moved = [self._set_aside(file) for file in damage.files if file.exists()]
        if damage.kind == "thumbnails":
            return f"{self._thumbnails_again(damage)} thumbnails were made again from the images"
        return f"moved to {os.path.relpath(moved[0], self._paths.root)}"

    def _set_aside(self, file: Path) -> Path:
        target = self._moved_to / file.relative_to(self._paths.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
        return target

    def _thumbnails_again(self, damage: Damage) -> int:
        """The shard is written anew with the same images, which replaces its thumbnails and changes no pixel."""
        store = ShardStore(self._paths)
        members = [member if member.image is None else
                   type(member)(member.candidate, member.image, member.image_suffix,
                                encode_thumbnail(decode_image(member.image)))
                   for member in store.read(damage.dataset, damage.shard)]
        store.write(damage.dataset, damage.shard, members)
        return sum(member.thumbnail is not None for member in members)

    def _mend_journal(self) -> str:
        target = self._paths.journal.with_suffix(".salvaged")
        target.unlink(missing_ok=True)
        found: Salvaged = salvage(self._paths.journal, target, self._fitting)
        for suffix in ("", "-wal", "-shm"):
            file = self._paths.journal.with_name(self._paths.journal.name + suffix)
            if file.exists():
                self._set_aside(file)
        os.replace(target, self._paths.journal)
        lost = f"{found.events} decisions kept, {found.events_lost} could not be read"
        if found.registrations_lost:
            lost += f"; {found.registrations_lost} shards lost their decisions"
        return lost

    def _fitting(self, rows: int, registered: set[tuple[str, str]]) -> tuple[str, str, CandidateIds] | None:
        """The only shard without a registration that has so many candidates, whose place in the journal was lost."""
        store = ShardStore(self._paths)
        fit = [(dataset, shard, contents.candidate_ids) for dataset in store.datasets()
               for shard in store.names(dataset) if (dataset, shard) not in registered
               if len((contents := store.contents(dataset, shard)).candidate_ids) == rows]
        if len(fit) != 1:
            return None
        dataset, shard, ids = fit[0]
        return dataset, shard, np.array(ids, dtype="S16")

    def _captions_of_candidates(self, dataset: str) -> int:
        """Every candidate knows the caption it was made of."""
        found: dict[str, Caption] = {}
        with Workspace.open(self._paths.root) as workspace:
            for shard in workspace.shards.names(dataset):
                for facts in workspace.shards.contents(dataset, shard).facts:
                    if facts.get("caption_id") and facts.get("caption"):
                        found.setdefault(facts["caption_id"], Caption(facts["caption_id"], facts["caption"]))
            if not found:
                return 0
            return workspace.captions.add(dataset, found.values(), on_duplicate="skip", source="candidates").imported
