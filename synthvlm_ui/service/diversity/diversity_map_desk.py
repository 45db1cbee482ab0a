"""Looking into a diversity run: its map, the points of a lasso, what a threshold does to entropy, filling gaps.

Reads runs and starts jobs; computes no embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends import require_writer
from synthvlm_ui.diversity import METHODS, can_make, check_method, entropy_by_cut
from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.records import Selection, SelectionRule
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.diversity.diversity_map import read_map, rows_of_points, sets_of_run
from synthvlm_ui.service.diversity.diversity_sets import DatasetRows, SetOfRows
from synthvlm_ui.service.diversity.fill_gaps_job import gaps_of
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

MOST_SHOWN = 24
CUT_COLUMNS = ("combined", "clip_cosine", "ssim")
HTTP_QUEUE = "http"


class DiversityMapDesk:
    """``studio.diversity_maps``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def start(self, run: str, method: str = "pca", device: str = "auto") -> str:
        """Queues the job that places a run's rows on a plane. Raises: UnknownName, BadSetting, ModelUnavailable."""
        check_method(method)
        self._workspace.clusterings.report(run)
        return self._jobs.submit("diversity-map", {"run": run, "method": method}, resolve_device(device))

    def methods(self) -> list[str]:
        """The kinds of map this machine can make."""
        return [method for method in METHODS if can_make(method)]

    def check(self, method: str) -> None:
        """Raises: BadSetting, ModelUnavailable when this machine cannot make such a map."""
        check_method(method)

    def file(self, run: str, method: str) -> Path:
        """Where the coordinates are, (points, 2) float32; beside them ``-rows``: the set and the row of each point."""
        return self._workspace.paths.clusterings / run / f"map-{method}.npy"

    def made(self, run: str) -> list[str]:
        """The methods whose map is there already."""
        arrays = self._workspace.clusterings.arrays(run)
        return [method for method in METHODS if f"map-{method}" in arrays]

    def points(self, run: str, method: str) -> bytes:
        """The map: see ``read_map``. Raises: UnknownName, CorruptData."""
        check_method(method)
        return read_map(self._workspace, run, method)

    def look(self, run: str, method: str, points: Sequence[int]) -> dict[str, Any]:
        """What some points are: the first of them with caption and candidate, and how many per set."""
        report = self._workspace.clusterings.report(run)
        rows = rows_of_points(self._workspace, run, method, np.asarray(points, np.int64))
        sets = sets_of_run(self._workspace, run, report)
        books: dict[str, DatasetRows] = {}
        shown = []
        for number, row in rows[:, :MOST_SHOWN].T.tolist():
            each = sets[number]
            code = int(self._workspace.clusterings.array(run, f"set{number}-codes")[row])
            ids = self._workspace.columns.ids_of(each.ordinals[row : row + 1]) if each.ordinals[row] >= 0 else [None]
            shown.append({"set": each.name, "row": row, "cluster": code,
                          "cluster_name": report["names"][code] if code >= 0 else "",
                          "caption": self._caption(each, row, report["rows_are"], books),
                          "candidate_id": ids[0]})
        counts = np.bincount(rows[0], minlength=len(sets)) if len(points) else np.zeros(len(sets), int)
        return {"total": len(points), "shown": shown,
                "sets": {each.name: int(count) for each, count in zip(sets, counts, strict=True)}}

    def select(self, run: str, method: str, points: Sequence[int], name: str) -> dict[str, Any]:
        """Keeps the candidates behind some points of the map as a named selection, in the order of their ids.

        A caption's point stands for all its candidates. Raises: EmptyInput, BadSetting, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        report = self._workspace.clusterings.report(run)
        rows = rows_of_points(self._workspace, run, method, np.asarray(points, np.int64))
        sets = sets_of_run(self._workspace, run, report)
        chosen = {sets[number].dataset for number in np.unique(rows[0]).tolist()}
        if len(chosen) > 1:
            raise BadSetting(f"the points belong to several datasets: {', '.join(sorted(chosen))}",
                             fix="Show one set on the map and select again.")
        dataset = chosen.pop() if chosen else ""
        if not dataset:
            raise EmptyInput("there are no candidates behind these points", fix="Measure datasets or selections.")
        ordinals = self._candidates(dataset, sets, rows)
        if not len(ordinals):
            raise EmptyInput("these captions have no candidates yet", fix="Generate them first.")
        columns = self._workspace.columns
        ids = tuple(sorted(columns.ids_of(ordinals)))
        kept = len(np.unique(columns.caption_code[ordinals]))
        # The rule says where the ids come from as far as a rule can: chosen by hand, nothing filtered.
        rule = SelectionRule(dataset, guards=False, verdicts=False)
        selection = Selection(name, rule, ids, len(rows_of(columns, dataset)), kept,
                              datetime.now(UTC).isoformat(timespec="seconds"), {"points_on_map": float(len(points))})
        path = self._workspace.selections.save(selection)
        return {"name": name, "dataset": dataset, "kept": len(ids), "captions_kept": kept, "ids_file": str(path)}

    def cuts(self, run: str, dataset: str, column: str = "combined") -> dict[str, Any]:
        """Entropy of a dataset's candidates over a threshold on one score. Raises: UnknownName, BadSetting."""
        if column not in CUT_COLUMNS:
            raise UnknownName.of("score", column, list(CUT_COLUMNS))
        found = self._workspace.clusterings.of(run, dataset)
        columns = self._workspace.columns
        rows = rows_of(columns, dataset)
        rows = rows[columns.ok[rows]]
        return {"column": column, "dataset": dataset, "k": found.k,
                "points": entropy_by_cut(found.codes[rows], self._scores(column)[rows], found.k)}

    def gaps(self, run: str, set_name: str, count: int) -> dict[str, Any]:
        """How ``count`` more captions would best be spread, and the entropy before and after. Raises: BadSetting."""
        return gaps_of(self._workspace, run, set_name, count)

    def fill(self, run: str, set_name: str, count: int, writer: str = "miniature", *, seed: int = 0,
             device: str = "auto") -> str:
        """Queues the job that writes captions for under-filled clusters. Raises: BadSetting, ModelUnavailable."""
        self.gaps(run, set_name, count)
        name = require_writer(writer)
        config = {"run": run, "set": set_name, "count": count, "writer": name, "seed": seed}
        return self._jobs.submit("fill-gaps", config, HTTP_QUEUE if name.startswith("openai:") else
                                 resolve_device(device))

    def _scores(self, column: str) -> NDArray[Any]:
        columns = self._workspace.columns
        known = columns.score_columns()
        missing = np.full(columns.n, np.nan, np.float32)
        clip, ssim = (columns.score(name) if name in known else missing for name in ("clip_cosine", "ssim"))
        return {"clip_cosine": clip, "ssim": ssim, "combined": clip + np.float32(0.5) * ssim}[column]

    def _candidates(self, dataset: str, sets: Sequence[SetOfRows], rows: NDArray[np.int32]) -> NDArray[np.int64]:
        """The ordinals behind points: their own, or every candidate of a caption that stands alone."""
        book = DatasetRows(self._workspace, dataset)
        own = book.candidates()
        wanted = np.zeros(self._workspace.columns.n, bool)
        for number in np.unique(rows[0]).tolist():
            inside = rows[1][rows[0] == number]
            ordinals = sets[number].ordinals[inside]
            wanted[ordinals[ordinals >= 0]] = True
            alone = sets[number].places[inside][ordinals < 0]
            wanted[own[np.isin(book.caption_of[own], alone)]] = len(alone) > 0
        return np.flatnonzero(wanted)

    def _caption(self, each: SetOfRows, row: int, rows_are: str, books: dict[str, DatasetRows]) -> str:
        if rows_are == "file":
            return ""
        book = books.setdefault(each.dataset, DatasetRows(self._workspace, each.dataset))
        number = int(each.places[row] if rows_are == "captions" else book.caption_of[each.places[row]])
        return book.texts[number] if number >= 0 else ""
