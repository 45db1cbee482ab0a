"""Makes the chunks of one generate job, in whichever process: the function that every executor runs.

Does not know which chunks it will be given, nor who counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.generation import Draft, Plan
from synthvlm_ui.pipeline import ChunkEngines, ChunkReport, Shown, make_chunk
from synthvlm_ui.protocols import ImageGenerator, Scorer
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace


class ChunkMaker:
    """The engines and the plan of a job, ready to draw. Candidates that stand in any shard when it is made are skipped.

    Raises: UnknownName, ModelUnavailable, OutOfMemory.
    """

    def __init__(self, workspace: Workspace, plan: Plan, engines: Engines, config: Mapping[str, Any]) -> None:
        self._workspace, self._plan = workspace, plan
        generator = engines.generator(plan.settings.generator, plan.settings.engine())
        scorers = engines.scorers(config["scorers"], config["clip_model"])
        draft = draft_of(plan.settings, generator, scorers, engines)
        # On a processor the stages want the same cores: side by side the small world took 4 s for 3.
        self._tools = ChunkEngines(generator, scorers, engines.device.startswith("cuda"), draft)
        self._is_done = known_candidates(workspace)

    @property
    def engine(self) -> str:
        """How the generator is put together here; empty where there was no choice."""
        return self._tools.generator.info.engine

    def make(self, chunk: int, *, show: Callable[[Shown], None], should_stop: Callable[[], bool]) -> ChunkReport:
        """One chunk to its shard, or to a stop that leaves nothing. Raises: OutOfMemory, DiskFull."""
        return make_chunk(self._workspace, self._plan, chunk, self._tools, is_done=self._is_done, show=show,
                          should_stop=should_stop)


def draft_of(settings: GenerationSettings, generator: ImageGenerator, scorers: Sequence[Scorer],
             engines: Engines) -> Draft | None:
    """The cascade that the settings ask for, by the same generator in fewer steps or by another one with its own.

    Raises: BadSetting without CLIP, UnknownName, ModelUnavailable, OutOfMemory.
    """
    if settings.draft_clip_min is None:
        return None
    clip = next((scorer for scorer in scorers if "clip_cosine" in scorer.info.columns), None)
    if clip is None:
        raise BadSetting("drafts are judged by CLIP, and no clip scorer was asked for", where="--draft-clip-min",
                         fix="Add clip to --scorers.")
    steps = settings.draft_num_inference_steps
    if settings.draft_generator is None:
        return Draft(generator, clip, settings.draft_clip_min, steps or 1, audit=settings.draft_audit)
    drafter = engines.drafter(settings.draft_generator)
    info = drafter.info
    return Draft(drafter, clip, settings.draft_clip_min, steps or info.default_num_inference_steps,
                 info.default_guidance_scale, (info.native_width_px, info.native_height_px), settings.draft_audit)


def known_candidates(workspace: Workspace) -> Callable[[str], bool]:
    """A test for ids that stand in any shard at this moment, on a sorted array: 16 bytes per candidate."""
    workspace.columns.refresh()
    known = np.sort(workspace.columns.candidate_id)

    def is_done(candidate_id: str) -> bool:
        wanted = np.asarray(candidate_id.encode("ascii"), dtype=known.dtype)
        place = int(np.searchsorted(known, wanted))
        return place < len(known) and bool(known[place] == wanted)

    return is_done
