"""The job that measures diversity: embeddings that are missing, one clustering for all sets, the report, the elbow.

Runs in a worker process. Embeddings are kept as they are made, so a killed job resumes with what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity import (
    Measured,
    cluster,
    knee,
    measured,
    name_clusters,
    nearest,
    usable,
    wcss_curve,
)
from synthvlm_ui.jobs import JobContext, JobStopped
from synthvlm_ui.service.diversity.diversity_sets import (
    DatasetRows,
    SetOfRows,
    common_image_key,
    embeddings_of_files,
    image_embeddings,
    resolve_sets,
)
from synthvlm_ui.service.scoring.score_job import run_score
from synthvlm_ui.store import Workspace

EMBED_BATCH = 2048
Rows = NDArray[Any]
Load = Callable[[], Any]


class Sources:
    """The matrices behind the sets of one run, one for each dataset."""

    def __init__(self, embedder: str, images: bool, settings: Mapping[str, Any]) -> None:
        self.embedder, self.images, self.settings = embedder, images, settings
        self.books: dict[str, DatasetRows] = {}
        self.matrices: dict[str, Rows] = {}

    def rows(self, each: SetOfRows) -> Rows:
        """The embeddings of a set, (N, D); the dataset's own matrix when the set is all of it."""
        matrix = self.matrices[each.dataset]
        whole = len(each.places) == len(matrix) and bool((each.places == np.arange(len(matrix))).all())
        return matrix if whole else matrix[each.places]

    def text(self, each: SetOfRows, row: int) -> str:
        """The caption behind a row of a set."""
        book = self.books[each.dataset]
        number = int(book.caption_of[each.places[row]] if self.images else each.places[row])
        return book.texts[number] if number >= 0 else ""


def run_diversity(context: JobContext, workspace: Workspace, load: Load) -> Mapping[str, Any]:
    """Carries a diversity job to its end. Returns {run, k, datasets}; the whole report is in the store.

    Raises: UnknownName, BadSetting, EmptyInput, ModelUnavailable, JobStopped.
    """
    config = context.config
    workspace.columns.refresh()
    if config.get("embeddings"):
        rows = embeddings_of_files(config["embeddings"], config["names"])
        sets = [SetOfRows(name, "file", "", np.arange(len(each), dtype=np.int32), np.full(len(each), -1, np.int32))
                for name, each in rows.items()]
        sources = Sources("files", False, {"files": list(config["embeddings"])})
    else:
        images = str(config["embedder"]).partition(":")[0] == "clip-image"
        sets = resolve_sets(workspace, config, images)
        sources = embedded(context, workspace, load, sets)
        rows = {each.name: sources.rows(each) for each in sets}
    found, closeness = _measure(context, rows)
    report = _report(context, found, sets, sources, workspace, closeness)
    report["datasets"] = _with_curve(context, found, report)
    _store(context.id, workspace, report, sets, sources, found)
    return {"run": context.id, "k": report["k"], "sets": list(report["sets"])}


def embedded(context: JobContext, workspace: Workspace, load: Load, sets: Sequence[SetOfRows]) -> Sources:
    """The embeddings of every dataset the sets come from, computing what is missing."""
    name = str(context.config["embedder"])
    datasets = list(dict.fromkeys(each.dataset for each in sets))
    kind, _, model = name.partition(":")
    if kind == "clip-image":
        if model:
            for dataset in datasets:
                _score(context, workspace, load(), dataset, model)
            key = load().scorers(["clip"], model)[0].info.key
        else:
            key = common_image_key(workspace, datasets)
        sources = Sources(name, True, {"key": key})
        matrix = image_embeddings(workspace, datasets, key)
        sources.matrices = dict.fromkeys(datasets, matrix)
        sources.books = {dataset: DatasetRows(workspace, dataset) for dataset in datasets}
        return sources
    embedder = load().text_embedder(name)
    key = embedder.info.key
    sources = Sources(name, False, {"key": key, **embedder.info.settings})
    for dataset in datasets:
        book = sources.books[dataset] = DatasetRows(workspace, dataset)
        missing = workspace.caption_embeddings.missing(key, book.texts)
        for start in range(0, len(missing), EMBED_BATCH):
            _stop_if_asked(context)
            context.check_disk(workspace.root, 0)
            batch = missing[start : start + EMBED_BATCH]
            workspace.caption_embeddings.add(key, batch, embedder.embed_texts(batch))
            context.progress.update(start + len(batch), len(missing), message=f"captions of {dataset} embedded")
        sources.matrices[dataset] = workspace.caption_embeddings.load(key, book.texts)
    return sources


def _score(context: JobContext, workspace: Workspace, engines: Any, dataset: str, model: str) -> None:
    """Fills in the image embeddings of a dataset: they come with the CLIP score."""
    context.config.update(dataset=dataset, scorers=["clip"], clip_model=model, rescore=False)
    run_score(context, workspace, engines)
    _stop_if_asked(context)
    workspace.columns.refresh()


def _measure(context: JobContext, rows: Mapping[str, Rows]) -> tuple[Measured, Mapping[str, NDArray[np.float32]]]:
    config = context.config

    def told(what: str, done: int, total: int) -> None:
        context.progress.update(done, total, message=what)
        context.metrics({"kind": "fit", "done": done, "total": total})
        _stop_if_asked(context)

    masks = {name: usable(each, name) for name, each in rows.items()}
    context.progress.update(0, config["fits"], message="fitting clusters")
    clustering = cluster(rows, masks, k=config["k"], seed=config["seed"], fits=config["fits"], told=told)
    assigned = {name: nearest(each, masks[name], clustering.fits) for name, each in rows.items()}
    closeness = {name: found[1] for name, found in assigned.items()}
    return measured(clustering, {name: found[0] for name, found in assigned.items()}, closeness), closeness


