"""The job that generates: plan once, then chunk after chunk, resumable at every point.

Runs in a worker process. The job directory keeps the plan and the counts; the shards say what is done.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.config import CHUNK_TARGET_S
from synthvlm_ui.generation import Plan, load_plan, plan_items, resolve_settings, save_plan
from synthvlm_ui.generation.plan import request_of
from synthvlm_ui.jobs import JobContext, LocalExecutor, slice_chunks
from synthvlm_ui.pipeline import ChunkEngines, ChunkReport, Shown, make_chunk
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service.caption_standing import standing_of
from synthvlm_ui.service.engines import Engines
from synthvlm_ui.service.live import LiveWriter
from synthvlm_ui.service.prompting import recorded_template, resolved_prompts
from synthvlm_ui.service.rates import Rates, bytes_per_image
from synthvlm_ui.store import Workspace

_CPU_BATCH = {"miniature": 16}
_GPU_BATCH = 4
_MAX_CHUNK_IMAGES = 4096


def run_generate(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Carries a generate job to its end or to the user's stop. Returns {generated, failed, skipped}."""
    context.progress.update(0, 0, message="loading the generator")
    generator = engines.generator(context.config["settings"]["generator"])
    plan = load_plan(context.dir)
    if plan is None:
        plan = _make_plan(context, workspace, generator, engines.device)
        save_plan(plan, context.dir)
    context.progress.update(0, len(plan.items), message="loading the scorers")
    tools = ChunkEngines(generator, engines.scorers(context.config["scorers"], context.config["clip_model"]))
    run = _Run(context, workspace, plan)
    chunks = slice_chunks(range(plan.chunk_count), context.config.get("worker"))

    def run_chunk(chunk: int) -> None:
        context.check_disk(workspace.root, run.chunk_bytes)
        run.live.begin_chunk(chunk)
        report = make_chunk(workspace, plan, chunk, tools, is_done=run.is_done, show=run.show,
                            should_stop=context.progress.should_stop)
        run.record(chunk, report)

    run.begin(chunks)
    LocalExecutor(run_chunk).run(chunks, context.progress)
    run.remember_rate(engines.device)
    return run.counts()


class _Run:
    """Counts, live pictures and progress of one attempt at a plan."""

    def __init__(self, context: JobContext, workspace: Workspace, plan: Plan) -> None:
        self._context, self._workspace, self._plan = context, workspace, plan
        self._ledger = context.dir / "chunks.jsonl"
        self._reports = _read_reports(self._ledger)
        self._made_by_others = _made_before(context, workspace, plan)
        self.live = LiveWriter(context.live_dir)
        self.is_done = _known_candidates(workspace)
        settings = plan.settings
        self.chunk_bytes = plan.chunk_images * bytes_per_image(
            settings.width or 0, settings.height or 0, settings.image_format)
        self._done = self._failed = self._total = self._drawn_now = 0
        self._seconds_now = 0.0
        self._last_shown = time.monotonic()

    def begin(self, chunks: list[int]) -> None:
        sizes = {chunk: self._chunk_size(chunk) for chunk in chunks}
        self._total = sum(sizes.values())
        self._done = sum(size for chunk, size in sizes.items() if chunk in self._reports)
        self._failed = sum(report["failed"] for report in self._reports.values())
        self._last_shown = time.monotonic()
        self._context.progress.restart_rate()  # loading models must not count as slow drawing
        self._progress()

    def show(self, shown: Shown) -> None:
        self.live.show(shown.candidate, shown.image, self._plan.settings.image_format, shown.scores)
        self._done += 1
        self._failed += shown.candidate.status == "failed"
        self._drawn_now += 1
        self._progress()

    def record(self, chunk: int, report: ChunkReport) -> None:
        """Writes down a finished chunk; a chunk found as a shard without a line was finished by a killed attempt."""
        now, drawn = time.monotonic(), report.generated + report.failed
        if drawn:
            self._seconds_now += now - self._last_shown
        self._last_shown = now
        if not report.finished or chunk in self._reports:
            return
        counts = {"generated": report.generated, "failed": report.failed, "skipped": report.skipped}
        if not drawn and self._finished_by_killed_attempt(chunk):
            counts = self._counts_of_shard(chunk)
        self._reports[chunk] = counts
        with self._ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"chunk": chunk, **counts}) + "\n")
        self._done += self._chunk_size(chunk) - drawn  # what was drawn is counted as it is shown
        self._progress()
        self.live.end_chunk()

    def counts(self) -> dict[str, int]:
        return {key: sum(report[key] for report in self._reports.values())
                for key in ("generated", "failed", "skipped")}

    def remember_rate(self, device: str) -> None:
        if self._drawn_now >= 8 and self._seconds_now > 0:
            settings = self._plan.settings
            Rates(self._workspace.root / "rates.json").put(
                settings.generator, device, settings.num_inference_steps or 1, settings.width or 0,
                settings.height or 0, self._seconds_now / self._drawn_now)

    def _progress(self) -> None:
        self._context.progress.update(min(self._done, self._total), self._total, failed=self._failed)

    def _chunk_size(self, chunk: int) -> int:
        return min(self._plan.chunk_images, len(self._plan.items) - chunk * self._plan.chunk_images)

    def _finished_by_killed_attempt(self, chunk: int) -> bool:
        shard_exists = self._workspace.shards.exists(self._plan.dataset, self._plan.shard(chunk))
        return shard_exists and chunk not in self._made_by_others

    def _counts_of_shard(self, chunk: int) -> dict[str, int]:
        facts = self._workspace.shards.contents(self._plan.dataset, self._plan.shard(chunk)).facts
        failed = sum(row["status"] == "failed" for row in facts)
        return {"generated": len(facts) - failed, "failed": failed, "skipped": self._chunk_size(chunk) - len(facts)}


