"""A chunk worker for Ray's processes whose card is lost as often as a file says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import DeviceLost


@dataclass(frozen=True)
class FlakyCard:
    folder: str
    lost_at: int
    times: int

    def prepare(self) -> dict[str, Any]:
        return {"planned": True}

    def run_chunk(self, chunk: int) -> dict[str, Any]:
        losses = Path(self.folder, "losses")
        seen = losses.read_text().split() if losses.exists() else []
        if chunk == self.lost_at and len(seen) < self.times:
            losses.write_text(" ".join([*seen, str(os.getpid())]))
            raise DeviceLost("cuda stopped answering", where="a test", fix="Resume the job.")
        return {"process": os.getpid()}

    def stop(self) -> None: ...
