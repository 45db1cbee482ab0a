"""The published ways to combine CLIPScore and SSIM, by name.

Knows no column and no threshold of anybody's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthvlm_ui.errors import UnknownName

# Sources: paper, SynthVLM (arXiv:2407.20756): CLIPScore as raw cosine + 0.5 SSIM. bettersynth, the same authors'
# contest entry, which leaves CLIPScore's factor 2.5 in. flare, FUSION (arXiv:2504.09925, equation 15): the paper's
# formula with SSIM over the whole image and its quadrants. normalised: both terms as z-scores, so that neither
# outweighs the other.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"preset": "paper", "clip_scale": 1.0, "ssim_weight": 0.5, "normalise": False},
    "bettersynth": {"preset": "bettersynth", "clip_scale": 2.5, "ssim_weight": 0.5, "normalise": False},
    "flare": {"preset": "flare", "clip_scale": 1.0, "ssim_weight": 0.5, "normalise": False},
    "normalised": {"preset": "normalised", "clip_scale": 1.0, "ssim_weight": 0.5, "normalise": True},
}
SSIM_COLUMN: Mapping[str, str] = {"flare": "ssim_tiled"}


def preset(name: str) -> dict[str, Any]:
    """The fields of a SelectionRule that this preset sets. Raises: UnknownName."""
    if name not in PRESETS:
        raise UnknownName.of("preset", name, list(PRESETS))
    return dict(PRESETS[name])


def ssim_column(name: str) -> str:
    """The column that holds SSIM as this preset means it. Raises: UnknownName."""
    preset(name)
    return SSIM_COLUMN.get(name, "ssim")
