"""The job that places a run's rows on a plane, and reading such a map back.

Runs in a worker process. The sets are those of the run as it was measured, whatever came to the datasets since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity import MOST_POINTS, keys_of, project, shares_of_sample, unit, usable
from synthvlm_ui.errors import UnknownName
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.service.diversity.diversity_job import Load, embedded
from synthvlm_ui.service.diversity.diversity_sets import SetOfRows, embeddings_of_files
from synthvlm_ui.store import Workspace


def run_diversity_map(context: JobContext, workspace: Workspace, load: Load) -> Mapping[str, Any]:
    """Places the rows of a run. Returns {run, method, points}; raises as ``run_diversity``, and UnknownName."""
    run, method = context.config["run"], context.config["method"]
    report = workspace.clusterings.report(run)
    context.config.update({**report["config"], "run": run, "method": method})
    sets = sets_of_run(workspace, run, report)
    context.progress.update(0, 3, message="reading embeddings")
    rows = _rows(context, workspace, load, sets, report)
    usable_rows = {name: np.flatnonzero(usable(each, name)) for name, each in rows.items()}
    shares = shares_of_sample({name: len(each) for name, each in usable_rows.items()}, MOST_POINTS[method])
    drawn = {name: _drawn(rows[name], places, shares[name]) for name, places in usable_rows.items()}
    context.progress.update(1, 3, message=f"placing {sum(map(len, drawn.values()))} points")
    plane = project(np.concatenate([unit(rows[name][places]) for name, places in drawn.items()]), method,
                    seed=report["seed"])
    context.progress.update(2, 3, message="writing the map")
    numbers = np.concatenate([np.full(len(places), number, np.uint8) for number, places in enumerate(drawn.values())])
    places = np.concatenate(list(drawn.values())).astype(np.int32)
    store = workspace.clusterings
    store.add_array(run, f"map-{method}-rows", np.stack([numbers.astype(np.int32), places]))
    store.add_array(run, f"map-{method}", plane)
    context.progress.update(3, 3, message=f"{len(plane)} points placed")
    return {"run": run, "method": method, "points": len(plane)}


def sets_of_run(workspace: Workspace, run: str, report: Mapping[str, Any]) -> list[SetOfRows]:
    """The sets as they were when the run measured them."""
    store = workspace.clusterings
    return [SetOfRows(each["name"], each["kind"], each["dataset"], np.array(store.array(run, f"set{number}-places")),
                      np.array(store.array(run, f"set{number}-ordinals")))
            for number, each in enumerate(report["sets"])]


def read_map(workspace: Workspace, run: str, method: str) -> bytes:
    """A map for the browser: n as uint32, then n times x and y (float32), set (uint8) and cluster (uint8, 255: none).

    Points come in the order of the map, so that a point's number names it. Raises: UnknownName, CorruptData.
    """
    store = workspace.clusterings
    plane, rows = store.array(run, f"map-{method}"), store.array(run, f"map-{method}-rows")
    report = store.report(run)
    clusters = np.full(len(plane), 255, np.uint8)
    for number in range(len(report["sets"])):
        inside = rows[0] == number
        codes = store.array(run, f"set{number}-codes")[rows[1][inside]]
        clusters[inside] = np.where((codes >= 0) & (codes < 255), codes, 255)
    return b"".join([np.uint32(len(plane)).tobytes(), np.asarray(plane, np.float32).tobytes(),
                     rows[0].astype(np.uint8).tobytes(), clusters.tobytes()])


def rows_of_points(workspace: Workspace, run: str, method: str, points: NDArray[Any]) -> NDArray[np.int32]:
    """(2, P): the set's number and the row in it of each point. Raises: UnknownName for a point that is not there."""
    rows = workspace.clusterings.array(run, f"map-{method}-rows")
    if len(points) and not 0 <= int(points.min()) <= int(points.max()) < rows.shape[1]:
        raise UnknownName("a point is not on this map", fix="Load the map again.")
    return np.asarray(rows[:, points], np.int32)


def _rows(context: JobContext, workspace: Workspace, load: Load, sets: list[SetOfRows],
          report: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    if report["rows_are"] == "file":
        return embeddings_of_files(report["config"]["embeddings"], report["config"]["names"])
    sources = embedded(context, workspace, load, sets)
    return {each.name: sources.rows(each) for each in sets}


def _drawn(rows: NDArray[Any], places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most ``count`` of the places, drawn by the rows' content."""
    if count >= len(places):
        return places
    return np.sort(places[np.argpartition(keys_of(rows, 0)[places], count)[:count]])
