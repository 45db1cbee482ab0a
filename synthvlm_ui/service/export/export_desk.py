"""Exports: a named selection into a format a trainer reads, and the check a trainer would make.

Joins the store (which has the images) to the export room (which writes formats). An export is a job, so that it goes on
without the browser; the command line may also carry it out itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.backends import list_generators
from synthvlm_ui.errors import EmptyInput, UnknownName, UserError, WorkspaceError
from synthvlm_ui.export import (
    Archive,
    ExportItem,
    ExportOptions,
    check_out,
    export,
    exports_in,
    formats,
    plan_push,
    push,
    validate,
)
from synthvlm_ui.records import Selection
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.dataset_rows import dataset_columns, number
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

# The queue of exports: they need a disk and no model, so they never wait behind a generator.
DISK = "disk"
_FLAGS = {"image_format": "--image-format", "image_quality": "--image-quality", "size_px": "--size", "fit": "--fit",
          "shard_pairs": "--shard-size", "validation": "--split", "repeats": "--repeats", "seed": "--seed"}


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export: ``out`` None is a folder of the workspace, ``options`` are fields of ExportOptions."""

    selection: str
    format: str
    out: str | None = None
    rejects: bool = False
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class ExportDesk:
    """``studio.exports``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk, select_command: Callable[..., str]) -> None:
        self._workspace, self._jobs, self._select_command = workspace, jobs, select_command

    def formats(self) -> list[dict[str, str]]:
        return [{"name": name, "note": note} for name, note in formats().items()]

    def default_out(self, selection: str, format_name: str) -> Path:
        return self._workspace.paths.exports / f"{selection}-{format_name}"

    def start(self, request: ExportRequest) -> str:
        """Queues the export and returns the job's id. Raises: what ``run`` raises before it writes."""
        _, target, _ = self._checked(request)
        config = {**asdict(request), "out": str(target.resolve())}
        return self._jobs.submit("export", config, DISK)

    def run(self, request: ExportRequest, watch: Callable[[int, int], None] | None = None,
            converted: Path | None = None) -> dict[str, Any]:
        """Writes a selection into a new directory; ``watch`` is told (pairs so far, all pairs), ``converted`` keeps
        converted images until the export is whole.

        Raises: UnknownName, BadSetting (destination, options), EmptyInput, WorkspaceError, DiskFull.
        """
        chosen, target, options = self._checked(request)
        self._workspace.columns.refresh()
        options = replace(options, converted=converted, licences=_licences(), facts=self._facts(chosen),
                          select_command=self._select_command(chosen.rule, chosen.name))
        report = export(request.format, self._items(chosen.candidate_ids), target, selection=chosen,
                        rejects=self._items(self._rejected(chosen)) if request.rejects else None,
                        overwrite=request.overwrite, options=options,
                        watch=(lambda done: watch(done, chosen.kept)) if watch else None)
        return {"out": str(report.out), "written": report.written, "manifest_sha256": report.manifest_sha256,
                "skipped": dict(report.skipped), "splits": dict(report.splits)}

    def validate(self, path: Path | str, format_name: str) -> dict[str, Any]:
        """What a trainer would complain of, before it does. Raises: UnknownName, UnreadableFile."""
        self._check_format(format_name)
        report = validate(Path(path), format_name)
        return {"ok": report.ok, "errors": list(report.errors), "warnings": list(report.warnings)}

    def made(self) -> list[dict[str, Any]]:
        """The exports in the workspace's own folder, newest first: {name, format, written, at (ISO 8601)}."""
        return [{"name": one.name, "format": one.format, "written": one.written,
                 "at": datetime.fromtimestamp(one.written_at, UTC).isoformat()}
                for one in exports_in(self._workspace.paths.exports)]

    def archive_name(self, out: str) -> str | None:
        """The name that ``archive`` knows an export by, None when it lies elsewhere."""
        path, folder = Path(out), self._workspace.paths.exports.resolve()
        return path.name if path.resolve().parent == folder else None

    def archive(self, name: str) -> Archive:
        """One of ``made`` as a tar to be sent. Raises: UnknownName."""
        names = [one.name for one in exports_in(self._workspace.paths.exports)]
        if name not in names:
            raise UnknownName.of("export", name, names)
        return Archive(self._workspace.paths.exports / name)

    def push(self, path: Path | str, repo_id: str, *, private: bool = False, dry_run: bool = False,
             token: str | None = None, stranger: bool = False) -> dict[str, Any]:
        """Sends an export to the Hub as a dataset, or says what would be sent.

        The token stays in this process's memory while it sends and is written nowhere. Without one it is the login of
        this machine, which a ``stranger`` is never lent. Raises: UnreadableFile, BadSetting, ModelUnavailable (no
        network), UserError (no login).
        """
        planned = plan_push(path, repo_id, private=private)
        if stranger and not token and not dry_run:
            raise UserError("nobody is logged in with Hugging Face, and this server's own login is lent to nobody",
                            where=repo_id, fix="Log in, or download the export and send it yourself.")
        return planned.to_json(dry_run=dry_run, url=None if dry_run else push(planned, token=token))

    def push_command(self, path: str, repo_id: str, private: bool, dry_run: bool) -> str:
        """The line that does the same; a token never stands in it."""
        words = ["push", path or "DIR", "--repo", repo_id or "USER/NAME"]
        return command_line(self._workspace.root, words + ["--private"] * private + ["--dry-run"] * dry_run)

    def command(self, request: ExportRequest) -> str:
        """The line that does the same."""
        selection = request.selection or "SELECTION"
        words = ["export", "--selection", selection, "--format", request.format, "--out",
                 request.out or str(self.default_out(selection, request.format))]
        words += ["--rejects"] * request.rejects + ["--overwrite"] * request.overwrite
        usual = ExportOptions()
        for name, flag in _FLAGS.items():
            value = request.options.get(name)
            if value is not None and value != getattr(usual, name):
                words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
        return command_line(self._workspace.root, words)

    def _checked(self, request: ExportRequest) -> tuple[Selection, Path, ExportOptions]:
        self._check_format(request.format)
        options = ExportOptions(**request.options)
        chosen = self._workspace.selections.load(request.selection)
        if not chosen.kept:
            raise EmptyInput(f"selection {request.selection!r} keeps nothing",
                             fix="Loosen its thresholds and save it again.")
        target = Path(request.out) if request.out else self.default_out(request.selection, request.format)
        if self._workspace.read_only and target.resolve().is_relative_to(self._workspace.root.resolve()):
            raise WorkspaceError("the workspace is open for reading only", where=str(target),
                                 fix="Name an output directory outside it.")
        check_out(target, request.overwrite)
        return chosen, target, options

    def _check_format(self, name: str) -> None:
        if name not in formats():
            raise UnknownName.of("format", name, list(formats()))

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

    def _facts(self, chosen: Selection) -> tuple[str, ...]:
        """What the card says of variety: how the pairs spread over captions."""
        ordinals = self._workspace.columns.ordinals_of(chosen.candidate_ids)
        counts = np.unique(self._workspace.columns.caption_code[ordinals], return_counts=True)[1]
        return (f"{len(counts)} captions, {counts.mean():.2f} images per caption (at most {counts.max()})",)


def _licences() -> dict[str, str]:
    """Licences of the named generators' weights, by model, for the card."""
    return {facts.model: facts.licence for facts in list_generators() if facts.licence}
