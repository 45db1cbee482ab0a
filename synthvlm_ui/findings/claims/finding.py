"""What a finding is: a claim of a paper, the tasks that test it, and how their numbers are read. Imports no torch.

Every rule about a number stands in ``criterion`` in words and in the finding's ``judge`` as code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.tasks import Task

# {name of a task: its numbers}, one for each seed
Measured = Sequence[Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Row:
    """One measured quantity, a value for each seed; ``paper`` as the paper prints it.

    ``point`` is (name of a curve, place on it) where the quantity is a point of a curve.
    """

    name: str
    values: Sequence[float]
    unit: str = "CIDEr"
    paper: str = ""
    point: tuple[str, int] | None = None


@dataclass(frozen=True)
class Judged:
    """The headline number, whether the claim holds by it, and everything else that was measured."""

    headline: Row
    holds: bool
    rows: Sequence[Row] = field(default_factory=tuple)


@dataclass(frozen=True)
class Finding:
    """A claim with its source. ``criterion`` says when it holds."""

    id: str
    title: str
    claim: str
    paper: str
    criterion: str
    tasks: Callable[[Plan], Mapping[str, Task]]
    judge: Callable[[Measured], Judged]


def clearly_above(values: Sequence[float], limit: float = 0.0) -> bool:
    """Whether the mean is above the limit by more than the standard deviation over seeds; one seed: whether it is."""
    return fmean(values) - (stdev(values) if len(values) > 1 else 0.0) > limit


def each(measured: Measured, task: str, number: str = "cider") -> list[float]:
    """One number of a task for every seed."""
    return [float(seed[task][number]) for seed in measured]


def gain_percent(new: Sequence[float], old: Sequence[float]) -> list[float]:
    """100 (new / old - 1) for every seed."""
    return [100 * (a / b - 1) for a, b in zip(new, old, strict=True)]


def described(row: Row) -> dict[str, Any]:
    """A row as JSON: mean, sd (None for one seed) and n."""
    values = list(row.values)
    return {"name": row.name, "unit": row.unit, "paper": row.paper, "mean": fmean(values),
            "sd": stdev(values) if len(values) > 1 else None, "n": len(values)} | (
                {"point": list(row.point)} if row.point else {})
