"""Finding 3: tokens against pixels."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev

from synthvlm_ui.findings.claims.finding import Finding, Judged, Measured, Row, each, gain_percent
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Part, Task

LEAST_GAIN_PERCENT = 12.5


def _tasks(plan: Plan) -> Mapping[str, Task]:
    return {"rates": Task("rates"), "tokens": Task("captioner", (Part("pool-generated", plan.pool),)),
            "pixels": Task("captioner", (Part("pool-pixels", plan.pool),))}


def _judge(measured: Measured) -> Judged:
    ways = ("tokens_fly", "pixels_fly", "tokens_cached", "pixels_cached")
    rates = {way: each(measured, "rates", way) for way in ways}
    tokens, pixels = each(measured, "tokens"), each(measured, "pixels")
    fly, cached = (gain_percent(rates[f"tokens_{where}"], rates[f"pixels_{where}"]) for where in ("fly", "cached"))
    holds = fmean(fly) >= LEAST_GAIN_PERCENT and equal(tokens, pixels)
    return Judged(Row("more steps per second from tokens, on the fly", fly, "%", "+25"), holds, (
        Row("from tokens, on the fly", rates["tokens_fly"], "steps/s", "2.08"),
        Row("from pixels, on the fly", rates["pixels_fly"], "steps/s", "1.66"),
        Row("more steps per second from tokens, cached", cached, "%"),
        Row("from tokens, cached", rates["tokens_cached"], "steps/s"),
        Row("from pixels, cached", rates["pixels_cached"], "steps/s"),
        Row("trained from tokens", tokens, paper="25.9"), Row("trained from pixels", pixels, paper="26.0")))


def equal(one: list[float], other: list[float]) -> bool:
    """Whether two lists differ on average by at most 5 %, or by no more than the standard deviation of the pairs."""
    differences = [a - b for a, b in zip(one, other, strict=True)]
    spread = stdev(differences) if len(differences) > 1 else 0.0
    return abs(fmean(differences)) <= max(0.05 * fmean(other), spread)


SPEED = Finding(
    "3-rate", "Tokens against pixels",
    "Training on the generator's tokens is faster than on its pixels at equal CIDEr, generation included.",
    "Synth² Table 5: 1.66 → 2.08 steps/s (+25 %), CIDEr 26.0 and 25.9",
    "On the fly at least half of the paper's gain, and CIDEr within 5 % or one standard deviation.", _tasks, _judge)
