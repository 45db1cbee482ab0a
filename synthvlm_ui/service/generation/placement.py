"""Where a generation runs: here, as one share of several processes, or on a Ray cluster; and the queue that means.

Starts nothing and opens no Ray.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synthvlm_ui.config import REPOSITORY, environment
from synthvlm_ui.errors import BadSetting, SynthVLMError
from synthvlm_ui.jobs import RayCluster, require_ray, slice_chunks
from synthvlm_ui.records import short_hash

EXECUTORS = ("local", "ray")
RAY_QUEUE = "ray"
_MAX_ARRAY = 10_000
_NAMED_CLUSTER = ("The cluster that SYNTHVLM_RAY_ADDRESS names. Its machines must mount the workspace under the same "
                  "path.")
_CLUSTER_STARTED_HERE = ("Ray is started on this machine for the run. For a cluster, start the app with "
                         "SYNTHVLM_RAY_ADDRESS=HOST:6379.")
_SLURM = ("Nothing starts from here: run the line below on a machine that has sbatch and mounts the workspace under "
          "the same path. Each task makes its share, and what fails is made by running the line again.")


@dataclass(frozen=True, slots=True)
class Placement:
    """``worker`` is a share "I/N" of the chunks; ``ray_address`` empty means the environment's, then this machine."""

    executor: str = "local"
    worker: str | None = None
    ray_address: str = ""
    ray_workers: int | None = None
    ray_cpus: int | None = None

    def check(self) -> None:
        """Raises: BadSetting, ModelUnavailable when Ray is asked for and not installed."""
        slice_chunks([], self.worker)
        if self.executor not in EXECUTORS:
            raise BadSetting(f"executor {self.executor!r} is not known", where="--executor",
                             fix=f"Use one of {', '.join(EXECUTORS)}.")
        if self.executor == "ray":
            if self.worker is not None:
                raise BadSetting("Ray hands out the chunks itself", where="--worker",
                                 fix="Leave --worker out, or use --executor local.")
            require_ray()
            self.cluster()

    def cluster(self) -> RayCluster:
        """Raises: BadSetting."""
        address = self.ray_address or environment("RAY_ADDRESS", os.environ.get("RAY_ADDRESS", ""))
        return RayCluster(address, self.ray_workers, self.ray_cpus)

    def config(self) -> dict[str, Any]:
        """What the job keeps of it."""
        if self.executor == "ray":
            return {"executor": "ray", "worker": None, "ray": asdict(self.cluster())}
        return {"executor": "local", "worker": self.worker}

    def queue(self, device: str) -> str:
        """Jobs of one queue wait for each other; shares must not, wherever they run over one shared workspace."""
        if self.executor == "ray":  # a process that has had a Ray of its own, with a secret, reaches no cluster
            address = self.cluster().address
            return f"{RAY_QUEUE}.{short_hash(address)[:8]}" if address else RAY_QUEUE
        if self.worker is None:
            return device
        host = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname()) or "here"
        return f"{device}.{host}.{self.worker.strip().replace('/', 'of')}"

    def words(self) -> list[str]:
        """The options of the command line that say the same."""
        said = {"--executor": self.executor if self.executor != "local" else None, "--worker": self.worker,
                "--ray-address": self.ray_address or None, "--ray-workers": self.ray_workers,
                "--ray-cpus": self.ray_cpus}
        return [word for option, value in said.items() if value is not None for word in (option, str(value))]


def executors_here() -> list[dict[str, Any]]:
    """[{"name", "ready", "note"}] of the ways to run, for whoever chooses one. Which cluster Ray is, only the
    environment says: the address decides who is sent this process's work, so no page may name it."""
    try:
        require_ray()
        named = bool(Placement("ray").cluster().address)
        ready, note = True, _NAMED_CLUSTER if named else _CLUSTER_STARTED_HERE
    except SynthVLMError as error:
        ready, note = False, f"{error}"
    return [{"name": "local", "ready": True, "note": ""}, {"name": "ray", "ready": ready, "note": note},
            {"name": "slurm", "ready": True, "note": _SLURM}]


def device_of_queue(queue: str) -> str:
    """The device on which the worker of a queue works."""
    return queue.partition(".")[0]


def is_share(queue: str) -> bool:
    """Whether the queue is that of one share, whose worker has nothing to wait for after its job."""
    return "." in queue


def slurm_script(words: Sequence[str], tasks: int, device: str) -> str:
    """A script for sbatch that runs the command of ``words`` (program first) as an array, one share to a task.

    Every task names its device and so cuts the chunks alike. Raises: BadSetting.
    """
    if not 1 <= tasks <= _MAX_ARRAY:
        raise BadSetting(f"an array of {tasks} tasks", where="--show-slurm", fix=f"Give 1 to {_MAX_ARRAY}.")
    resource = "--cpus-per-task=4" if device == "cpu" else "--gpus=1"
    command = shlex.join([sys.executable, *words[1:], "--device", "cpu" if device == "cpu" else "cuda"])
    return "\n".join([
        "#!/bin/bash", "#SBATCH --job-name=synthvlm", f"#SBATCH --array=1-{tasks}", f"#SBATCH {resource}",
        f"cd {shlex.quote(str(REPOSITORY))} &&", f'exec {command} --worker "$SLURM_ARRAY_TASK_ID/{tasks}"', ""])
