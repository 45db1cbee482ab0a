"""The JSON that every format carries beside its own: scores, provenance, the rule.

Holds nothing that differs between two runs over the same data, such as times, so that equal exports have equal hashes.
"""

from __future__ import annotations

import json
import math
from typing import Any

from synthvlm_ui.export.items import ExportItem
from synthvlm_ui.records import Selection

_TIMES = ("created", "status", "error_message")


def line(value: Any) -> str:
    """One line of JSON, ended. NaN and infinities become null, as JSON has none."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """The value in JSON's own kinds; numpy numbers become Python's."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def facts_of(item: ExportItem) -> dict[str, Any]:
    """{"id", "scores", "provenance"} of one pair."""
    provenance = {name: value for name, value in item.candidate.to_json().items() if name not in ("id", *_TIMES)}
    return {"id": item.candidate.id, "scores": dict(item.scores), "provenance": provenance}


def flat_row(item: ExportItem) -> dict[str, Any]:
    """The columns of one pair: facts first, then scores, which never take a fact's name."""
    candidate = item.candidate
    row: dict[str, Any] = {
        "id": candidate.id, "caption_id": candidate.caption_id, "caption": candidate.caption,
        "prompt": candidate.prompt, "image": None, "seed": candidate.seed, "generator": candidate.generator}
    rest = {"model": candidate.model, "revision": candidate.revision, "width": candidate.width,
            "height": candidate.height, "num_inference_steps": candidate.num_inference_steps,
            "guidance_scale": candidate.guidance_scale, "repeat": candidate.repeat, "dataset": candidate.dataset}
    scores = {name: plain(value) for name, value in item.scores.items() if name not in row and name not in rest}
    return row | scores | rest


def selection_json(selection: Selection) -> str:
    """The rule and what it came to, without the ids (they are the export) and without a time."""
    content = {"name": selection.name, "rule": selection.rule.to_json(), "thresholds": dict(selection.thresholds),
               "total": selection.total, "kept": selection.kept, "captions_kept": selection.captions_kept}
    return json.dumps(plain(content), ensure_ascii=False, indent=2) + "\n"
