"""Candidates as the grid shows them: a row of JSON each, from columns in memory.

Knows no order and no page; the caption's text comes from the shard of the candidate itself where memory has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.service.curation.caption_words import CaptionWords
from synthvlm_ui.service.curation.view import View
from synthvlm_ui.service.dataset_rows import number
from synthvlm_ui.store import Workspace


class Items:
    """Makes rows of JSON for a view's candidates."""

    def __init__(self, workspace: Workspace, captions: Callable[[str], CaptionWords | None]) -> None:
        self._workspace, self._captions = workspace, captions

    def of(self, view: View, rows: NDArray[np.int64], first_rank: int | None = None,
           similarity: NDArray[np.float32] | None = None) -> list[dict[str, Any]]:
        """One item per row of the view, in their order."""
        part = view.columns
        ordinals = view.scope.rows[rows]
        kept, verdicts = view.kept[rows], part["verdict"][rows]
        against = view.overridden[0][rows] | view.overridden[1][rows]
        combined = view.ranked.combined[rows]
        scores = {name: part[name][rows] for name in ("clip_cosine", "ssim")}
        guards = np.nan_to_num(part["guard"][rows]).astype(int) if "guard" in part else np.zeros(len(rows), int)
        clusters = part["cluster"][rows] if "cluster" in part else None
        items = self._facts(ordinals)
        for place, item in enumerate(items):
            item.update(
                rank=None if first_rank is None else first_rank + place,
                clip_cosine=number(scores["clip_cosine"][place]), ssim=number(scores["ssim"][place]),
                combined=number(combined[place]), verdict=int(verdicts[place]), kept=bool(kept[place]),
                overrides=bool(against[place]), guard=int(guards[place]), real=False,
                similarity=None if similarity is None else number(similarity[rows[place]]),
                cluster=None if clusters is None or clusters[place] < 0 else int(clusters[place]))
        return items

    def real(self, ordinals: NDArray[np.int64], first_rank: int = 0) -> list[dict[str, Any]]:
        """One item per real image; they have scores and no verdict."""
        columns = self._workspace.columns
        names = [name for name in ("clip_cosine", "ssim") if name in columns.score_columns()]
        items = self._facts(ordinals)
        for place, (item, ordinal) in enumerate(zip(items, ordinals.tolist(), strict=True)):
            item.update({"rank": first_rank + place, "clip_cosine": None, "ssim": None, "combined": None, "verdict": 0,
                         "kept": False, "overrides": False, "guard": 0, "real": True, "similarity": None,
                         "cluster": None})
            item.update({name: number(columns.score(name)[ordinal]) for name in names})
        return items

    def _facts(self, ordinals: NDArray[np.integer]) -> list[dict[str, Any]]:
        columns = self._workspace.columns
        rows = zip(ordinals.tolist(), columns.ids_of(ordinals), columns.dataset_code[ordinals].tolist(),
                   columns.caption_code[ordinals].tolist(), columns.ok[ordinals].tolist(),
                   columns.width_px[ordinals].tolist(), columns.height_px[ordinals].tolist(), strict=True)
        names, items = columns.datasets, []
        at_hand = {code: self._captions(names[code]) for code in np.unique(columns.dataset_code[ordinals]).tolist()}
        for ordinal, name, dataset, caption, ok, width, height in rows:
            captions = at_hand[dataset]
            known = captions.text_of(caption) if captions is not None and ok else None
            text, problem = (known, "") if known is not None else self._caption(ordinal, ok)
            items.append({"id": name, "dataset": names[dataset], "caption": text,
                          "caption_id": columns.caption_id(caption), "ok": ok, "error_message": problem,
                          "w": width, "h": height})
        return items

    def _caption(self, ordinal: int, ok: bool) -> tuple[str, str]:
        """The caption and, of a candidate without an image, why it has none."""
        columns = self._workspace.columns
        try:
            facts = columns.facts(ordinal)
        except (SynthVLMError, OSError, json.JSONDecodeError) as error:
            return "", columns.reason(ordinal) or str(error)
        return str(facts.get("caption", "")), "" if ok else str(facts.get("error_message") or columns.reason(ordinal))
