"""Long work that outlives the window it was started from: job directories, detached workers, one queue per device.

The job directory is the single truth; browser, command line and workers only read and write its files. Knows no room,
no store and no model: the service registers one handler per kind of job. Needs file locks (Linux, macOS).
"""

from synthvlm_ui.jobs.context import JobContext, JobStopped, free_bytes_at
from synthvlm_ui.jobs.directory import JobDirectory
from synthvlm_ui.jobs.executors import LocalExecutor, slice_chunks
from synthvlm_ui.jobs.follow import follow
from synthvlm_ui.jobs.launch import end_worker, ensure_worker, worker_log_path, worker_state
from synthvlm_ui.jobs.ray_cluster import RayCluster, connected, require_ray, shape_of
from synthvlm_ui.jobs.ray_executor import ChunkWorker, RayExecutor
from synthvlm_ui.jobs.worker import Handler, Worker

__all__ = [
    "ChunkWorker",
    "Handler",
    "JobContext",
    "JobDirectory",
    "JobStopped",
    "LocalExecutor",
    "RayCluster",
    "RayExecutor",
    "Worker",
    "connected",
    "end_worker",
    "ensure_worker",
    "follow",
    "free_bytes_at",
    "require_ray",
    "shape_of",
    "slice_chunks",
    "worker_log_path",
    "worker_state",
]
