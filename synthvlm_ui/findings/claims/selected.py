"""Findings 5 and 6: what selecting pairs by CLIPScore and SSIM is good for, and what training costs the language."""

from __future__ import annotations

from collections.abc import Mapping

from synthvlm_ui.findings.claims.finding import Finding, Judged, Measured, Row, clearly_above, each, gain_percent
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Order, Part, Task

_ORDERS: tuple[tuple[Order, str], ...] = (
    ("random", "random"), ("paper", "CLIPScore + 0.5 SSIM"), ("clip", "CLIPScore"), ("ssim", "SSIM"))


def _selection(plan: Plan) -> Mapping[str, Task]:
    parts = {order: (Part("pool-generated", plan.chosen, order),) for order, _ in _ORDERS}
    return {order: Task("captioner", part) for order, part in parts.items()} | {
        f"scores {order}": Task("scores", part) for order, part in parts.items()}


def _judge_selection(measured: Measured) -> Judged:
    gain = gain_percent(each(measured, "paper"), each(measured, "random"))
    rows = [Row(f"trained on the {title} pairs", each(measured, order)) for order, title in _ORDERS]
    rows += [Row(f"{label} of the {title} pairs", each(measured, f"scores {order}", column), "1", paper)
             for column, label, papers in (("clip_cosine", "CLIPScore", ("", "0.36", "", "")),
                                           ("ssim", "SSIM", ("", "0.86", "", "")))
             for (order, title), paper in zip(_ORDERS, papers, strict=True)]
    return Judged(Row("gain by CLIPScore + 0.5 SSIM over random pairs", gain, "%", "no number"),
                  clearly_above(gain), rows)


SELECTION = Finding(
    "5", "Selected against random pairs",
    "The best pairs by CLIPScore + 0.5 SSIM train a better model than as many random ones.",
    "SynthVLM's ablation: without selection worse; 100 K selected of 1 M, mean scores 0.36 and 0.86",
    "The gain over random pairs is above zero by more than its standard deviation over the seeds.",
    _selection, _judge_selection)


def _language(plan: Plan) -> Mapping[str, Task]:
    return {order: Task("language", (Part("pool-generated", plan.chosen, order),)) for order in ("random", "paper")}


def _judge_language(measured: Measured) -> Judged:
    selected, random = each(measured, "paper", "after"), each(measured, "random", "after")
    lower = [b - a for a, b in zip(selected, random, strict=True)]
    return Judged(Row("less after selected than after random pairs", lower, "perplexity", "MMLU +4.9 points"),
                  clearly_above(lower), (
        Row("before training", each(measured, "paper", "before"), "perplexity"),
        Row("after both stages, selected pairs", selected, "perplexity", "MMLU 41.2"),
        Row("after both stages, random pairs", random, "perplexity", "MMLU 36.3"),
        Row("under pictures, selected pairs", each(measured, "paper", "under_pictures"), "perplexity"),
        Row("under pictures, random pairs", each(measured, "random", "under_pictures"), "perplexity")))


LANGUAGE = Finding(
    "6", "Language is kept",
    "A LLaVA aligned on selected pairs keeps its language better through stage 2 than one aligned on others.",
    "SynthVLM: MMLU 41.2 against 36.3 of LLaVA-1.5 7B, whose first stage had 558 K real pairs",
    "Held-out texts have a lower perplexity after selected than after random pairs, by more than a standard deviation.",
    _language, _judge_language)
