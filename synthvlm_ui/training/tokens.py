"""Tokens of pictures on disk: encoded once, read at every step (2 bytes a token instead of the pixels).

Knows no store and no captions.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from synthvlm_ui.models.storage import ImageTokenizer
from synthvlm_ui.training.pairs import Draw, Pairs, Source
from synthvlm_ui.training.pictures import readable

_BATCH = 64
MAX_CODES = 2**16

# (pairs encoded, pairs in all) -> whether to stop
OnProgress = Callable[[int, int], bool]


class EncodingStopped(Exception):
    """The user stopped while pictures were being encoded; what was encoded is kept."""


class TokenTable:
    """The tokens of every pair of some sources, (N, tokens) uint16 each, as files under ``folder``.

    ``sources`` are those of a mixture by their number in it. A file is filled from the front, so an interrupted
    encoding goes on where it was. ``tokenizer_key`` names the weights: tokens of other weights mean other things.
    """

    def __init__(self, folder: Path, sources: Mapping[int, Source], tokenizer: ImageTokenizer,
                 tokenizer_key: str) -> None:
        self._sources, self._tokenizer = sources, tokenizer
        self._width = tokenizer.config.tokens
        self._paths = {number: folder / f"{_name(source.pairs, tokenizer_key)}.u16"
                       for number, source in sources.items()}
        self._tables: dict[int, NDArray[np.uint16]] = {}
        self.unreadable = 0

    def fill(self, on_progress: OnProgress) -> None:
        """Encodes what is missing. Raises: EncodingStopped, CorruptData."""
        before, total = 0, sum(len(source.pairs) for source in self._sources.values())
        for number, source in self._sources.items():
            path = self._paths[number]
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fill_one(source.pairs, path, before, lambda done: on_progress(done, total))
            before += len(source.pairs)
            self._tables[number] = np.memmap(path, np.uint16, "r", shape=(len(source.pairs), self._width))

    def rows(self, draws: list[Draw]) -> torch.Tensor:
        """Token ids (N, tokens) int64 of drawn pairs."""
        return torch.from_numpy(np.stack([self._tables[draw.source][draw.index] for draw in draws]).astype(np.int64))

    def _fill_one(self, pairs: Pairs, path: Path, before: int, on_progress: Callable[[int], bool]) -> None:
        row_bytes = 2 * self._width
        with open(path, "ab") as file, ThreadPoolExecutor(4) as pool:
            done = file.tell() // row_bytes
            file.truncate(done * row_bytes)
            while done < len(pairs):
                if on_progress(before + done):
                    raise EncodingStopped
                chosen = range(done, min(done + _BATCH, len(pairs)))
                pixels = np.stack(list(pool.map(lambda index: self._pixels(pairs, index), chosen)))
                ids = self._tokenizer.encode(torch.from_numpy(pixels)).cpu().numpy().astype(np.uint16)
                file.write(ids.tobytes())
                done += len(ids)
            file.flush()
            os.fsync(file.fileno())

    def _pixels(self, pairs: Pairs, index: int) -> NDArray[np.uint8]:
        return readable(pairs, index, self._tokenizer.config.side, self._note)

    def _note(self) -> None:
        self.unreadable += 1


def _name(pairs: Pairs, tokenizer_key: str) -> str:
    return "tokens-" + hashlib.sha256(f"{tokenizer_key} {pairs.key} {len(pairs)}".encode()).hexdigest()[:16]
