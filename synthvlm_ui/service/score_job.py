"""The job that scores what is already there: every shard of a dataset, only the numbers that are missing.

Runs in a worker process. Re-scoring with another model touches no other column, and a killed job resumes by itself,
because a written score file is the record that its shard is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import score_shard
from synthvlm_ui.service.engines import Engines
from synthvlm_ui.service.head_desk import PREFIX, HeadDesk
from synthvlm_ui.store import Workspace


def run_score(context: JobContext, workspace: Workspace, engines: Engines) -> Mapping[str, Any]:
    """Carries a score job to its end or to the user's stop. Returns {scored, failed, skipped}; a shard that does not
    read back is counted as failed and named in the log, and the rest goes on."""
    config = context.config
    scorers = engines.scorers(config["scorers"], config["clip_model"])
    desk = HeadDesk(workspace)
    heads = [desk.find(name.removeprefix(PREFIX)) for name in config["scorers"] if name.startswith(PREFIX)]
    shards = workspace.shards.names(config["dataset"])
    scored = failed = skipped = 0
    for number, shard in enumerate(shards):
        if context.progress.should_stop():
            break
        context.check_disk(workspace.root, 0)
        try:
            new, unreadable = score_shard(workspace, config["dataset"], shard, scorers, rescore=config["rescore"])
            # After the images, whose embeddings may just have been written.
            new = max(new, desk.score_shard(config["dataset"], shard, heads, rescore=config["rescore"]))
        except CorruptData as error:
            context.log(str(error))
            failed += 1
            continue
        scored, failed, skipped = scored + new, failed + unreadable, skipped + (new == 0)
        context.progress.update(number + 1, len(shards), failed=failed)
    return {"scored": scored, "failed": failed, "skipped": skipped}
