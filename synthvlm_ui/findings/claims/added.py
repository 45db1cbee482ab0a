"""Findings 1, 2 and the second half of 3: what synthetic pairs add to scarce real ones."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from synthvlm_ui.findings.claims.finding import Finding, Judged, Measured, Row, clearly_above, each, gain_percent
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Part, Task

_REAL = Part("real")
_ALONE = Task("captioner", (_REAL,), curve=True)
_BOTH = Task("captioner", (_REAL, Part("written")), curve=True)
LEAST_SHARE = 0.9


def _together(plan: Plan) -> Mapping[str, Task]:
    return {"real": _ALONE, "both": _BOTH}


def _judge_together(measured: Measured) -> Judged:
    real, both = each(measured, "real"), each(measured, "both")
    gain = gain_percent(both, real)
    return Judged(Row("gain by synthetic pairs", gain, "%", "+17.2"), clearly_above(gain), (
        Row("real pairs alone", real, paper="22.1"), Row("real and synthetic together", both, paper="25.9")))


TOGETHER = Finding(
    "1", "Real and synthetic pairs together",
    "Trained on real and fully synthetic pairs together, a model captions better than on the real ones alone.",
    "Synth² Table 3: CIDEr 22.1 → 25.9 (+17.2 %)",
    "The gain is above zero by more than its standard deviation over the seeds.", _together, _judge_together)


def _images(plan: Plan) -> Mapping[str, Task]:
    return {"base": _ALONE, "real": Task("captioner", (_REAL, Part("pool-real"))),
            "generated": Task("captioner", (_REAL, Part("pool-generated")))}


def _judge_images(measured: Measured) -> Judged:
    base, real, generated = (each(measured, name) for name in ("base", "real", "generated"))
    share = [100 * g / r for g, r in zip(generated, real, strict=True)]
    holds = clearly_above(gain_percent(generated, base)) and fmean(share) >= 100 * LEAST_SHARE
    return Judged(Row("CIDEr with generated images, of that with real ones", share, "%", "90 and 104"), holds, (
        Row("no further captions", base, paper="22.1"),
        Row("further captions with real images", real, paper="30.7 and 27.6"),
        Row("the same captions with generated images", generated, paper="27.6 and 28.7")))


IMAGES = Finding(
    "2", "Generated images for real captions",
    "Further human captions with generated images help nearly as much as with their real images.",
    "Synth² Table 2: 27.6 against 30.7 (WebLI), 28.7 against 27.6 (LTIP)",
    "Generated images help by more than a standard deviation, and reach 90 % of the CIDEr with real images.",
    _images, _judge_images)


def _judge_parity(measured: Measured) -> Judged:
    shares = [100 * parity(seed["both"]["curve"], seed["real"]["cider"]) for seed in measured]
    return Judged(Row("steps until the final CIDEr of real pairs alone", shares, "% of the steps", "about 33"),
                  fmean(shares) <= 50)


def parity(curve: list[tuple[int, float]], goal: float) -> float:
    """Share of the steps after which a curve of (step, CIDEr) reaches the goal, between points linearly; 1 at most."""
    step, height = 0.0, 0.0
    for next_step, next_height in curve:
        if next_height >= goal:
            part = (goal - height) / (next_height - height) if next_height > height else 1.0
            return (step + max(0.0, part) * (next_step - step)) / curve[-1][0]
        step, height = next_step, next_height
    return 1.0


PARITY = Finding(
    "3-parity", "Parity in a third of the steps",
    "With synthetic pairs a model reaches the final CIDEr of real pairs alone in about a third of the steps.",
    "Synth² Figure 6: about 1/3", "At most half of the steps on average.", _together, _judge_parity)
