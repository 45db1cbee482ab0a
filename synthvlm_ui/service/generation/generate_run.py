"""Counts, live pictures and progress of one attempt at a plan, written into the job directory.

Does not draw: whoever runs the chunks tells it what was shown and what came of each chunk.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from synthvlm_ui.generation import Plan, cascade_report
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import ChunkReport, Shown
from synthvlm_ui.service.generation.generate_plan import remember_rate
from synthvlm_ui.service.generation.rates import bytes_per_image
from synthvlm_ui.service.work.live import LiveWriter
from synthvlm_ui.store import Workspace


class GenerateRun:
    """Counts, live pictures and progress of one attempt at a plan."""

    def __init__(self, context: JobContext, workspace: Workspace, plan: Plan) -> None:
        self._context, self._workspace, self._plan = context, workspace, plan
        self._ledger = context.dir / "chunks.jsonl"
        self._reports = _read_reports(self._ledger)
        self._made_by_others = _made_before(context, workspace, plan)
        self.live = LiveWriter(context.live_dir)
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

    def record(self, chunk: int, report: ChunkReport, seconds: float | None = None) -> None:
        """Writes down a finished chunk; a chunk found as a shard without a line was finished by a killed attempt.

        ``seconds`` it took, where it was made by another process than this one.
        """
        now, drawn = time.monotonic(), report.generated + report.failed + report.gated
        if drawn:
            self._seconds_now += now - self._last_shown if seconds is None else seconds
        self._last_shown = now
        if not report.finished or chunk in self._reports:
            return
        counts: dict[str, Any] = {"generated": report.generated, "failed": report.failed, "skipped": report.skipped}
        if report.cascade:
            counts |= {"gated": report.gated, "cascade": dict(report.cascade)}
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

    def cascade(self) -> dict[str, Any]:
        """{gated, cascade}: what the drafts saved and changed, {} where there were none."""
        clip_min = self._plan.settings.draft_clip_min
        parts = [report["cascade"] for report in self._reports.values() if report.get("cascade")]
        if clip_min is None:
            return {}
        sums = {name: sum(part[name] for part in parts) for name in (parts[0] if parts else ())}
        steps = self._plan.settings.draft_num_inference_steps
        return {"gated": sum(report.get("gated", 0) for report in self._reports.values()),
                "cascade": cascade_report(sums, clip_min, steps) if sums else None}

    def remember_rate(self, device: str) -> None:
        if self._drawn_now >= 8 and self._seconds_now > 0:
            remember_rate(self._workspace, self._plan.settings, device, self._seconds_now / self._drawn_now)

    def _progress(self) -> None:
        self._context.progress.update(min(self._done, self._total), self._total, failed=self._failed)

    def _chunk_size(self, chunk: int) -> int:
        return min(self._plan.chunk_images, len(self._plan.items) - chunk * self._plan.chunk_images)

    def _finished_by_killed_attempt(self, chunk: int) -> bool:
        shard_exists = self._workspace.shards.exists(self._plan.dataset, self._plan.shard(chunk))
        return shard_exists and chunk not in self._made_by_others

    def _counts_of_shard(self, chunk: int) -> dict[str, int]:
        facts = self._workspace.shards.contents(self._plan.dataset, self._plan.shard(chunk)).facts
        failed, gated = (sum(row["status"] == status for row in facts) for status in ("failed", "gated"))
        return {"generated": len(facts) - failed - gated, "failed": failed, "gated": gated,
                "skipped": self._chunk_size(chunk) - len(facts)}


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


def _read_reports(ledger: Path) -> dict[int, dict[str, Any]]:
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
