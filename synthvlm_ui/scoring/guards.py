"""Guards against what SSIM rewards: blank, black and blurred images, and a hash to find near-duplicates by.

A constant image keeps all of itself through any resizing, and so does a blurred one; without a guard they lead every
ranking that contains SSIM. Guards only describe an image; whether to drop it is for a selection to decide.

Knows no caption and no other image.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.protocols import ScoredBatch, UInt8Image
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring.images import is_rgb, usable_processors

OK, BLANK, BLURRED, BLACK, NOT_AN_IMAGE = 0, 1, 2, 3, 4
GUARDS = {
    OK: "nothing to report",
    BLANK: "one colour all over, or nearly",
    BLURRED: "no sharp edge anywhere",
    BLACK: "black all over, as a safety checker or a broken decoder leaves it",
    NOT_AN_IMAGE: "not a (height, width, 3) uint8 image",
}


@dataclass(frozen=True, slots=True)
class GuardThresholds:
    """Where ok ends. Units: ``black_max`` and ``blank_std`` in grey levels of 255, ``edge_ratio`` a pure number.

    ``edge_ratio`` compares an image's strongest second differences with its strongest first differences, both over
    ``edge_step_px``: about 2 for a crisp outline and 1.2 / s for one blurred by a Gaussian of s px, whatever its
    contrast. So a flat illustration is as sharp as a photograph, which the variance of the Laplacian over all pixels
    would deny. "Strongest" is exceeded on 1 - ``line_quantile`` of the rows or columns: an edge that crosses 5 % of
    them is enough.
    """

    black_max: int = 8
    blank_std: float = 1.0
    edge_ratio: float = 1.0
    edge_step_px: int = 2
    line_quantile: float = 0.95


@dataclass(frozen=True, slots=True)
class Guard:
    """What one image shows: variance of the Laplacian, entropy of the luminance (bits of 8), spread, edges, verdict."""

    sharpness: float
    entropy_bits: float
    std: float
    edge_ratio: float
    guard: int
    phash: int


_LEVELS = np.arange(256, dtype=np.float64)
_NAN = float("nan")
_UNREADABLE = Guard(_NAN, _NAN, _NAN, _NAN, NOT_AN_IMAGE, 0)


def inspect(image: UInt8Image, thresholds: GuardThresholds = GuardThresholds()) -> Guard:
    """Describes one (height, width, 3) uint8 image; anything else is NOT_AN_IMAGE with NaN numbers."""
    if not is_rgb(image):
        return _UNREADABLE
    picture = Image.fromarray(image)
    grey_image = picture.convert("L")
    counts = np.array(picture.histogram(), np.float64).reshape(3, 256) / (picture.width * picture.height)
    spreads = np.sqrt(np.maximum(counts @ _LEVELS**2 - (counts @ _LEVELS) ** 2, 0))
    std = float(spreads.max())
    # Colours of equal luminance make no edge in grey: look where the picture varies most.
    ratio = _edge_ratio(image[:, :, int(spreads.argmax())].astype(np.int16), thresholds)
    if not counts[:, thresholds.black_max + 1 :].any():
        verdict = BLACK
    elif std < thresholds.blank_std:
        verdict = BLANK
    elif ratio < thresholds.edge_ratio:
        verdict = BLURRED
    else:
        verdict = OK
    return Guard(
        sharpness=_laplacian_variance(np.asarray(grey_image).astype(np.int16)),
        entropy_bits=_entropy_bits(grey_image),
        std=std,
        edge_ratio=ratio,
        guard=verdict,
        phash=perceptual_hash(grey_image),
    )


def _laplacian_variance(plane: NDArray[np.int16]) -> float:
    """Variance of (sum of the four neighbours - 4 centre) over the inner pixels; 0 when there are none."""
    if min(plane.shape) < 3:
        return 0.0
    laplacian = plane[1:-1, 1:-1] * np.int16(-4)
    for neighbour in (plane[:-2, 1:-1], plane[2:, 1:-1], plane[1:-1, :-2], plane[1:-1, 2:]):
        laplacian += neighbour
    values = laplacian.astype(np.float32).ravel()
    return float(np.dot(values, values) / values.size - values.mean(dtype=np.float64) ** 2)


def _edge_ratio(plane: NDArray[np.int16], thresholds: GuardThresholds) -> float:
    """Twice the strongest second difference over the strongest first, each the greater of down and across."""
    step, first, second = thresholds.edge_step_px, 0.0, 0.0
    for axis in (0, 1):
        before, here, after = (
            plane[shift : plane.shape[0] - 2 * step + shift] if axis == 0
            else plane[:, shift : plane.shape[1] - 2 * step + shift]
            for shift in (0, step, 2 * step)
        )
        if plane.shape[axis] <= 2 * step:
            continue
        slope = np.abs(after - before).max(axis=axis)
        bend = np.abs(after + before - 2 * here).max(axis=axis)
        first = max(first, float(np.quantile(slope, thresholds.line_quantile)))
        second = max(second, float(np.quantile(bend, thresholds.line_quantile)))
    return 2.0 * second / first if first else 0.0


def _entropy_bits(grey: Image.Image) -> float:
    shares = np.array(grey.histogram(), np.float64) / (grey.width * grey.height)
    shares = shares[shares > 0]
    return float((shares * np.log2(1 / shares)).sum())


_HASH_SIDE, _HASH_KEPT = 32, 8
_FREQUENCIES, _POSITIONS = np.arange(_HASH_KEPT)[:, None], np.arange(_HASH_SIDE)[None, :]
_COSINES = np.cos(np.pi / _HASH_SIDE * (_POSITIONS + 0.5) * _FREQUENCIES)


def perceptual_hash(grey: Image.Image) -> int:
    """64 bits: which of the 8 x 8 lowest cosine frequencies of the 32 x 32 luminance exceed their median.

    Similar images differ in few bits. The mean brightness (frequency 0, 0) always exceeds it, so 63 bits tell.
    """
    small = np.asarray(grey.resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX), np.float64)
    # Rounded, since a flat image must not hash its own rounding noise.
    low = np.round(_COSINES @ small @ _COSINES.T, 6).ravel()
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big")


class GuardScorer:
    """Writes ``sharpness``, ``entropy_bits``, ``std`` (float32), ``guard`` (uint8: GUARDS) and ``phash`` (uint64)."""

    def __init__(self, thresholds: GuardThresholds = GuardThresholds(), threads: int | None = None) -> None:
        self.thresholds = thresholds
        self._threads = threads or usable_processors()
        settings: dict[str, Any] = {
            **asdict(thresholds),
            "sharpness": "variance of the 4-neighbour Laplacian of Pillow's L",
            "phash": "DCT of 32 x 32 box-averaged L, 8 x 8 lowest frequencies over their median",
        }
        self.info = ScorerInfo("guards", ("sharpness", "entropy_bits", "std", "guard", "phash"), settings)

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        """Shapes: five (N,) columns, no embeddings."""
        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            found = list(pool.map(lambda image: inspect(image, self.thresholds), images))
        return ScoredBatch({
            "sharpness": np.array([guard.sharpness for guard in found], np.float32),
            "entropy_bits": np.array([guard.entropy_bits for guard in found], np.float32),
            "std": np.array([guard.std for guard in found], np.float32),
            "guard": np.array([guard.guard for guard in found], np.uint8),
            "phash": np.array([guard.phash for guard in found], np.uint64),
        })
