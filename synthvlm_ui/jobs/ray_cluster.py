"""A Ray cluster to run on: an existing one by its address, or one started on this machine for as long as it is used.

Ray reports nothing to its makers (usage statistics off), has no dashboard, and one that is started here listens on
loopback only and answers nobody without the secret of this process. Knows no job. The one module that opens Ray.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from synthvlm_ui.errors import BadSetting, Failure, ModelUnavailable

_OBJECT_STORE_BYTES = 100 * 2**20  # numbers only pass through it, never pixels
_DEFAULT_CPUS_PER_WORKER = 4
_CONNECT_PATIENCE_S = 10.0
_SECRET = secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Which cluster, and how it is cut into workers. ``address`` is HOST:PORT or "auto" of a running cluster; empty
    starts Ray on this machine. ``workers`` None: one for each card, or as many as the processors feed.

    Raises: BadSetting.
    """

    address: str = ""
    workers: int | None = None
    cpus_per_worker: int | None = None

    def __post_init__(self) -> None:
        if self.address.startswith("ray://"):
            raise BadSetting("a ray:// address is that of Ray's client server", where="--ray-address",
                             fix="Run this on a machine of the cluster and give HOST:6379 or auto.")
        for option, value in (("--ray-workers", self.workers), ("--ray-cpus", self.cpus_per_worker)):
            if value is not None and value < 1:
                raise BadSetting(f"{option} is {value}", where=option, fix="Give 1 or more.")


@dataclass(frozen=True, slots=True)
class WorkerShape:
    """What each worker is given, and how many of them are started."""

    device: str
    count: int
    cpus: int
    gpus: int


def require_ray() -> None:
    """Raises: ModelUnavailable when the optional package is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ModelUnavailable("the package ray is not installed", where="--executor ray",
                               fix="Run: pip install ray, on every machine of the cluster.")


@contextmanager
def connected(cluster: RayCluster) -> Iterator[Any]:
    """The module ``ray``, connected; what was started for it ends with the block. Raises: Failure, ModelUnavailable."""
    require_ray()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if not cluster.address:
        # The switch by which Ray itself stays on 127.0.0.1 on desktop systems: without it every service of it listens
        # on all interfaces.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        # One secret for a process: Ray reads it once, and a second Ray with another one would not come up.
        os.environ["RAY_AUTH_TOKEN"] = _SECRET
    import ray

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _connect(ray, cluster.address)
        for number, handler in handlers.items():  # Ray's own would end this process instead of the job in it
            signal.signal(number, handler)
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": "error", "include_dashboard": None if address else False}
    try:
        if address:
            _answers(address)
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", object_store_memory=_OBJECT_STORE_BYTES, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise Failure(f"Ray cannot be reached: {reason}", where=address or "this machine",
                      fix="Start it with: ray start --head, and give the address that it prints.") from error


def _answers(address: str) -> None:
    """Ray itself tries an address where nobody listens for ever. Raises: OSError, ValueError."""
    host, _, port = address.rpartition(":")
    if host:  # "auto" is looked up among the processes that live here
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_PATIENCE_S).close()


def shape_of(cluster: RayCluster, device: str, resources: Mapping[str, float]) -> WorkerShape:
    """How the cluster's resources become workers on ``device`` ("auto" takes cards where the cluster has any).

    Raises: BadSetting when cards are asked for and the cluster has none.
    """
    cards, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if device == "auto":
        device = "cuda" if cards else "cpu"
    if device.startswith("cuda"):
        if not cards:
            raise BadSetting("this Ray cluster has no GPU", where="--device", fix="Add a machine with one, or use cpu.")
        return WorkerShape("cuda", cluster.workers or cards, cluster.cpus_per_worker or 1, 1)
    each = min(cluster.cpus_per_worker or _DEFAULT_CPUS_PER_WORKER, max(1, cpus))
    return WorkerShape(device, cluster.workers or max(1, cpus // each), each, 0)
