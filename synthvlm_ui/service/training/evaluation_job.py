"""The job that measures a model. Runs in a worker process; reads the store, calls the room, returns numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synthvlm_ui.evaluation import cider, lm_eval_command, plain_words, retrieval, run_lm_eval
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.training.training_pairs import rows_of_split
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace

_BATCH = 32


class _Pictures:
    """A dataset's real images, each with all captions that name it (COCO has five)."""

    def __init__(self, workspace: Workspace, dataset: str, limit: int | None, split: str | None = None) -> None:
        columns = workspace.columns
        captions = workspace.captions.load(dataset)
        texts: dict[str, list[str]] = {}
        for caption in captions:
            texts.setdefault(_picture_of(caption.id, caption.image), []).append(caption.caption)
        names = {caption.id: _picture_of(caption.id, caption.image) for caption in captions}
        first: dict[str, int] = {}
        rows = rows_of(columns, dataset, real=True)
        for row in rows_of_split(workspace, dataset, rows, split) if split else rows:
            if columns.ok[row]:
                caption_id = columns.caption_id(int(columns.caption_code[row]))
                first.setdefault(names.get(caption_id, caption_id), int(row))
        chosen = list(first.items())[:limit]
        self.rows = [row for _, row in chosen]
        self.captions = [texts.get(name) or [columns.candidate(row).caption] for name, row in chosen]
        self._columns = columns

    def batches(self) -> Iterator[list[UInt8Image]]:
        for start in range(0, len(self.rows), _BATCH):
            yield [_pixels(self._columns.image(row)[0]) for row in self.rows[start:start + _BATCH]]


def run_evaluate(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Measures what was asked for, one metric after the other. Returns {"metrics": {name: value}}."""
    config = context.config
    workspace.columns.refresh()
    found: dict[str, float] = {}
    measures: dict[str, Callable[..., dict[str, float]]] = {
        "cider": _cider, "retrieval": _retrieval, "perplexity": _perplexity}
    for metric in config["metrics"]:
        context.log(f"measuring {metric}")
        found |= measures[metric](context, workspace, engines)
        if context.progress.should_stop():
            break
    if config["tasks"] and not context.progress.stop_seen:
        found |= _harness(context, engines)
    return {"metrics": found}


def _cider(context: JobContext, workspace: Workspace, engines: Engines) -> dict[str, float]:
    from synthvlm_ui.evaluation.captioners import load_captioner

    config = context.config
    captioner = load_captioner(Path(config["model"]), engines.device)
    pictures = _Pictures(workspace, config["dataset"], config["limit"], config.get("split"))
    written: list[str] = []
    for images in pictures.batches():
        written += captioner.caption(images)
        context.progress.update(len(written), len(pictures.rows), message="captions written")
        if context.progress.should_stop():
            return {}
    for row, text in zip(pictures.rows, written, strict=True):
        context.metrics({"id": workspace.columns.candidate(row).id, "written": text})
    score, _ = cider([plain_words(text) for text in written],
                     [[plain_words(text) for text in texts] for texts in pictures.captions])
    return {"cider": 100 * score, "pictures": float(len(written))}


def _retrieval(context: JobContext, workspace: Workspace, engines: Engines) -> dict[str, float]:
    config = context.config
    embedder = engines.embedder(config["model"])
    pictures = _Pictures(workspace, config["dataset"], config["limit"], config.get("split"))
    parts = []
    for images in pictures.batches():
        parts.append(embedder.embed_images(images))
        context.progress.update(sum(map(len, parts)), len(pictures.rows), message="pictures embedded")
        if context.progress.should_stop():
            return {}
    captions = [text for texts in pictures.captions for text in texts]
    owners = [number for number, texts in enumerate(pictures.captions) for _ in texts]
    return retrieval(np.concatenate(parts), embedder.embed_texts(captions), owners)


def _perplexity(context: JobContext, workspace: Workspace, engines: Engines) -> dict[str, float]:
    from synthvlm_ui.evaluation.perplexity import perplexity

    config = context.config
    if config["text"]:
        lines = Path(config["text"]).read_text(encoding="utf-8", errors="replace").splitlines()
        texts = [line for line in lines if line.strip()]
    else:
        texts = workspace.captions.texts(config["dataset"])[1]
    texts = texts[:config["limit"]]

    def watch(done: int) -> bool:
        context.progress.update(done, len(texts), message="texts read")
        return context.progress.should_stop()

    return perplexity(Path(config["model"]), texts, device=engines.device, watch=watch)


def _harness(context: JobContext, engines: Engines) -> dict[str, float]:
    config = context.config
    out = context.dir / "lm-eval"
    include = Path(config["include_path"]) if config["include_path"] else None
    command = lm_eval_command(Path(config["model"]).resolve(), config["tasks"], out, include_path=include,
                              device=engines.device, limit=config["limit"])
    context.log(" ".join(command))
    return run_lm_eval(command, out, context.dir / "lm-eval.log")


def _picture_of(caption_id: str, image: str | None) -> str:
    return f"image {image}" if image else caption_id


def _pixels(data: bytes) -> UInt8Image:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
