"""Optional places for a training's numbers beside its own metrics.jsonl: TensorBoard files or a local trackio project.

Both write to this machine only. Neither is required, and neither is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from synthvlm_ui.errors import ModelUnavailable, UnknownName

TRACKERS = ("tensorboard", "trackio")
_FOLDERS = {"tensorboard": "tensorboard", "trackio": "trackio"}


class Tracker(Protocol):
    """Takes the numbers of a step."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def require_tracker(name: str) -> str:
    """Where its numbers will be, in words. Raises: UnknownName, ModelUnavailable when its package is missing."""
    if name not in TRACKERS:
        raise UnknownName.of("tracker", name, list(TRACKERS))
    if importlib.util.find_spec(name) is None:
        raise ModelUnavailable(f"{name} is not installed", where="--log-to", fix=f"Install it: pip install {name}.")
    return f"{name} writes below run/{_FOLDERS[name]} of the output directory"


def open_tracker(name: str, out: Path, run: str, settings: Mapping[str, Any]) -> Tracker:
    """Opens the tracker of one run; a resumed run goes on under its own name. Raises: as ``require_tracker``."""
    require_tracker(name)
    folder = out / "run" / _FOLDERS[name]
    return _TensorBoard(folder / run) if name == "tensorboard" else _Trackio(folder, out.name, run, settings)


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), flush_secs=5)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Trackio:
    def __init__(self, folder: Path, project: str, run: str, settings: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["TRACKIO_DIR"] = str(folder)  # read when it is imported
        trackio: Any = importlib.import_module("trackio")
        plain = {name: value for name, value in settings.items() if isinstance(value, str | int | float)}
        self._trackio = trackio
        trackio.init(project=project or "training", name=run, config=plain, resume="allow")

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._trackio.log(dict(numbers), step=step)

    def close(self) -> None:
        self._trackio.finish()
