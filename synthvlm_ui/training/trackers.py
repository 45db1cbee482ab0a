"""Optional places for a training's numbers beside its own metrics.jsonl: TensorBoard files or a local trackio project.

Both write to this machine only. Neither is required, and neither is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from synthvlm_ui.errors import ModelUnavailable, UnknownName

TRACKERS = ("tensorboard", "trackio")
_PROJECT = "synthvlm-ui"
_PLACES = {"tensorboard": "files below run/tensorboard of the output directory",
           "trackio": f"the project {_PROJECT} where trackio keeps its runs (TRACKIO_DIR)"}


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
    return f"{name}: {_PLACES[name]}"


def open_tracker(name: str, out: Path, run: str, settings: Mapping[str, Any]) -> Tracker:
    """Opens the tracker of one run; a resumed run goes on under its own name. Raises: as ``require_tracker``."""
    require_tracker(name)
    if name == "tensorboard":
        return _TensorBoard(out / "run" / "tensorboard" / run)
    return _Trackio(f"{out.name} {run}", settings)


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
    def __init__(self, run: str, settings: Mapping[str, Any]) -> None:
        trackio: Any = importlib.import_module("trackio")
        plain = {name: value for name, value in settings.items() if isinstance(value, str | int | float)}
        self._trackio = trackio
        trackio.init(project=_PROJECT, name=run, config=plain, resume="allow")

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._trackio.log(dict(numbers), step=step)

    def close(self) -> None:
        self._trackio.finish()
