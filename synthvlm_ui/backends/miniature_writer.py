"""The small world's language model as a caption writer: it continues an opening, and follows no instruction.

Knows no grammar and no class; the openings are the service's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting, GenerationFailed
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.storage import WEIGHTS
from synthvlm_ui.protocols import WriteRequest
from synthvlm_ui.records import WriterInfo

GREEDY_TEMPERATURE = 1e-4


class MiniatureWriter:
    """Continues openings such as "a red cat"; its own length limits every text.

    Args: ``directory`` holds the part ``lm``. Raises: ModelUnavailable when it is not there.
    """

    def __init__(self, directory: Path = MINIATURE, device: str = "cpu", name: str = "miniature") -> None:
        torchvision_ops.ensure_importable()
        self._language = load_language_model(directory / "lm", device)
        self.info = WriterInfo(
            name=name, model=f"{directory.name}/lm", revision=_digest(directory / "lm" / WEIGHTS),
            profile="small-world", follows_instructions=False, concurrency=64, licence="Apache-2.0",
            notes="Writes the sentences of the small world only; a text does not depend on its batch.",
        )

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]:
        """One continued text per request, opening included, or why there is none."""
        results: list[str | Exception] = [GenerationFailed("not written")] * len(requests)
        good = []
        for index, request in enumerate(requests):
            problem = _problem(request)
            if problem is None:
                good.append(index)
            else:
                results[index] = problem
        if good:
            wanted = [requests[index] for index in good]
            texts = self._language.continue_each(
                [request.prompt for request in wanted], [request.seed for request in wanted],
                [max(request.temperature, GREEDY_TEMPERATURE) for request in wanted],
                [request.max_new_tokens for request in wanted])
            for index, text in zip(good, texts, strict=True):
                results[index] = text
        return results


def _problem(request: WriteRequest) -> BadSetting | None:
    if request.image is not None:
        return BadSetting("the small world's writer reads no images", fix="Name a vision-language model.")
    if not 0 <= request.temperature <= 10:
        return BadSetting(f"temperature {request.temperature:g}", fix="Use 0 to 10; 1 is the default.")
    if request.max_new_tokens < 1:
        return BadSetting(f"max_new_tokens is {request.max_new_tokens}", fix="Use 1 or more.")
    return None


def _digest(weights: Path) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
