"""One chunk from plan to shard: overlapped as one after the other, stops, errors, drafts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthvlm_ui.errors import DeviceLost
from synthvlm_ui.generation import Draft, Plan, cascade_report, plan_items, resolve_settings
from synthvlm_ui.pipeline import ChunkEngines, ChunkReport, Shown, make_chunk
from synthvlm_ui.protocols import ScoredBatch, StagedGenerator, UInt8Image
from synthvlm_ui.records import Candidate, Caption, GenerationRequest, GenerationSettings, GeneratorInfo, ScorerInfo
from synthvlm_ui.scoring import build_scorers
from synthvlm_ui.store import Workspace

SIDE_PX = 32


class NoiseEngine:
    """A staged generator of noise: its pictures follow from prompt, seed and steps alone."""

    def __init__(self) -> None:
        self.info = GeneratorInfo("noise", "noise", "r", "none", SIDE_PX, SIDE_PX, 8, 1.0, engine="float32, by hand")
        self.batches: list[list[int]] = []
        self.prepared: list[str] = []

    def check(self, request: GenerationRequest) -> None:
        pass

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        self.prepared = [request.prompt for request in requests]

    def denoise(self, requests: Sequence[GenerationRequest]) -> list[np.ndarray]:
        self.batches.append([request.num_inference_steps for request in requests])
        return [np.random.default_rng([request.seed, request.num_inference_steps]).normal(size=(SIDE_PX, SIDE_PX, 3))
                for request in requests]

    def decode(self, latents: Any) -> list[UInt8Image | Exception]:
        return [np.clip(one * 40 + 128, 0, 255).astype(np.uint8) for one in latents]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        return self.decode(self.denoise(requests))


class PromptScorer:
    """clip_cosine by word of the caption: what a test wants a gate to see."""

    info = ScorerInfo("clip", ("clip_cosine",), {})

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        values = [float(caption.split()[-1]) for caption in captions]
        return ScoredBatch({"clip_cosine": np.array(values, np.float32)})


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()


def plan_of(engine: StagedGenerator, captions: int = 9, values: Sequence[float] = (0.3,), batch_size: int = 4,
            dataset: str = "set") -> Plan:
    texts = [Caption(f"c{number}", f"thing {number} {values[number % len(values)]}") for number in range(captions)]
    settings = resolve_settings(GenerationSettings("noise", batch_size=batch_size), engine.info)
    items = plan_items(texts, [[caption.caption] for caption in texts])
    return Plan(dataset, settings, engine.info, items, captions, "2026-01-01")


def make(workspace: Workspace, plan: Plan, engines: ChunkEngines, should_stop: Callable[[], bool] = lambda: False,
         show: Callable[[Shown], None] = lambda _: None) -> ChunkReport:
    return make_chunk(workspace, plan, 0, engines, is_done=lambda _: False, show=show, should_stop=should_stop)


def test_overlapped_makes_the_same_shard_and_scores_as_one_after_the_other(tmp_path: Path) -> None:
    made = []
    for overlap in (False, True):
        workspace, engine = Workspace.open(tmp_path / str(overlap)), NoiseEngine()
        plan, shown = plan_of(engine), list[str]()
        scorers = build_scorers("ssim,guards", lambda: pytest.fail("no CLIP"))
        report = make(workspace, plan, ChunkEngines(engine, scorers, overlap), show=lambda one, seen=shown: seen.append(
            one.candidate.id))
        assert report == ChunkReport(9)
        assert [len(batch) for batch in engine.batches] == [4, 4, 4], "the last batch is filled up"
        assert engine.prepared == [item.prompt for item in plan.items]
        members = list(workspace.shards.read("set", plan.shard(0)))
        assert shown == [candidate.id for candidate in plan.candidates(0)]
        assert {member.candidate.engine for member in members} == {"float32, by hand"}
        keys = sorted(workspace.scores.keys("set", plan.shard(0)))
        tables = [workspace.scores.read("set", plan.shard(0), key) for key in keys]
        made.append(([(one.candidate, one.image, one.thumbnail) for one in members], keys, repr(tables)))
        workspace.close()
    assert made[0] == made[1]


def test_a_stop_leaves_nothing_and_no_thread(workspace: Workspace) -> None:
    engine, before = NoiseEngine(), threading.active_count()
    plan = plan_of(engine, captions=40)
    report = make(workspace, plan, ChunkEngines(engine), should_stop=lambda: len(engine.batches) >= 2)
    assert not report.finished
    assert not workspace.shards.exists("set", plan.shard(0))
    assert threading.active_count() == before


@pytest.mark.parametrize("stage", ["prepare", "denoise", "decode"])
def test_a_lost_device_ends_the_run_whichever_stage_meets_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    engine, before = NoiseEngine(), threading.active_count()

    def lost(_: Any) -> Any:
        raise DeviceLost("the card is gone")

    monkeypatch.setattr(engine, stage, lost)
    plan = plan_of(engine)
    with pytest.raises(DeviceLost):
        make(workspace, plan, ChunkEngines(engine))
    assert not workspace.shards.exists("set", plan.shard(0))
    assert threading.active_count() == before


def test_a_broken_scorer_is_the_runs_error_and_a_broken_batch_is_rows(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = NoiseEngine()

    class Broken(PromptScorer):
        def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
            raise ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError):
        make(workspace, plan_of(engine), ChunkEngines(engine, [Broken()]))

    def sometimes(latents: Any) -> Any:
        if len(engine.batches) == 1:
            raise ValueError("a bad batch")
        return NoiseEngine.decode(engine, latents)

    engine.batches.clear()
    monkeypatch.setattr(engine, "decode", sometimes)
    report = make(workspace, plan_of(engine), ChunkEngines(engine, [PromptScorer()], overlap=False))
    assert (report.generated, report.failed) == (5, 4)


def test_a_viewer_that_breaks_stops_the_stages(workspace: Workspace) -> None:
    before = threading.active_count()

    def broken(_: Shown) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        make(workspace, plan_of(NoiseEngine(), captions=40), ChunkEngines(NoiseEngine()), show=broken)
    assert threading.active_count() == before


def cascade(engine: NoiseEngine, audit: float = 0.0) -> ChunkEngines:
    return ChunkEngines(engine, [PromptScorer()], draft=Draft(engine, PromptScorer(), 0.25, 2, audit=audit))


def test_only_captions_whose_draft_passes_are_drawn_in_full(workspace: Workspace) -> None:
    engine = NoiseEngine()
    plan = plan_of(engine, captions=8, values=(0.3, 0.2), batch_size=2)
    seen: list[Candidate] = []
    report = make(workspace, plan, cascade(engine), show=lambda one: seen.append(one.candidate))
    assert (report.generated, report.failed, report.gated) == (4, 0, 4)
    assert [batch[0] for batch in engine.batches] == [2] * 4 + [8] * 2, "eight drafts, four pictures"
    drawn = [one for one in seen if one.status == "ok"]
    whole = {candidate.id: candidate for candidate in plan.candidates(0)}
    assert all(one.id in whole and one.draft_clip_cosine == pytest.approx(0.3) for one in drawn)
    refused = [one for one in seen if one.status == "gated"]
    assert {one.error_message for one in refused} == {"not drawn: its draft's clip_cosine 0.200 is below 0.25"}
    assert not {one.id for one in refused} & set(whole), "a later run without drafts may still draw them"
    workspace.columns.refresh()
    assert int(workspace.columns.ok.sum()) == 4 and len(workspace.columns.ok) == 8
    told = cascade_report(report.cascade, 0.25, 2)
    assert (told["drafted"], told["passed"], told["audited"], told["gated"]) == (8, 4, 0, 4)
    assert told["missed"] is None


def test_the_audited_say_what_the_gate_costs(workspace: Workspace) -> None:
    engine = NoiseEngine()
    report = make(workspace, plan_of(engine, captions=40, values=(0.3, 0.2)), cascade(engine, audit=0.5))
    told = cascade_report(report.cascade, 0.25, 2)
    assert told["audited"] and told["gated"] and told["audited"] + told["gated"] == 20
    assert told["audited_that_reached_it"] == 0 and told["missed"] == 0.0
    assert report.generated == 20 + told["audited"]


def test_what_was_saved_is_reckoned_from_the_seconds() -> None:
    sums = {"drafted": 100, "passed": 60, "audited": 10, "gated": 30, "audited_reached": 2, "drawn_reached": 55,
            "drawn": 70, "draft_s": 5.0, "full_s": 70.0}
    told = cascade_report(sums, 0.25, 2)
    assert told["saved_s"] == pytest.approx(25) and told["saved_share"] == pytest.approx(0.25)
    assert told["missed"] == 6


def test_a_row_says_how_it_was_computed_and_its_id_does_not_depend_on_it() -> None:
    candidate = next(plan_of(NoiseEngine()).candidates(0))
    assert Candidate.id_of(replace(candidate, engine="float16").to_json()) == candidate.id
