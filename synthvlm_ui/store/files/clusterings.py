"""Clusterings: which cluster each candidate belongs to, with the clusters' names and the report they came with.

One directory per run, renamed into place whole and never changed; the newest run that covers a dataset is its current
clustering. Knows nothing of how clusters are found.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName
from synthvlm_ui.store.files.atomic import make_directory, os_errors, replacing, sync_directory
from synthvlm_ui.store.files.names import checked_name
from synthvlm_ui.store.files.paths import WorkspacePaths

Codes = NDArray[np.int16]
_ARRAYS_END = ".npy"


@dataclass(frozen=True)
class Clustering:
    """The clusters of a dataset's candidates.

    Shapes: ``codes`` (n,) int16 over the workspace's ordinals, -1 where a candidate has none: of another dataset, made
    since, or without an embedding. ``names`` has one entry for each of the k clusters. ``run`` names its report.
    """

    run: str
    k: int
    names: tuple[str, ...]
    codes: Codes
    created: str = ""
    embedder: str = ""


class ClusteringStore:
    """``workspace.clusterings``: runs by name, newest last; ``rows`` tells how many ordinals there are now."""

    def __init__(self, paths: WorkspacePaths, rows: Callable[[], int]) -> None:
        self._paths, self._rows = paths, rows
        self._headers: dict[str, Mapping[str, Any]] = {}
        self._codes: dict[tuple[str, str], Codes] = {}

    def save(self, run: str, report: Mapping[str, Any], codes: Mapping[str, Codes],
             arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Writes a run, all or nothing; saving it again replaces nothing, since a run never changes.

        ``report`` is JSON-ready and has k, names, created and embedder; ``codes`` has (n,) int16 over ordinals for each
        dataset covered, ``arrays`` whatever else belongs to the run. Raises: BadSetting, DiskFull, WorkspaceError.
        """
        self._paths.check_writable()
        target = self._folder(run)
        names = [checked_name("dataset", dataset) for dataset in codes]
        if len(report["names"]) != report["k"]:
            raise BadSetting(f"{len(report['names'])} names for {report['k']} clusters")
        if target.is_dir():
            return
        draft = self._paths.temp / f"clustering-{run}-{os.getpid()}"
        with os_errors(draft):
            make_directory(draft)
            make_directory(target.parent)
            try:
                for dataset, values in codes.items():
                    _write_array(draft / f"codes-{dataset}.npy", np.asarray(values, np.int16))
                for name, array in (arrays or {}).items():
                    _write_array(draft / f"{checked_name('array', name)}.npy", array)
                header = {key: report.get(key) for key in ("k", "names", "created", "embedder")}
                for name, content in (("report.json", report), ("run.json", {**header, "datasets": names})):
                    with replacing(draft / name) as file:
                        file.write(json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8"))
                os.rename(draft, target)
                sync_directory(target.parent)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise

    def add_array(self, run: str, name: str, array: NDArray[Any]) -> None:
        """Adds an array to a run, such as a map made later. Raises: UnknownName, DiskFull, WorkspaceError."""
        self._paths.check_writable()
        self.report(run)
        _write_array(self._folder(run) / f"{checked_name('array', name)}.npy", array)

    def runs(self) -> list[str]:
        """The runs there are, oldest first."""
        return [name for name in self._paths.folders_in(self._paths.clusterings) if self._header(name) is not None]

    def report(self, run: str) -> dict[str, Any]:
        """What a run found. Raises: UnknownName, CorruptData."""
        file = self._folder(run) / "report.json"
        if not file.is_file():
            raise UnknownName.of("diversity run", run, self.runs()[::-1])
        try:
            return dict(json.loads(file.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise _corrupt(file, error) from error

    def array(self, run: str, name: str) -> NDArray[Any]:
        """An array of a run, mapped from the disk. Raises: UnknownName, CorruptData."""
        file = self._folder(run) / f"{checked_name('array', name)}.npy"
        if not file.is_file():
            raise UnknownName.of("array", name, self.arrays(run))
        return _read_array(file)

    def arrays(self, run: str) -> list[str]:
        """The names of a run's arrays, sorted."""
        try:
            found = os.listdir(self._folder(run))
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(_ARRAYS_END) for name in found if name.endswith(_ARRAYS_END))

    def current(self, dataset: str) -> Clustering | None:
        """The newest clustering that covers a dataset, None when there is none. Raises: CorruptData."""
        for run in reversed(self._paths.folders_in(self._paths.clusterings)):
            header = self._header(run)
            if header is not None and dataset in header["datasets"]:
                return self.of(run, dataset)
        return None

    def of(self, run: str, dataset: str) -> Clustering:
        """The clusters of a dataset in one run. Raises: UnknownName, CorruptData."""
        header = self._header(run)
        if header is None or dataset not in header["datasets"]:
            raise UnknownName.of("clustered dataset", dataset, list(header["datasets"]) if header else [])
        return Clustering(run=run, k=int(header["k"]), names=tuple(header["names"]),
                          codes=self._codes_of(run, dataset), created=str(header["created"] or ""),
                          embedder=str(header["embedder"] or ""))

    def _codes_of(self, run: str, dataset: str) -> Codes:
        """The codes of every ordinal there is now: candidates that came after the run have none."""
        rows = self._rows()
        known = self._codes.get((run, dataset))
        if known is None or len(known) != rows:
            stored = _read_array(self._folder(run) / f"codes-{dataset}.npy")
            known = np.full(rows, -1, np.int16)
            known[: min(rows, len(stored))] = stored[:rows]
            known.flags.writeable = False
            self._codes = {key: value for key, value in self._codes.items() if key[1] != dataset}
            self._codes[run, dataset] = known
        return known

    def _header(self, run: str) -> Mapping[str, Any] | None:
        """The small part of a run's report; a directory that is no run has none."""
        if run not in self._headers:
            try:
                self._headers[run] = dict(json.loads((self._folder(run) / "run.json").read_bytes()))
            except (OSError, ValueError, TypeError):
                return None
        return self._headers[run]

    def _folder(self, run: str) -> Path:
        return self._paths.clusterings / checked_name("diversity run", run)


def _write_array(file: Path, array: NDArray[Any]) -> None:
    with replacing(file) as opened:
        np.save(opened, np.ascontiguousarray(array), allow_pickle=False)


def _read_array(file: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _corrupt(file, error) from error
    return found


def _corrupt(file: Path, why: object) -> CorruptData:
    return CorruptData(f"a diversity run does not read back: {why}", where=str(file),
                       fix="Delete its folder and measure again.")
