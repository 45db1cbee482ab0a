"""Finding 4: captions over balanced classes against captions with natural skew."""

from __future__ import annotations

from collections.abc import Mapping

from synthvlm_ui.findings.claims.finding import Finding, Judged, Measured, Row, clearly_above, each, gain_percent
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Part, Task


def _diversity(plan: Plan) -> Mapping[str, Task]:
    return {"diversity": Task("diversity")}


def _judge_diversity(measured: Measured) -> Judged:
    def of(name: str, number: str) -> list[float]:
        return [float(seed["diversity"][name][number]) for seed in measured]

    differences = [a - b for a, b in zip(of("written", "entropy_bits"), of("skewed", "entropy_bits"), strict=True)]
    rows = [Row(f"{what}, {title}", of(name, number), unit, paper)
            for name, title, papers in (("written", "balanced classes", ("3.81", "57.7", "", "")),
                                        ("skewed", "natural skew", ("3.43 and 2.92", "69.8 and 83.0", "", "")))
            for (number, what, unit), paper in zip((
                ("entropy_bits", "entropy over clusters", "bits"), ("top5", "share of the five largest clusters", "1"),
                ("object_entropy_bits", "entropy over the objects named", "bits"),
                ("object_top5", "share of the five most frequent objects", "1")), papers, strict=True)]
    return Judged(Row("entropy over clusters, balanced minus natural", differences, "bits", "+0.38 and +0.89"),
                  clearly_above(differences), rows)


DIVERSITY = Finding(
    "4-diversity", "Class-prompted captions are more diverse",
    "Captions written over balanced classes spread more evenly over clusters than captions with natural frequencies.",
    "Synth² Tables 3 and 8: entropy 3.81 against 3.43 and 2.92 bits, top-5 57.7 against 69.8 and 83.0 %",
    "The entropy over clusters is higher by more than its standard deviation over the seeds.",
    _diversity, _judge_diversity)


def _training(plan: Plan) -> Mapping[str, Task]:
    return {name: Task("captioner", (Part(name, plan.written),)) for name in ("written", "skewed")}


def _judge_training(measured: Measured) -> Judged:
    written, skewed = each(measured, "written"), each(measured, "skewed")
    gain = gain_percent(written, skewed)
    return Judged(Row("gain by balanced classes", gain, "%", "+6.1 and +10.7"), clearly_above(gain), (
        Row("written over balanced classes", written, paper="25.9"),
        Row("natural skew", skewed, paper="24.4 and 23.4")))


TRAINING = Finding(
    "4-training", "More diverse captions train a better model",
    "As many pairs whose captions cover the classes evenly train a better model than pairs with natural skew.",
    "Synth² Table 3: 25.9 against 24.4 (WebLI) and 23.4 (LTIP) with a million synthetic pairs each",
    "The gain is above zero by more than its standard deviation over the seeds.", _training, _judge_training)
