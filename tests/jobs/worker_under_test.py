"""A real worker process with small handlers: ``worker_under_test.py JOBS DEVICE IDLE_S``; imports only jobs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.jobs import JobContext, LocalExecutor, Worker


def count(context: JobContext) -> Mapping[str, Any]:
    """Writes one file per step, as chunks do, and skips those an earlier run wrote."""
    steps, out = int(context.config["steps"]), Path(context.config["out"])
    out.mkdir(exist_ok=True)
    missing = [step for step in range(steps) if not (out / str(step)).exists()]
    context.progress.update(steps - len(missing), steps)

    def run_chunk(step: int) -> None:
        time.sleep(float(context.config.get("seconds", 0)))
        (out / str(step)).write_text(str(os.getpid()))
        context.progress.update(len(list(out.iterdir())), steps, message=f"step {step}")
        context.metrics({"step": step, "loss": float("nan")})

    LocalExecutor(run_chunk).run(missing, context.progress)
    return {"steps": len(list(out.iterdir()))}


def order(context: JobContext) -> Mapping[str, Any]:
    with open(context.config["out"], "a") as stream:
        stream.write(f"{context.id}\n")
    return {"pid": os.getpid()}


def refuse(context: JobContext) -> Mapping[str, Any]:
    raise BadSetting("width 1001 is not a multiple of 8", where="--width", fix="Use 1000 or 1008.")


def break_down(context: JobContext) -> Mapping[str, Any]:
    raise RuntimeError("the engine broke")


def need_disk(context: JobContext) -> Mapping[str, Any]:
    context.progress.update(0, 1, message="drawing")
    context.check_disk(context.dir, int(context.config.get("needed_bytes", 0)))
    return {"went_on": True}


def fork(context: JobContext) -> Mapping[str, Any]:
    """Leaves a forked child behind, as a data loader does; its number is reported as the total."""
    child = os.fork()
    if child == 0:
        time.sleep(15)
        os._exit(0)
    context.progress.update(1, child)
    time.sleep(30)
    return {}


def free_bytes(path: Path) -> int:
    return int((path / "free_bytes").read_text()) if (path / "free_bytes").exists() else 0


HANDLERS = {"count": count, "order": order, "refuse": refuse, "break_down": break_down, "need_disk": need_disk,
            "fork": fork}

if __name__ == "__main__":
    Worker(sys.argv[1], sys.argv[2], HANDLERS, float(sys.argv[3]), free_bytes=free_bytes, disk_poll_s=0.05).run()
