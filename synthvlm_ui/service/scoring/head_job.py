"""The job that learns a head from a dataset's verdicts and scores the dataset with it.

Needs no model: embeddings are stored already. Knows no particular head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.service.scoring.head_desk import HeadDesk
from synthvlm_ui.store import Workspace


def run_head(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Returns what learning found, see HeadDesk.learn, and {scored, failed}: images scored with it, shards left out."""
    config, desk = context.config, HeadDesk(workspace)
    context.progress.update(0, 0, message="learning")
    learnt = desk.learn(config["dataset"], config["name"], seed=config["seed"])
    head, shards = desk.find(config["name"]), workspace.shards.names(config["dataset"])
    scored = failed = 0
    for number, shard in enumerate(shards):
        if context.progress.should_stop():
            break
        try:
            scored += desk.score_shard(config["dataset"], shard, [head], rescore=False)
        except CorruptData as error:
            context.log(str(error))
            failed += 1
        context.progress.update(number + 1, len(shards), failed=failed, message="scoring with the head")
    return {**learnt, "scored": scored, "failed": failed}
