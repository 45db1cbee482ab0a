"""Captions of one picture by a finished model and by what it was before, inside the process that answers questions.

Opens models of both kinds that training leaves; keeps the last few. Knows no workspace.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from synthvlm_ui.backends import resolve_weights
from synthvlm_ui.errors import OutOfMemory
from synthvlm_ui.service.training.train_job import MODEL_FILES
from synthvlm_ui.training import RunDirectory, shapes_of

_KEPT = 2
_BYTES = 4
TRAINED, UNTRAINED = "trained", "untrained"


def caption(payload: Mapping[str, Any], opened: dict[str, Any]) -> dict[str, Any]:
    """{captions: {trained: text, untrained: text}} of the picture ``image`` (an encoded file in base64) by the model in
    ``model``. ``opened`` keeps captioners between questions. Raises: ModelUnavailable, OutOfMemory."""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(payload["image"]))).convert("RGB"))
    directory = Path(payload["model"])
    found = {}
    for kind, open_one in ((TRAINED, _trained), (UNTRAINED, _untrained)):
        if kind in payload["kinds"]:
            captioner = _kept(opened, f"{kind} {directory} {_stamp(directory)}", partial(open_one, directory))
            found[kind] = captioner.caption([pixels])[0]
    return {"captions": found}


def _kept(opened: dict[str, Any], key: str, make: Callable[[], Any]) -> Any:
    if key not in opened:
        while len(opened) >= _KEPT:
            del opened[next(iter(opened))]
        opened[key] = make()
    return opened[key]


def _trained(directory: Path) -> Any:
    from synthvlm_ui.evaluation.captioners import load_captioner

    _check_memory(directory)
    return load_captioner(directory)


def _untrained(directory: Path) -> Any:
    from synthvlm_ui.evaluation.captioners import TransformersCaptioner, load_captioner

    settings = RunDirectory(directory).settings()
    start = settings.get("init_from")
    if str(settings.get("recipe", "")).startswith("llava"):
        from synthvlm_ui.training.llava_model import open_untrained

        vision = settings.get("vision_tower")
        model = resolve_weights(str(start), MODEL_FILES)
        _check_memory(model)
        return TransformersCaptioner.of(*open_untrained(
            model, resolve_weights(vision, MODEL_FILES) if vision else None, int(settings.get("seed") or 0)))
    if start and settings.get("continues") and (Path(start) / "vlm").is_dir():
        return load_captioner(Path(start))
    return load_captioner(directory, trained=False)


def _check_memory(directory: Path) -> None:
    """Raises: OutOfMemory when 32-bit weights would not fit; here is the processor only."""
    needed = _BYTES * sum(math.prod(shape) for _, shape in shapes_of(directory))
    free = psutil.virtual_memory().available
    if needed > free:
        raise OutOfMemory(f"the model needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free",
                          where=str(directory), fix="Try it on a machine with more memory.")


def _stamp(directory: Path) -> int:
    """Changes when a training has written the model anew."""
    files = [directory / "config.json", directory / "vlm" / "config.json"]
    return max((path.stat().st_mtime_ns for path in files if path.is_file()), default=0)
