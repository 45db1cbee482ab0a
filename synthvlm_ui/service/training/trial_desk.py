"""Trying a finished model on a picture of one's own, beside what it was before it was trained.

Checks the picture as an import would; the process that answers questions opens the models. Never imports torch.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from synthvlm_ui.comparison import RefusedImage, read_real_image
from synthvlm_ui.errors import ModelUnavailable, UnreadableFile
from synthvlm_ui.service.work.query import QueryDesk
from synthvlm_ui.training import RunDirectory

_LONGEST_PX = 1024
_LIMIT_S = 600.0


class TrialDesk:
    """``studio.trials``."""

    def __init__(self, queries: QueryDesk) -> None:
        self._queries = queries

    def caption(self, model: str, image: bytes, name: str = "image") -> dict[str, Any]:
        """What the model in a directory says of a picture, and what it said untrained where a training left word of it:
        {model, captions: {trained, untrained}, width, height}.

        Raises: UnreadableFile (no picture, as for an import), ModelUnavailable, OutOfMemory, WorkerDied.
        """
        directory = Path(model).expanduser().absolute()
        if not any((directory / place / "config.json").is_file() for place in ("", "vlm")):
            raise ModelUnavailable("there is no captioner", where=model,
                                   fix="Name a directory that synth2-tokens, synth2-pixels or a LLaVA recipe trained.")
        try:
            pixels = read_real_image(image).pixels
        except RefusedImage as reason:
            raise UnreadableFile(f"this picture cannot be used: {reason}", where=name,
                                 fix="Give a JPEG, PNG or WebP file.") from reason
        seen = Image.fromarray(pixels)
        seen.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        seen.save(buffer, "PNG")
        kinds = ["trained", "untrained"] if RunDirectory(directory).settings() else ["trained"]
        answer = self._queries.ask("caption", {
            "model": str(directory), "image": base64.b64encode(buffer.getvalue()).decode("ascii"), "kinds": kinds},
            _LIMIT_S)
        return {"model": str(directory), **answer, "width": int(pixels.shape[1]), "height": int(pixels.shape[0])}
