"""The job behind what a comparison cannot answer at once: flat maps of embeddings, and FID.

Runs in a worker process. Its result is small (points of at most a thousand images a set), so it stands in the job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison import MAP_MAX_ROWS, frechet_distance, sample_rows
from synthvlm_ui.diversity import project, unit
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import decode_image
from synthvlm_ui.service.comparison.compared_sets import ComparedSet, embeddings_of, find_sets
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace

FID_MAX_ROWS = 50_000
_FID_BATCH = 16


def run_compare(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Carries a compare job to its end. Returns {map: {method, embeddings, points{set: [[x, y]]}}, fid: [...]}."""
    config = context.config
    workspace.columns.refresh()
    sets = find_sets(workspace, config["specs"])
    result: dict[str, Any] = {}
    if config["method"]:
        context.progress.update(0, 0, message="laying out the map")
        result["map"] = _map(workspace, engines, sets, config)
    if config["fid_weights"]:
        result["fid"] = _fid(context, workspace, engines, sets, config)
    return result


def _map(workspace: Workspace, engines: Engines, sets: Sequence[ComparedSet], config: Mapping[str, Any]) -> Any:
    key, seed = config["clip_key"], config["seed"]
    if config["embeddings"] == "text":
        vectors = [_texts(workspace, engines, one, key, seed) for one in sets]
    else:
        vectors = [embeddings_of(workspace, key, one.rows, MAP_MAX_ROWS, seed) for one in sets]
    plane = project(unit(np.concatenate(vectors)), config["method"], seed=seed)
    points = np.split(plane, np.cumsum([len(one) for one in vectors])[:-1])
    return {"method": config["method"], "embeddings": config["embeddings"], "clip": key,
            "points": {one.name: np.round(rows, 4).tolist() for one, rows in zip(sets, points, strict=True)}}


def _texts(workspace: Workspace, engines: Engines, one: ComparedSet, key: str, seed: int) -> NDArray[np.float32]:
    """Embeddings of the set's captions, each once, by the CLIP model that has scored the images."""
    columns = workspace.columns
    codes = np.unique(columns.caption_code[one.rows])
    wanted = {columns.caption_id(int(code)) for code in codes[sample_rows(len(codes), MAP_MAX_ROWS, seed)]}
    texts = [caption.caption for caption in workspace.captions.load(one.dataset) if caption.id in wanted]
    settings = columns.scorer_of(key).settings
    embedder = engines.embedder(str(settings.get("model", "miniature")))
    return np.asarray(embedder.embed_texts([f"{settings.get('prefix', '')}{text}" for text in texts]), np.float32)


def _fid(context: JobContext, workspace: Workspace, engines: Engines, sets: Sequence[ComparedSet],
         config: Mapping[str, Any]) -> list[dict[str, Any]]:
    from synthvlm_ui.backends.inception_features import InceptionFeatures

    network = InceptionFeatures(config["fid_weights"], device=engines.device)
    rows = [one.rows[sample_rows(len(one.rows), FID_MAX_ROWS, config["seed"])] for one in sets]
    done, total = 0, sum(map(len, rows))
    features = []
    for chosen in rows:
        parts = []
        for start in range(0, len(chosen), _FID_BATCH):
            if context.progress.should_stop():
                return []
            images = [decode_image(workspace.columns.image(int(row))[0]) for row in chosen[start:start + _FID_BATCH]]
            parts.append(network.features(images))
            done += len(images)
            context.progress.update(done, total, message="Inception features")
        features.append(np.concatenate(parts))
    return [{"first": sets[0].name, "second": other.name, "fid": frechet_distance(features[0], vectors),
             "n": [len(features[0]), len(vectors)], "weights_sha256": network.sha256}
            for other, vectors in zip(sets[1:], features[1:], strict=True)]
