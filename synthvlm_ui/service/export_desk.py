"""Exports: a named selection into a format a trainer reads, and the check a trainer would make.

Joins the store (which has the images) to the export room (which writes formats).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.backends import list_generators
from synthvlm_ui.errors import EmptyInput, UnknownName, WorkspaceError
from synthvlm_ui.export import ExportItem, ExportOptions, ImageFormat, export, formats, validate
from synthvlm_ui.records import Selection
from synthvlm_ui.service.caption_desk import command_line
from synthvlm_ui.service.view import dataset_columns, number
from synthvlm_ui.store import Workspace


class ExportDesk:
    """``studio.exports``."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def formats(self) -> list[dict[str, str]]:
        return [{"name": name, "note": note} for name, note in formats().items()]

    def default_out(self, selection: str, format_name: str) -> Path:
        return self._workspace.paths.exports / f"{selection}-{format_name}"

    def run(self, selection: str, format_name: str, out: Path | str | None = None, *, rejects: bool = False,
            overwrite: bool = False, image_format: ImageFormat = "keep") -> dict[str, Any]:
        """Writes a selection into a new directory.

        Raises: UnknownName, BadSetting (destination, image format), EmptyInput, WorkspaceError, DiskFull.
        """
        if format_name not in formats():
            raise UnknownName.of("format", format_name, list(formats()))
        chosen = self._workspace.selections.load(selection)
        if not chosen.kept:
            raise EmptyInput(f"selection {selection!r} keeps nothing", fix="Loosen its thresholds and save it again.")
        target = Path(out) if out else self.default_out(selection, format_name)
        if self._workspace.read_only and target.resolve().is_relative_to(self._workspace.root.resolve()):
            raise WorkspaceError("the workspace is open for reading only", where=str(target),
                                 fix="Name an output directory outside it.")
        self._workspace.columns.refresh()
        report = export(format_name, self._items(chosen.candidate_ids), target, selection=chosen,
                        rejects=self._items(self._rejected(chosen)) if rejects else None, overwrite=overwrite,
                        options=ExportOptions(image_format, licences=_licences()))
        return {"out": str(report.out), "written": report.written, "manifest_sha256": report.manifest_sha256,
                "skipped": dict(report.skipped)}

    def validate(self, path: Path | str, format_name: str) -> dict[str, Any]:
        """What a trainer would complain of, before it does. Raises: UnknownName, UnreadableFile."""
        if format_name not in formats():
            raise UnknownName.of("format", format_name, list(formats()))
        report = validate(Path(path), format_name)
        return {"ok": report.ok, "errors": list(report.errors), "warnings": list(report.warnings)}

    def command(self, selection: str, format_name: str, out: str, rejects: bool = False) -> str:
        words = ["export", "--selection", selection or "SELECTION", "--format", format_name, "--out",
                 out or str(self.default_out(selection or "SELECTION", format_name))]
        return command_line(self._workspace.root, words + ["--rejects"] * rejects)

    def _items(self, candidate_ids: tuple[str, ...]) -> Iterator[ExportItem]:
        columns = self._workspace.columns
        names = columns.score_columns()
        for ordinal in columns.ordinals_of(candidate_ids):
            row = int(ordinal)
            image, media_type = columns.image(row)
            scores = {name: number(columns.score(name)[row]) for name in names}
            yield ExportItem(columns.candidate(row), image, media_type.rpartition("/")[2], scores)

    def _rejected(self, chosen: Selection) -> tuple[str, ...]:
        _, part = dataset_columns(self._workspace.columns, chosen.rule.dataset)
        kept = np.asarray([candidate_id.encode("ascii") for candidate_id in chosen.candidate_ids], dtype="S16")
        left = np.setdiff1d(part["candidate_id"][part["ok"]], kept)
        return tuple(value.decode("ascii") for value in left)


def _licences() -> dict[str, str]:
    """Licences of the named generators' weights, by model, for the card."""
    return {facts.model: facts.licence for facts in list_generators() if facts.licence}
