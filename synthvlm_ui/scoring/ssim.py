"""SSIM between an image and itself after the round trip through the resolution a vision encoder works at.

SynthVLM (arXiv 2407.20756) shrinks a 1024 px image to 336 px, enlarges it again and measures what is left: the loss
of feeding the image to CLIP ViT-L/14-336. The number depends on the route, so the route is stored with it.

Knows no caption and no threshold. A flat image scores 1.0 by definition: see ``guards``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.protocols import RoundTripEngine, ScoredBatch, UInt8Image
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.scoring.images import is_rgb, usable_processors
from synthvlm_ui.scoring.ssim_kernels import KERNELS, WINDOW_PX, best_kernel

Interpolation = Literal["bicubic", "bilinear", "lanczos", "nearest"]
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
OK, TOO_SMALL, NOT_AN_IMAGE = 0, 1, 2
SSIM_STATUS = {
    OK: "scored",
    TOO_SMALL: f"a side is shorter than the window of {WINDOW_PX} px",
    NOT_AN_IMAGE: "not a (height, width, 3) uint8 image",
}


@dataclass(frozen=True, slots=True)
class SsimRoute:
    """How the image travels: both sides are scaled by side_px / full_px and back, in Pillow's antialiased resampling.

    ``first_px`` is the length to which the longer side is brought before anything else, or None; ``grey`` compares
    luminance instead of the mean over RGB. Non-square images keep their aspect. Raises: BadSetting.
    """

    name: str
    side_px: int = 336
    full_px: int = 1024
    interpolation: Interpolation = "bicubic"
    grey: bool = False
    first_px: int | None = None

    def __post_init__(self) -> None:
        if self.interpolation not in _RESAMPLING:
            raise BadSetting(f"interpolation {self.interpolation!r} is not known", where=f"SSIM route {self.name}",
                             fix=f"Use one of {', '.join(_RESAMPLING)}.")
        if not 1 <= self.side_px <= self.full_px:
            raise BadSetting(f"a round trip from {self.full_px} to {self.side_px} px does not shrink",
                             where=f"SSIM route {self.name}", fix="Give 1 <= side_px <= full_px.")


ROUTES = {
    # The paper's text: 1024 -> 336 -> 1024. It does not name the interpolation; bicubic is CLIP's own.
    "paper": SsimRoute("paper"),
    # What the first author's released contest code does: 768 px first, bilinear, greys compared.
    "author": SsimRoute("author", full_px=768, interpolation="bilinear", grey=True, first_px=768),
}


def route_of(name: str) -> SsimRoute:
    """The preset of that name. Raises: UnknownName."""
    if name not in ROUTES:
        raise UnknownName.of("SSIM route", name, sorted(ROUTES))
    return ROUTES[name]


class PillowEngine:
    """protocols.RoundTripEngine with Pillow: every interpolation, on processors."""

    resampling = "Pillow, uint8"
    interpolations = frozenset(_RESAMPLING)

    def resize(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> UInt8Image:
        return np.asarray(Image.fromarray(image).resize(size, _RESAMPLING[interpolation]))

    def ssim(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> float | None:
        return None


PILLOW = PillowEngine()


def round_trip(image: UInt8Image, route: SsimRoute,
               engine: RoundTripEngine = PILLOW) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The image before and after its journey. Shapes: (height, width, 3) in, two (height, width, 1 or 3) out, uint8."""
    before = image
    if route.first_px is not None:
        size = (image.shape[1], image.shape[0])
        before = engine.resize(image, _scaled(size, route.first_px, max(size)), route.interpolation)
    size = (before.shape[1], before.shape[0])
    small = engine.resize(before, _scaled(size, route.side_px, route.full_px), route.interpolation)
    after = engine.resize(small, size, route.interpolation)
    if route.grey:
        before, after = (np.asarray(Image.fromarray(each).convert("L")) for each in (before, after))
    return np.atleast_3d(before), np.atleast_3d(after)


def _scaled(size: tuple[int, int], numerator: int, denominator: int) -> tuple[int, int]:
    width, height = (max(1, round(side * numerator / denominator)) for side in size)
    return width, height


def ssim_status(image: object, route: SsimRoute) -> int:
    """OK, TOO_SMALL or NOT_AN_IMAGE: whether this image has an SSIM on this route (keys of SSIM_STATUS)."""
    if not is_rgb(image):
        return NOT_AN_IMAGE
    height, width = image.shape[:2]
    if route.first_px is not None:
        width, height = _scaled((width, height), route.first_px, max(width, height))
    return TOO_SMALL if min(width, height) < WINDOW_PX else OK


def round_trip_ssim(image: UInt8Image, route: SsimRoute, kernel: str | None = None,
                    engine: RoundTripEngine = PILLOW) -> float:
    """SSIM of the round trip in [-1, 1], or NaN when ``ssim_status`` is not OK. Shape: (height, width, 3) uint8."""
    if ssim_status(image, route) != OK:
        return float("nan")
    if kernel is None and route.first_px is None and not route.grey:
        size = (image.shape[1], image.shape[0])
        found = engine.ssim(image, _scaled(size, route.side_px, route.full_px), route.interpolation)
        if found is not None:
            return found
    before, after = round_trip(image, route, engine)
    return KERNELS[kernel or best_kernel(before.size)](before, after)


class SsimScorer:
    """Writes ``ssim`` (float32) and ``ssim_status`` (uint8, see SSIM_STATUS). Captions are not looked at.

    ``kernel`` only chooses the way of computing, not the number (equal within 1e-5), so it is no setting.
    ``engine`` resizes, and is a setting, since two of them differ by some grey levels (1e-4 of SSIM).
    Images are spread over ``threads`` (default: the processors this process may use); resizing frees the GIL.
    """

    def __init__(self, route: SsimRoute | str = "paper", kernel: str | None = None, threads: int | None = None,
                 engine: RoundTripEngine | None = None) -> None:
        self.route = route_of(route) if isinstance(route, str) else route
        if kernel is not None and kernel not in KERNELS:
            raise UnknownName.of("SSIM kernel", kernel, sorted(KERNELS))
        self.kernel = kernel
        self._engine = engine if engine is not None and self.route.interpolation in engine.interpolations else PILLOW
        self._threads = threads or usable_processors()
        self.info = ScorerInfo(
            name="ssim",
            columns=("ssim", "ssim_status"),
            settings={
                **asdict(self.route),
                "definition": "scikit-image structural_similarity, uniform window, sample covariance",
                "window_px": WINDOW_PX,
                "data_range": 255,
                "resampling": self._engine.resampling,
            },
        )

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        """Shapes: two (N,) columns, no embeddings."""
        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            numbers = list(pool.map(
                lambda image: round_trip_ssim(image, self.route, self.kernel, self._engine), images))
        status = [ssim_status(image, self.route) for image in images]
        return ScoredBatch({"ssim": np.array(numbers, np.float32), "ssim_status": np.array(status, np.uint8)})
