"""The job that generates: plan once, then chunk after chunk, resumable at every point.

Runs in a worker process. The job directory keeps the plan and the counts; the shards say what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.generation import load_plan, save_plan
from synthvlm_ui.jobs import JobContext, LocalExecutor, slice_chunks
from synthvlm_ui.protocols import ImageGenerator
from synthvlm_ui.service.generation.chunk_maker import ChunkMaker
from synthvlm_ui.service.generation.generate_plan import make_plan
from synthvlm_ui.service.generation.generate_run import GenerateRun
from synthvlm_ui.service.generation.ray_chunks import run_under_ray
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace


def engine_said(generator: ImageGenerator) -> str:
    """What was chosen for this device, and from what."""
    choice = getattr(generator, "choice", None)
    return generator.info.engine + (f" ({choice.reason})" if choice is not None else "")


def run_generate(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Carries a generate job to its end or to the user's stop.

    Returns {generated, failed, skipped}, with {gated, cascade} after a draft cascade and {engine} where there was a
    choice.
    """
    if context.config.get("executor") == "ray":
        return run_under_ray(context, workspace)
    context.progress.update(0, 0, message="loading the generator")
    generator = engines.generator_of(context.config["settings"])
    if generator.info.engine:
        context.log(f"{generator.info.name} on {engines.device}: {engine_said(generator)}")
    plan = load_plan(context.dir)
    if plan is None:
        plan = make_plan(context.config, workspace, generator, engines.device)
        save_plan(plan, context.dir)
    context.progress.update(0, len(plan.items), message="loading the scorers")
    maker = ChunkMaker(workspace, plan, engines, context.config)
    run = GenerateRun(context, workspace, plan)
    chunks = slice_chunks(range(plan.chunk_count), context.config.get("worker"))

    def run_chunk(chunk: int) -> None:
        context.check_disk(workspace.root, run.chunk_bytes)
        run.live.begin_chunk(chunk)
        run.record(chunk, maker.make(chunk, show=run.show, should_stop=context.progress.should_stop))

    run.begin(chunks)
    LocalExecutor(run_chunk).run(chunks, context.progress)
    run.remember_rate(engines.device)
    return {**run.counts(), **run.cascade(),
            **({"engine": generator.info.engine} if generator.info.engine else {})}
