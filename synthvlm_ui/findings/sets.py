"""The sets of pairs: captions with the tokens of their images, made once and kept on disk.

Images of world-real are drawn and encoded; those of the others come from the shipped generator as tokens. Making a set
can be interrupted at any time and goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from synthvlm_ui.backends import create_generator
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.writing import written_captions
from synthvlm_ui.miniature.corpora import WORLD_REAL, WORLD_SKEWED, Row
from synthvlm_ui.miniature.measure import distinct_rows
from synthvlm_ui.models import storage
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer
from synthvlm_ui.protocols import TokenGenerator
from synthvlm_ui.records import GenerationRequest

REAL_FROM, POOL_FROM = 50_000, 60_000  # rows of world-real; the front has looked at the first ones
SKEWED_FROM = 0
_BLOCK = 16
_SEEDS = {"pool-generated": 10_000, "written": 20_000, "skewed": 30_000}

# (set, images made, images in all) -> None; may raise to stop
OnImage = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PairSet:
    """Captions and the tokens of their images, (N, tokens) uint16, in one order."""

    captions: list[str]
    tokens: NDArray[np.uint16]


class Sets:
    """The sets of a plan by name: real, pool-real, pool-generated, written, skewed, heldout.

    Args: ``folder`` keeps tokens between runs.
    """

    def __init__(self, folder: Path, plan: Plan, on_image: OnImage) -> None:
        self._folder, self._plan, self._on_image = folder, plan, on_image
        self._made: dict[str, PairSet] = {}

    @cached_property
    def tokenizer(self) -> PictureTokenizer:
        """The shipped picture tokenizer."""
        return storage.load_tokenizer(MINIATURE / "vq")

    @cached_property
    def generator(self) -> TokenGenerator:
        """The shipped token generator."""
        made = create_generator("miniature", "cpu")
        assert isinstance(made, TokenGenerator)
        return made

    @cached_property
    def heldout_rows(self) -> list[Row]:
        """The scenes that caption models are judged on."""
        return distinct_rows(self._plan.heldout)

    def get(self, name: str) -> PairSet:
        """A set, made now if it is not there yet."""
        if name not in self._made:
            captions = self.captions(name)
            self._made[name] = PairSet(captions, self._tokens(name, captions))
        return self._made[name]

    def captions(self, name: str) -> list[str]:
        """The captions of a set, without making its images."""
        plan = self._plan
        if name == "written":
            return self._written(plan.written)
        if name == "skewed":
            return [WORLD_SKEWED.row(SKEWED_FROM + index).caption for index in range(plan.written)]
        return [row.caption for row in self.rows(name)]

    def _written(self, count: int) -> list[str]:
        path = self._folder / f"written-{count}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".part")
            draft.write_text(json.dumps(written_captions(count)), "utf-8")
            draft.replace(path)
        captions: list[str] = json.loads(path.read_text("utf-8"))
        return captions

    def rows(self, name: str) -> Sequence[Row]:
        """The scenes behind a set whose captions are a corpus's."""
        plan = self._plan
        if name == "heldout":
            return self.heldout_rows
        first, count = (REAL_FROM, plan.real) if name == "real" else (POOL_FROM, plan.pool)
        return [WORLD_REAL.row(first + index) for index in range(count)]

    def _tokens(self, name: str, captions: list[str]) -> NDArray[np.uint16]:
        """Reads what is on disk and appends what is missing, block by block."""
        width = self.tokenizer.config.tokens
        path = self._folder / f"{name}-{len(captions)}.u16"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            done = file.tell() // (2 * width)
            file.truncate(done * 2 * width)
            while done < len(captions):
                self._on_image(name, done, len(captions))
                chosen = range(done, min(done + _BLOCK, len(captions)))
                file.write(self._make(name, captions, chosen).tobytes())
                file.flush()
                done = chosen.stop
        return np.fromfile(path, np.uint16).reshape(-1, width)

    def _make(self, name: str, captions: list[str], chosen: range) -> NDArray[np.uint16]:
        if name in _SEEDS:
            return generated_tokens(self.generator, [captions[i] for i in chosen], _SEEDS[name] + chosen.start)
        rows = self.rows(name)
        pixels = torch.from_numpy(np.stack([rows[index].pixels() for index in chosen]))
        return self.tokenizer.encode(pixels).numpy().astype(np.uint16)


def generated_tokens(generator: TokenGenerator, captions: Sequence[str], first_seed: int) -> NDArray[np.uint16]:
    """Tokens (N, tokens) of captions, with seeds counted from ``first_seed``."""
    info = generator.info
    requests = [GenerationRequest(caption, first_seed + number, info.native_width_px, info.native_height_px,
                                  info.default_num_inference_steps, info.default_guidance_scale)
                for number, caption in enumerate(captions)]
    return generator.generate_tokens(requests)
