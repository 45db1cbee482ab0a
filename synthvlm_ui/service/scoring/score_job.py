"""The job that scores what is already there: every shard of a dataset, only the numbers that are missing.

Runs in a worker process. Re-scoring with another model touches no other column, and a killed job resumes by itself,
because a written score file is the record that its shard is done; where there was one before (``rescore``) the job
directory says which shards it has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import score_shard
from synthvlm_ui.service.scoring.head_desk import PREFIX, HeadDesk
from synthvlm_ui.service.work.engines import Engines
from synthvlm_ui.store import Workspace


def run_score(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Carries a score job to its end or to the user's stop. Returns {scored, failed, skipped}; a shard that does not
    read back is counted as failed and named in the log, and the rest goes on."""
    config = context.config
    scorers = engines.scorers(config["scorers"], config["clip_model"])
    desk = HeadDesk(workspace)
    heads = [desk.find(name.removeprefix(PREFIX)) for name in config["scorers"] if name.startswith(PREFIX)]
    shards = workspace.shards.names(config["dataset"])
    rescored = _Rescored(context.dir / "rescored.txt") if config["rescore"] else None
    scored = failed = skipped = 0
    for number, shard in enumerate(shards):
        if context.progress.should_stop():
            break
        if rescored is not None and shard in rescored.names:
            skipped += 1
            continue
        context.check_disk(workspace.root, 0)
        try:
            new, unreadable = score_shard(workspace, config["dataset"], shard, scorers, rescore=config["rescore"])
            # After the images, whose embeddings may just have been written.
            new = max(new, desk.score_shard(config["dataset"], shard, heads, rescore=config["rescore"]))
        except CorruptData as error:
            context.log(str(error))
            failed += 1
            continue
        if rescored is not None:
            rescored.add(shard)
        scored, failed, skipped = scored + new, failed + unreadable, skipped + (new == 0)
        context.progress.update(number + 1, len(shards), failed=failed)
    return {"scored": scored, "failed": failed, "skipped": skipped}


class _Rescored:
    """The shards that earlier attempts of this job have scored anew, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Without the last piece: the line of an attempt that was killed while it wrote.
        self.names = set(path.read_text(encoding="utf-8").split("\n")[:-1]) if path.exists() else set()

    def add(self, shard: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(shard + "\n")