def _report(context: JobContext, found: Measured, sets: Sequence[SetOfRows], sources: Sources, workspace: Workspace,
            closeness: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    config, shown = context.config, found.clustering.fits[0]
    measured_sets = found.sets()
    clusters = _clusters(found, sets, sources, workspace)
    for each in clusters:
        each["shares"] = {name: numbers["cluster_shares"][each["index"]] for name, numbers in measured_sets.items()}
    return {
        "run": context.id, "created": datetime.now(UTC).isoformat(timespec="seconds"), "k": shown.k,
        "seed": config["seed"], "fits": config["fits"], "embedder": sources.embedder,
        "embedder_settings": dict(sources.settings), "sample_rows": len(found.clustering.sample),
        "dimension": int(found.clustering.sample.shape[1]), "inertia": shown.inertia,
        "names": [each["name"] for each in clusters], "clusters": clusters, "config": dict(config),
        "sets": [{**each.describe(), "rows": len(each.places)} for each in sets],
        "rows_are": "file" if config.get("embeddings") else "images" if sources.images else "captions",
        "datasets": measured_sets, "differences": found.differences()}


def _clusters(found: Measured, sets: Sequence[SetOfRows], sources: Sources,
              workspace: Workspace) -> list[dict[str, Any]]:
    """Name, words, nearest captions and example images of every cluster."""
    codes = np.concatenate([found.codes[each.name] for each in sets])
    closeness = np.concatenate([found.closeness[each.name] for each in sets])
    starts = np.cumsum([0, *(len(each.places) for each in sets)])

    def where(row: int) -> tuple[SetOfRows, int]:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return sets[number], row - int(starts[number])

    def text_of(row: int) -> str:
        return "" if sources.embedder == "files" else sources.text(*where(row))

    described = []
    for index, name in enumerate(name_clusters(codes, closeness, found.clustering.k, text_of)):
        examples = [where(row) for row in name.nearest]
        described.append({
            "index": index, "name": name.name, "words": list(name.words),
            "captions": [text for text in (text_of(row) for row in name.nearest) if text],
            "candidate_ids": _example_images(examples, sources, workspace)})
    return described


def _example_images(examples: Sequence[tuple[SetOfRows, int]], sources: Sources, workspace: Workspace) -> list[str]:
    ordinals: list[int] = []
    for each, row in examples:
        ordinal = int(each.ordinals[row])
        if ordinal < 0 and each.dataset and len(sources.books[each.dataset].candidates()):
            book = sources.books[each.dataset]
            own = book.candidates()
            drawn = own[book.caption_of[own] == each.places[row]]
            ordinal = int(drawn[0]) if len(drawn) else -1
        if ordinal >= 0:
            ordinals.append(ordinal)
    return workspace.columns.ids_of(np.array(list(dict.fromkeys(ordinals)), np.int64)) if ordinals else []


def _with_curve(context: JobContext, found: Measured, report: dict[str, Any]) -> dict[str, Any]:
    """Adds the elbow to the report when it was asked for, telling each point as it is known."""
    elbow = context.config.get("elbow")
    if elbow:
        low, high = elbow
        wcss: dict[str, float] = {}
        for k, value in wcss_curve(found.clustering.sample, low, high, seed=context.config["seed"]):
            wcss[str(k)] = value
            context.metrics({"kind": "wcss", "k": k, "wcss": value})
            context.progress.update(k - low + 1, high - low + 1, message=f"elbow at K = {k}")
            _stop_if_asked(context)
        report["wcss"] = wcss
        report["knee"] = knee(list(map(int, wcss)), list(wcss.values()))
    return dict(report["datasets"])


def _store(run: str, workspace: Workspace, report: Mapping[str, Any], sets: Sequence[SetOfRows], sources: Sources,
           found: Measured) -> None:
    arrays: dict[str, Rows] = {"centroids": found.clustering.fits[0].centroids}
    for number, each in enumerate(sets):
        arrays |= {f"set{number}-codes": found.codes[each.name], f"set{number}-places": each.places,
                   f"set{number}-ordinals": each.ordinals}
    codes = {}
    for dataset, matrix in sources.matrices.items():
        codes[dataset] = _candidate_codes(workspace, sources, found, dataset, matrix)
    workspace.clusterings.save(run, report, codes, arrays)


def _candidate_codes(workspace: Workspace, sources: Sources, found: Measured, dataset: str,
                     matrix: Rows) -> NDArray[np.int16]:
    """The cluster of every candidate of a dataset, whether or not it is in a set, (n,) int16 over ordinals."""
    book, columns = sources.books[dataset], workspace.columns
    own = np.concatenate([book.candidates(), book.candidates(real=True)])
    codes = np.full(columns.n, -1, np.int16)
    if not len(own):
        return codes
    places = own if sources.images else book.caption_of[own]
    own, places = own[places >= 0], places[places >= 0]
    rows = matrix[places] if sources.images else matrix
    assigned = nearest(rows, usable(rows, dataset), found.clustering.fits[:1])[0][0]
    codes[own] = assigned if sources.images else assigned[places]
    return codes


def _stop_if_asked(context: JobContext) -> None:
    if context.progress.should_stop():
        raise JobStopped