def _make_plan(context: JobContext, workspace: Workspace, generator: ImageGenerator, device: str) -> Plan:
    config = context.config
    settings = resolve_settings(GenerationSettings(**config["settings"]), generator.info)
    batch_size = settings.batch_size or _default_batch_size(settings.generator, device)
    rate = Rates(workspace.root / "rates.json").get(
        settings.generator, device, settings.num_inference_steps or 1, settings.width or 0, settings.height or 0)
    chunk_images = settings.chunk_images or _chunk_images(rate.seconds, batch_size)
    captions = _captions(workspace, config)
    items = plan_items(captions, resolved_prompts(workspace, captions, settings))
    recorded = replace(settings, batch_size=batch_size,
                       prompt_template=recorded_template(settings.prompt_template, config.get("varied_prompt")))
    plan = Plan(config["dataset"], recorded, generator.info, items, chunk_images, config["created"])
    generator.check(request_of(next(plan.candidates(0))))
    return plan


def _captions(workspace: Workspace, config: Mapping[str, Any]) -> list[Any]:
    if config.get("caption_ids"):
        return [workspace.captions.get(config["dataset"], caption_id) for caption_id in config["caption_ids"]]
    captions = workspace.captions.load(config["dataset"])
    if config.get("captions", "all") == "kept":
        standing = standing_of(workspace, config["dataset"])
        captions = [caption for caption in captions if standing.counts(caption.id)]
    return captions[:config["limit"]] if config.get("limit") else captions


def _default_batch_size(generator: str, device: str) -> int:
    return _CPU_BATCH.get(generator, 1) if device == "cpu" else _CPU_BATCH.get(generator, _GPU_BATCH)


def _chunk_images(seconds_per_image: float, batch_size: int) -> int:
    """As many images as make about CHUNK_TARGET_S of work, in whole batches."""
    images = int(CHUNK_TARGET_S / max(seconds_per_image, 1e-4))
    return max(batch_size, min(_MAX_CHUNK_IMAGES, images) // batch_size * batch_size)


def _known_candidates(workspace: Workspace) -> Callable[[str], bool]:
    """A test for ids that stand in any shard at this moment, on a sorted array: 16 bytes per candidate."""
    workspace.columns.refresh()
    known = np.sort(workspace.columns.candidate_id)

    def is_done(candidate_id: str) -> bool:
        wanted = np.asarray(candidate_id.encode("ascii"), dtype=known.dtype)
        place = int(np.searchsorted(known, wanted))
        return place < len(known) and bool(known[place] == wanted)

    return is_done


def _made_before(context: JobContext, workspace: Workspace, plan: Plan) -> set[int]:
    """The chunks that other jobs had finished when this one first started: skipped work, not its own."""
    path = context.dir / "made_before.json"
    if not path.exists():
        names = set(workspace.shards.names(plan.dataset))
        made = [chunk for chunk in range(plan.chunk_count) if plan.shard(chunk) in names]
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(made), encoding="utf-8")
        os.replace(partial, path)
    return set(json.loads(path.read_text(encoding="utf-8")))


def _read_reports(ledger: Path) -> dict[int, dict[str, int]]:
    if not ledger.exists():
        return {}
    reports = {}
    for line in ledger.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a killed attempt
            continue
        reports[row.pop("chunk")] = row
    return reports
