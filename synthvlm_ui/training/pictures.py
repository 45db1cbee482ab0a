"""Batches of pictures by step: decoded, cropped to a square and scaled in threads, one step ahead of the training.

Knows no store and no network.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.errors import CorruptData
from synthvlm_ui.protocols import UInt8Image
from synthvlm_ui.training.pairs import Draw, Mixture, Pairs

_MOST_UNREADABLE = 32  # pairs in a row


def square(image: bytes | UInt8Image, side: int) -> UInt8Image:
    """The middle square of a picture, (side, side, 3) uint8 sRGB. Raises: OSError when the bytes are no image."""
    if isinstance(image, np.ndarray):
        if image.shape == (side, side, 3):
            return image
        opened: Image.Image = Image.fromarray(image)
    else:
        opened = Image.open(io.BytesIO(image))
    picture = opened.convert("RGB")
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    if picture.size != (side, side):
        box = (left, top, left + short, top + short)
        picture = picture.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return np.asarray(picture)


class PictureBatches:
    """Pictures of each step of a mixture, or of the sources ``only``. Use as a context manager: it has threads.

    A picture that cannot be read is replaced by the next one of its source and counted in ``unreadable``.
    """

    def __init__(self, mixture: Mixture, side: int, threads: int = 4, only: frozenset[int] | None = None) -> None:
        self.mixture, self.side, self.only = mixture, side, only
        self._pool = ThreadPoolExecutor(threads)
        self._ahead: tuple[int, list[Future[UInt8Image]]] | None = None
        self._lock = threading.Lock()
        self.unreadable: set[Draw] = set()

    def load(self, step: int) -> tuple[NDArray[np.uint8], list[Draw]]:
        """Pictures (N, side, side, 3) uint8 of a step and all that was drawn; begins to read the step after it."""
        ahead, self._ahead = self._ahead, None
        futures = ahead[1] if ahead and ahead[0] == step else self._submit(step)
        self._ahead = (step + 1, self._submit(step + 1))
        pictures = [future.result() for future in futures]
        stacked = np.stack(pictures) if pictures else np.zeros((0, self.side, self.side, 3), np.uint8)
        return stacked, self.mixture.draw(step)

    def reads(self, draw: Draw) -> bool:
        """Whether the picture of a pair is among those that ``load`` gives."""
        return self.only is None or draw.source in self.only

    def _submit(self, step: int) -> list[Future[UInt8Image]]:
        return [self._pool.submit(self._picture, draw) for draw in self.mixture.draw(step) if self.reads(draw)]

    def _picture(self, draw: Draw) -> UInt8Image:
        return readable(self.mixture.sources[draw.source].pairs, draw.index, self.side, lambda: self._note(draw))

    def _note(self, draw: Draw) -> None:
        with self._lock:
            self.unreadable.add(draw)

    def __enter__(self) -> PictureBatches:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)


def readable(pairs: Pairs, index: int, side: int, on_bad: Callable[[], None]) -> UInt8Image:
    """The picture of a pair, or of the next pair that can be read. Raises: CorruptData when many in a row cannot."""
    for offset in range(min(_MOST_UNREADABLE, len(pairs))):
        try:
            return square(pairs.image((index + offset) % len(pairs)), side)
        except (OSError, ValueError, SyntaxError, CorruptData):
            on_bad()
    raise CorruptData(f"{min(_MOST_UNREADABLE, len(pairs))} images in a row cannot be read", where=f"from pair {index}",
                      fix="Check the files with validate.")
