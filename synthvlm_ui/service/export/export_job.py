"""The job that writes an export. Runs in a worker process; a stopped or killed one leaves no half-written folder, and
takes up again what it had converted when it is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.jobs import JobContext, JobStopped
from synthvlm_ui.store import Workspace

if TYPE_CHECKING:
    from synthvlm_ui.service.export.export_desk import ExportRequest

_LOOKS_EVERY_PAIRS = 50


def run_export(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries an export to its end or to the user's stop. Returns {out, written, manifest_sha256, skipped, splits}."""
    from synthvlm_ui.service.studio import Studio

    request = _request_of(context.config)

    def watch(done: int, total: int) -> None:
        if done % _LOOKS_EVERY_PAIRS == 0 or done == total:
            context.progress.update(done, total)
            if context.progress.should_stop():
                raise JobStopped

    return Studio(workspace).exports.run(request, watch, context.dir / "converted")


def _request_of(config: Mapping[str, Any]) -> ExportRequest:
    from synthvlm_ui.service.export.export_desk import ExportRequest

    return ExportRequest(**{name: config[name] for name in ExportRequest.__dataclass_fields__})
