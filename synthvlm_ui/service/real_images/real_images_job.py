"""The job that takes real images in: reads, checks and stores those that captions name, beside their candidates.

Runs in a worker process; needs no model. A written shard is the record that its chunk is done, so a killed job goes on
where it was; what was refused stands with its reason in ``skipped.jsonl`` of the job.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synthvlm_ui.comparison import RealImage, RefusedImage, read_real_image
from synthvlm_ui.generation import encode_image, encode_thumbnail
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.records import REAL, Candidate, Caption, short_hash
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.real_images.real_sources import ImageSource, open_source
from synthvlm_ui.store import ShardMember, Workspace

CHUNK_IMAGES = 128
_EXPECTED_BYTES = 400_000  # of an image with its thumbnail, to ask the disk for


@dataclass(frozen=True, slots=True)
class _Item:
    caption_id: str
    caption: str
    image: str


def run_real_images(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries the job to its end or to the user's stop. Returns {stored, skipped, reasons, skipped_file}."""
    config = context.config
    source = open_source(config["source"])
    items = _plan(context, workspace)
    run = _Run(context, workspace, source, items)
    for chunk in range(-(-len(items) // CHUNK_IMAGES)):
        if context.progress.should_stop():
            break
        run.do(chunk)
    return run.result()


class _Run:
    """One attempt: what is stored, what was refused, and the ledger of finished chunks."""

    def __init__(self, context: JobContext, workspace: Workspace, source: ImageSource, items: Sequence[_Item]) -> None:
        self._context, self._workspace, self._source, self._items = context, workspace, source, items
        self._dataset = str(context.config["dataset"])
        self._created = str(context.config["created"])
        self._ledger, self._skipped_file = context.dir / "chunks.jsonl", context.dir / "skipped.jsonl"
        self._reports = {int(row.pop("chunk")): row for row in _lines(self._ledger)}
        self._plan_id = short_hash("real", self._dataset, [(item.caption_id, item.image) for item in items])[:12]

    def do(self, chunk: int) -> None:
        """Stores one chunk, unless an earlier attempt has."""
        if chunk not in self._reports:
            part = self._items[chunk * CHUNK_IMAGES:(chunk + 1) * CHUNK_IMAGES]
            self._context.check_disk(self._workspace.root, len(part) * _EXPECTED_BYTES)
            members, refused = self._read(part)
            if members:
                self._workspace.shards.write(self._dataset, f"{REAL}-{self._plan_id}-{chunk:06d}", members)
            if refused:
                _append(self._skipped_file, refused)
            reasons = Counter(row["reason"] for row in refused)
            self._reports[chunk] = {"stored": len(members), "reasons": dict(reasons)}
            _append(self._ledger, [{"chunk": chunk, **self._reports[chunk]}])
        done = min((chunk + 1) * CHUNK_IMAGES, len(self._items))
        self._context.progress.update(done, len(self._items), failed=sum(self._reasons().values()))

    def result(self) -> dict[str, Any]:
        reasons = self._reasons()
        return {"stored": sum(report["stored"] for report in self._reports.values()), "skipped": sum(reasons.values()),
                "reasons": dict(reasons.most_common()), "examples": _lines(self._skipped_file)[:20],
                "skipped_file": str(self._skipped_file) if reasons else None}

    def _reasons(self) -> Counter[str]:
        reasons: Counter[str] = Counter()
        for report in self._reports.values():
            reasons.update(report["reasons"])
        return reasons

    def _read(self, items: Sequence[_Item]) -> tuple[list[ShardMember], list[dict[str, str]]]:
        members: dict[str, ShardMember] = {}
        refused = []
        for item in items:
            try:
                found = read_real_image(self._source.read(item.image))
            except RefusedImage as error:
                refused.append({"caption_id": item.caption_id, "image": item.image, "reason": str(error)})
                continue
            member = self._member(item, found)
            members[member.candidate.id] = member
        return list(members.values()), refused

    def _member(self, item: _Item, image: RealImage) -> ShardMember:
        candidate = real_candidate(self._dataset, Caption(item.caption_id, item.caption), image, self._created)
        content = image.original or encode_image(image.pixels, candidate, "webp")
        return ShardMember(candidate, content, image.suffix, encode_thumbnail(image.pixels))


def real_candidate(dataset: str, caption: Caption, image: RealImage, created: str = "") -> Candidate:
    """The row of a caption's real image: its id follows from the caption and the file."""
    height, width = image.pixels.shape[:2]
    facts: dict[str, object] = {
        "dataset": dataset, "caption_id": caption.id, "caption": caption.caption, "prompt": caption.caption,
        "prompt_template": "{caption}", "negative_prompt": None, "generator": REAL, "model": REAL,
        "revision": image.digest[:16], "sampler": "none", "num_inference_steps": 0, "guidance_scale": 0.0,
        "width": width, "height": height, "run_seed": 0, "repeat": 0, "seed": 0, "created": created}
    return Candidate.from_json({**facts, "id": Candidate.id_of(facts)})


def real_images_config(dataset: str, source: str, *, caption_source: str | None = None,
                       again: bool = False) -> dict[str, Any]:
    """What the job is given: ``caption_source`` limits it to captions of one file, ``again`` takes up changed files."""
    return {"dataset": dataset, "source": source, "caption_source": caption_source, "again": again,
            "created": datetime.now(UTC).isoformat(timespec="seconds")}


def _plan(context: JobContext, workspace: Workspace) -> list[_Item]:
    """The captions whose image is to be read, fixed when the job first starts."""
    path = context.dir / "plan.jsonl"
    if (context.dir / "plan.done").exists():
        return [_Item(**row) for row in _lines(path)]
    config = context.config
    present = set() if config["again"] else _with_real_image(workspace, config["dataset"])
    wanted = config["caption_source"]
    items = [_Item(caption.id, caption.caption, caption.image) for caption in workspace.captions.load(config["dataset"])
             if caption.image and caption.id not in present and wanted in (None, caption.source)]
    path.unlink(missing_ok=True)
    _append(path, [{"caption_id": item.caption_id, "caption": item.caption, "image": item.image} for item in items])
    (context.dir / "plan.done").touch()
    return items


def _with_real_image(workspace: Workspace, dataset: str) -> set[str]:
    columns = workspace.columns
    columns.refresh()
    rows = rows_of(columns, dataset, real=True)
    return {columns.caption_id(int(code)) for code in columns.caption_code[rows[columns.ok[rows]]]}


def _append(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        # The line break comes first, so that a line which a killed attempt left unfinished spoils no other.
        file.writelines("\n" + json.dumps(row, ensure_ascii=True) for row in rows)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a killed attempt
            continue
        rows.append(row)
    return rows
