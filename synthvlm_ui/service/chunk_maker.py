"""Makes the chunks of one generate job, in whichever process: the function that every executor runs.

Does not know which chunks it will be given, nor who counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from synthvlm_ui.generation import Plan
from synthvlm_ui.pipeline import ChunkEngines, ChunkReport, Shown, make_chunk
from synthvlm_ui.service.engines import Engines
from synthvlm_ui.store import Workspace


class ChunkMaker:
    """The engines and the plan of a job, ready to draw. Candidates that stand in any shard when it is made are skipped.

    Raises: UnknownName, ModelUnavailable, OutOfMemory.
    """

    def __init__(self, workspace: Workspace, plan: Plan, engines: Engines, config: Mapping[str, Any]) -> None:
        self._workspace, self._plan = workspace, plan
        generator = engines.generator(config["settings"]["generator"])
        self._tools = ChunkEngines(generator, engines.scorers(config["scorers"], config["clip_model"]))
        self._is_done = known_candidates(workspace)

    def make(self, chunk: int, *, show: Callable[[Shown], None], should_stop: Callable[[], bool]) -> ChunkReport:
        """One chunk to its shard, or to a stop that leaves nothing. Raises: OutOfMemory, DiskFull."""
        return make_chunk(self._workspace, self._plan, chunk, self._tools, is_done=self._is_done, show=show,
                          should_stop=should_stop)


def known_candidates(workspace: Workspace) -> Callable[[str], bool]:
    """A test for ids that stand in any shard at this moment, on a sorted array: 16 bytes per candidate."""
    workspace.columns.refresh()
    known = np.sort(workspace.columns.candidate_id)

    def is_done(candidate_id: str) -> bool:
        wanted = np.asarray(candidate_id.encode("ascii"), dtype=known.dtype)
        place = int(np.searchsorted(known, wanted))
        return place < len(known) and bool(known[place] == wanted)

    return is_done
