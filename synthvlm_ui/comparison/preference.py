"""Blind preference between a real and a synthetic image: in which order and on which side a rater sees them, and what
the ratings say (the layout of SynthVLM's study: synthetic wins, as a share of those who decided).

Knows ids and choices; knows no pixels and no journal. Order and side follow from the study's seed and the rater, so a
rater who comes back sees the rest of the same sequence.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from synthvlm_ui.comparison.agreement import (
    by_item,
    clustered_interval,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise,
    wilson_interval,
)
from synthvlm_ui.records import short_hash

Choice = Literal["1", "2", "tie", "skip"]
CHOICES: tuple[Choice, ...] = ("1", "2", "tie", "skip")
Outcome = Literal["synthetic", "real", "tie", "skip"]


@dataclass(frozen=True)
class Trial:
    """One pair as one rater sees it: ``first`` and ``second`` are candidate ids; ``pair`` is its place in the study."""

    pair: int
    first: str
    second: str
    synthetic_is_first: bool

    def outcome(self, choice: Choice) -> Outcome:
        """What a choice means once the sides are known."""
        if choice in ("tie", "skip"):
            return choice
        return "synthetic" if (choice == "1") == self.synthetic_is_first else "real"


def trials_of(pairs: Sequence[tuple[str, str]], seed: int, rater: str) -> list[Trial]:
    """The pairs (real id, synthetic id) in this rater's order; either side comes first in half of them, at random."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, int(short_hash("rater", rater)[:8], 16)])
    order = rng.permutation(len(pairs))
    first = np.arange(len(pairs)) < (len(pairs) + int(rng.integers(2))) // 2
    rng.shuffle(first)
    return [Trial(int(pair), pairs[pair][1], pairs[pair][0], True) if synthetic_first
            else Trial(int(pair), pairs[pair][0], pairs[pair][1], False)
            for pair, synthetic_first in zip(order, first, strict=True)]


@dataclass
class Ratings:
    """``outcomes[rater][pair]``: the latest outcome each rater gave each pair of a study."""

    outcomes: dict[str, dict[int, Outcome]] = field(default_factory=dict)

    def add(self, rater: str, pair: int, outcome: Outcome) -> None:
        self.outcomes.setdefault(rater, {})[pair] = outcome

    def decided(self) -> list[tuple[str, int, Outcome]]:
        """Every rating in which one picture won."""
        return [(rater, pair, outcome) for rater, given in sorted(self.outcomes.items())
                for pair, outcome in sorted(given.items()) if outcome in ("synthetic", "real")]


def summary(ratings: Ratings, pairs: int) -> dict[str, Any]:
    """Wins, ties and skips; the synthetic win rate with a 95 % interval; agreement between raters.

    With one rating a pair the interval is Wilson's; with several, pairs are resampled whole. ``win_rate_ties_half``
    counts a tie as half a win.
    """
    outcomes = [outcome for given in ratings.outcomes.values() for outcome in given.values()]
    wins, losses, ties = (outcomes.count(name) for name in ("synthetic", "real", "tie"))
    decided = wins + losses
    groups: dict[int, list[float]] = {}
    for _, pair, outcome in ratings.decided():
        groups.setdefault(pair, []).append(1.0 if outcome == "synthetic" else 0.0)
    single = all(len(group) == 1 for group in groups.values())
    low, high = wilson_interval(wins, decided) if single else clustered_interval(list(groups.values()))
    return {
        "pairs": pairs, "ratings": len(outcomes),
        "counts": {"synthetic": wins, "real": losses, "tie": ties, "skip": outcomes.count("skip")},
        "win_rate": wins / decided if decided else None,
        "interval": [low, high] if decided else None, "interval_by": "Wilson" if single else "resampled pairs",
        "win_rate_ties_half": (wins + ties / 2) / (decided + ties) if decided + ties else None,
        "raters": [_of_rater(rater, given, pairs) for rater, given in sorted(ratings.outcomes.items())],
        "agreement": _agreement(ratings)}


def _of_rater(rater: str, given: Mapping[int, Outcome], pairs: int) -> dict[str, Any]:
    values = list(given.values())
    wins, losses = values.count("synthetic"), values.count("real")
    return {"rater": rater, "done": len(values), "left": pairs - len(values), "synthetic": wins, "real": losses,
            "tie": values.count("tie"), "skip": values.count("skip"),
            "win_rate": wins / (wins + losses) if wins + losses else None,
            "interval": list(wilson_interval(wins, wins + losses)) if wins + losses else None}


def _agreement(ratings: Ratings) -> dict[str, Any] | None:
    judged: dict[str, dict[Hashable, Hashable]] = {
        rater: {pair: outcome for pair, outcome in given.items() if outcome != "skip"}
        for rater, given in ratings.outcomes.items()}
    judged = {rater: given for rater, given in judged.items() if given}
    if len(judged) < 2:
        return None
    units = by_item(judged)
    complete = [unit for unit in units.values() if len(unit) == len(judged)]
    names = ("synthetic", "real", "tie")
    counts = np.array([[unit.count(name) for name in names] for unit in complete], np.int64).reshape(-1, 3)
    return {"krippendorff_alpha": _number(krippendorff_alpha(list(units.values()))),
            "fleiss_kappa": _number(fleiss_kappa(counts)), "rated_by_all": len(complete),
            "pairwise": [{**row, "kappa": _number(row["kappa"]), "share_equal": _number(row["share_equal"])}
                         for row in pairwise(judged)]}


def agreement_with_score(ratings: Ratings, gap: Mapping[int, float]) -> dict[str, Any]:
    """How often the picture with the higher score was preferred: {n, share, interval}; a share of 0.5 is chance.

    ``gap`` is synthetic minus real for each pair; pairs without a score or with equal ones are left out.
    """
    told = [(outcome == "synthetic") == (gap[pair] > 0) for _, pair, outcome in ratings.decided()
            if pair in gap and math.isfinite(gap[pair]) and gap[pair] != 0]
    if not told:
        return {"n": 0, "share": None, "interval": None}
    return {"n": len(told), "share": sum(told) / len(told), "interval": list(wilson_interval(sum(told), len(told)))}


def _number(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None
