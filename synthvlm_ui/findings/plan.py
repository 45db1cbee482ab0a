"""How large everything is: one plan for three seeds, one for a quick look. Imports no torch.

Whatever is trained or drawn is filed under the hash of the part of the plan that it depends on, so another plan never
reads the first one's results.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from synthvlm_ui.records import short_hash


@dataclass(frozen=True)
class Plan:
    """Sizes of sets and trainings; ``seeds`` counts from 0.

    Attributes:
        real: rows of world-real that stand for the scarce real pairs.
        pool: further rows of world-real, each as drawn and as generated.
        written: captions written over balanced classes, and as many of world-skewed; all with generated images.
        heldout: scenes of world-heldout that every caption model is judged on.
        sizes: nested subsets of the pool.
        chosen: how many pairs each selection rule takes from the pool.
        looking, looking_steps: pictures and steps of the front that all arms share.
    """

    seeds: int = 3
    real: int = 500
    pool: int = 2000
    written: int = 1000
    heldout: int = 256
    sizes: tuple[int, ...] = (250, 500, 1000, 2000)
    chosen: int = 500
    batch: int = 32
    steps: int = 250
    curve: int = 6
    looking: int = 8000
    looking_steps: int = 600
    language_steps: int = 150
    timed_steps: int = 5

    def key(self, *names: str) -> str:
        """Hash over the named sizes."""
        settings: dict[str, Any] = asdict(self)
        return short_hash("plan", {name: settings[name] for name in names})


FULL = Plan()
QUICK = replace(FULL, seeds=1)
