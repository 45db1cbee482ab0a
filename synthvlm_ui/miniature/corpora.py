"""The three finite, seeded corpora of the controlled world, and what is held out of them.

A row is a pure function of (corpus, index), so nothing is stored: the same seed gives the
same captions and the same pixels, and a digest stands in the model cards.
Knows nothing about models.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.drawing import Pixels, Placement, draw, place
from synthvlm_ui.miniature.grammar import STYLES, Ground, Scene, Thing, say

HELDOUT_SALT = "composition-3"
HELDOUT_ONE_IN = 14


@dataclass(frozen=True)
class Row:
    """One captioned picture of a corpus."""

    caption: str
    scene: Scene
    placement: Placement

    def pixels(self) -> Pixels:
        """The rendered picture, (64, 64, 3) uint8."""
        return draw(self.placement)


@dataclass(frozen=True)
class Corpus:
    """A finite list of captioned pictures.

    Args:
        name: as it appears in cards.
        seed: of every choice in the corpus.
        size: number of rows.
        skewed: natural, unequal frequencies (Zipf) instead of equal ones.
        heldout: True: every scene has a composition the other corpora lack; False: none has.
    """

    name: str
    seed: int
    size: int
    skewed: bool = False
    heldout: bool = False

    def row(self, index: int) -> Row:
        """Row `index`; IndexError outside the corpus."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} rows, asked for {index}")
        rng = np.random.default_rng([self.seed, index])
        scene = sample_scene(rng, self.skewed)
        while is_heldout(scene) != self.heldout:
            scene = sample_scene(rng, self.skewed)
        style = int(rng.integers(STYLES))
        return Row(say(scene, style), scene, place(scene, rng))

    def digest(self, count: int | None = None) -> str:
        """SHA-256 (hex) over captions and placements of the first `count` rows, default all."""
        total = hashlib.sha256()
        for index in range(self.size if count is None else count):
            row = self.row(index)
            total.update(f"{row.caption}\t{row.placement}\n".encode())
        return total.hexdigest()


WORLD_REAL = Corpus("world-real", seed=1001, size=100_000)
WORLD_SKEWED = Corpus("world-skewed", seed=1002, size=20_000, skewed=True)
WORLD_HELDOUT = Corpus("world-heldout", seed=1003, size=4_000, heldout=True)
CORPORA: tuple[Corpus, ...] = (WORLD_REAL, WORLD_SKEWED, WORLD_HELDOUT)


def write_digests(path: Path) -> None:
    """Publish seed, size and hashes of the corpora as JSON; "first_300" is what tests check."""
    published: dict[str, object] = {
        corpus.name: {
            "seed": corpus.seed,
            "rows": corpus.size,
            "sha256": corpus.digest(),
            "sha256_first_300": corpus.digest(300),
        }
        for corpus in CORPORA
    }
    pixels = b"".join(WORLD_REAL.row(i).pixels().tobytes() for i in range(64))
    published["pixels_sha256_first_64_of_world_real"] = hashlib.sha256(pixels).hexdigest()
    path.write_text(json.dumps(published, indent=1) + "\n", "utf-8")


def sample_scene(rng: np.random.Generator, skewed: bool = False) -> Scene:
    """Draw a scene: 30 % single things, 22 % counted, 48 % pairs; 5 % leave the ground open."""
    kind = rng.random()
    first = _sample_thing(rng, skewed)
    ground = None if rng.random() < 0.05 else _sample_ground(rng, skewed)
    if kind < 0.30:
        return Scene(first, ground=ground)
    if kind < 0.52:
        return Scene(first, int(rng.integers(2, 5)), ground=ground)
    second = _sample_thing(rng, skewed)
    while second.noun == first.noun:
        second = _sample_thing(rng, skewed)
    relations = tuple(words.RELATIONS)
    relation = relations[int(rng.choice(5, p=(0.22, 0.22, 0.22, 0.22, 0.12)))]
    return Scene(first, 1, relation, second, ground)


def is_heldout(scene: Scene) -> bool:
    """Whether a scene holds a composition (paint, ground, count or relation of a noun) kept back."""
    return any(_kept_back(key) for key in compositions(scene))


def compositions(scene: Scene) -> list[str]:
    """Names of the pairings in a scene; "a left of b" and "b right of a" have one name."""
    things = [scene.first] + ([scene.second] if scene.second else [])
    keys = [f"paint {t.noun} {t.colour}" for t in things if t.colour]
    if scene.ground is not None:
        keys += [f"ground {t.noun} {scene.ground.name} {scene.ground.colour}" for t in things]
    if scene.count > 1:
        keys.append(f"count {scene.first.noun} {scene.count}")
    if scene.second is not None and scene.relation in words.OPPOSITE:
        left = canonical(scene)
        assert left.second is not None
        keys.append(f"relation {left.first.noun} {left.relation} {left.second.noun}")
    return keys


def canonical(scene: Scene) -> Scene:
    """The same picture said with "left" or "above" ("and" in alphabetical order)."""
    if scene.second is None:
        return scene
    swap = scene.relation in ("right", "below")
    if scene.relation == "and":
        swap = str(scene.second) < str(scene.first)
    if not swap:
        return scene
    relation = words.OPPOSITE.get(str(scene.relation), scene.relation)
    return replace(scene, first=scene.second, second=scene.first, relation=relation)


def _kept_back(key: str) -> bool:
    return zlib.crc32(f"{HELDOUT_SALT} {key}".encode()) % HELDOUT_ONE_IN == 0


def _pick(rng: np.random.Generator, count: int, skewed: bool) -> int:
    if not skewed:
        return int(rng.integers(count))
    weights = 1 / (1 + np.arange(count))
    return int(rng.choice(count, p=weights / weights.sum()))


def _sample_thing(rng: np.random.Generator, skewed: bool) -> Thing:
    noun = words.NOUNS[_pick(rng, len(words.NOUNS), skewed)]
    if rng.random() < 0.25:
        return Thing(noun)
    return Thing(noun, words.COLOURS[_pick(rng, len(words.COLOURS), skewed)])


def _sample_ground(rng: np.random.Generator, skewed: bool) -> Ground:
    if rng.random() < 0.45:
        names = tuple(words.NAMED_GROUNDS)
        return Ground(names[_pick(rng, len(names), skewed)])
    pattern = words.PATTERNS[_pick(rng, len(words.PATTERNS), skewed)]
    if pattern != "plain" and rng.random() < 0.2:
        return Ground(pattern)
    return Ground(pattern, words.COLOURS[_pick(rng, len(words.COLOURS), skewed)])
