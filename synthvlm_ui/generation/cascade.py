"""The draft cascade: a few steps first, and the whole number of steps only for captions whose draft fits them.

Knows no file; scores with the Scorer it is given. Nothing is hidden: a caption that is not drawn gets a row with its
draft's score, and a share of them is drawn all the same, so that what the gate costs can be counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from synthvlm_ui.generation.draw import draw
from synthvlm_ui.protocols import ImageGenerator, Scorer
from synthvlm_ui.records import Candidate, short_hash


@dataclass(frozen=True)
class Draft:
    """How drafts are made and judged. ``scorer`` writes clip_cosine; ``guidance_scale`` and ``side_px`` (width,
    height) are None where the draft is asked for as the picture is. ``audit`` is a share in [0, 1].
    """

    generator: ImageGenerator
    scorer: Scorer
    clip_min: float
    num_inference_steps: int
    guidance_scale: float | None = None
    side_px: tuple[int, int] | None = None
    audit: float = 0.0


@dataclass(frozen=True)
class Gated:
    """What came of the candidates of a chunk: to be drawn in full, or rows that say why not; ``drafted`` images."""

    passed: list[Candidate]
    gated: list[Candidate]
    drafted: int


def gate(draft: Draft, candidates: Sequence[Candidate], batch_size: int,
         should_stop: Callable[[], bool]) -> Gated | None:
    """Draws one draft for each caption and parts the candidates by its score; None when stopped half-way.

    A draft that failed, or could not be scored, lets its caption through: the full picture will say what is wrong.
    Raises: OutOfMemory, DeviceLost.
    """
    firsts: dict[str, Candidate] = {}
    for candidate in candidates:
        firsts.setdefault(candidate.caption_id, candidate)
    cosines: dict[str, float] = {}
    seen = 0
    for batch in draw(draft.generator, [_drafted(draft, one) for one in firsts.values()], batch_size, should_stop):
        seen += len(batch)
        pictures = [(one.candidate, one.pixels) for one in batch if one.pixels is not None]
        if pictures:
            scored = draft.scorer.score([pixels for _, pixels in pictures], [one.caption for one, _ in pictures])
            values = scored.columns["clip_cosine"].tolist()
            cosines |= {one.caption_id: value for (one, _), value in zip(pictures, values, strict=True)}
    if seen < len(firsts):
        return None
    passed, gated = [], []
    for candidate in candidates:
        cosine = cosines.get(candidate.caption_id, math.nan)
        known = replace(candidate, draft_clip_cosine=None if math.isnan(cosine) else cosine)
        if not cosine < draft.clip_min or is_audited(candidate, draft.audit):
            passed.append(known)
        else:
            gated.append(_refused(known, draft.clip_min))
    return Gated(passed, gated, seen)


def is_audited(candidate: Candidate, share: float) -> bool:
    """Whether this caption is drawn whatever its draft says: chosen by run seed and caption, so the same every time."""
    return int(short_hash("audit", candidate.run_seed, candidate.caption_id)[:8], 16) < share * 2**32


def cascade_sums(draft: Draft, gated: Gated, full: Sequence[tuple[Candidate, float]]) -> dict[str, float]:
    """Sums that add up over chunks. ``full``: pictures drawn, each with its clip_cosine."""
    below = [cosine for one, cosine in full
             if one.draft_clip_cosine is not None and one.draft_clip_cosine < draft.clip_min]
    return {
        "drafted": gated.drafted, "passed": len(gated.passed) - len(below), "audited": len(below),
        "gated": len(gated.gated), "audited_reached": sum(cosine >= draft.clip_min for cosine in below),
        "drawn_reached": sum(cosine >= draft.clip_min for _, cosine in full), "drawn": len(full),
    }


def cascade_report(sums: Mapping[str, float], clip_min: float, draft_steps: int | None) -> dict[str, float | None]:
    """What the cascade saved and what it changed, from the sums of all chunks and the seconds spent.

    ``missed`` estimates, from the audited, how many of the gated would have reached the threshold; ``saved_share`` is
    the share of the time that drawing everything in full would have taken. ``draft_steps`` is None for a draft
    generator's own number.
    """
    audited, drawn = sums.get("audited", 0), sums.get("drawn", 0)
    rate = sums["audited_reached"] / audited if audited else None
    each = sums["full_s"] / drawn if drawn else None
    everything = each * (drawn + sums["gated"]) if each is not None else None
    spent = sums["full_s"] + sums["draft_s"]
    return {
        "clip_min": clip_min, "draft_num_inference_steps": draft_steps,
        **{name: int(sums[name]) for name in ("drafted", "passed", "audited", "gated")},
        "draft_s": round(sums["draft_s"], 3), "full_s": round(sums["full_s"], 3),
        "saved_s": None if everything is None else round(everything - spent, 3),
        "saved_share": round(1 - spent / everything, 4) if everything else None,
        "audited_that_reached_it": int(sums["audited_reached"]),
        "missed": None if rate is None else round(rate * sums["gated"], 1),
        "drawn_that_reached_it": int(sums["drawn_reached"]),
    }


def _drafted(draft: Draft, candidate: Candidate) -> Candidate:
    width, height = draft.side_px or (candidate.width, candidate.height)
    guidance = candidate.guidance_scale if draft.guidance_scale is None else draft.guidance_scale
    return replace(candidate, num_inference_steps=draft.num_inference_steps, guidance_scale=guidance, width=width,
                   height=height)


def _refused(candidate: Candidate, clip_min: float) -> Candidate:
    """A row with an id of its own: the picture was never drawn, and a later run without the gate may draw it."""
    return replace(
        candidate, id=short_hash("gated", candidate.id, clip_min), status="gated",
        error_message=f"not drawn: its draft's clip_cosine {candidate.draft_clip_cosine:.3f} is below {clip_min:g}")
