"""Draws a scene: where things stand, how sprites are painted, what the grounds look like.

Everything snaps to an 8-pixel grid (objects, texture periods, horizons) and carries no
noise, so that a tokenizer with 4-pixel patches sees the same few patches again and again.
Knows nothing about captions, corpora or models.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.grammar import Ground, Scene, Thing

SIDE = 64
GRID = 8
LARGE, SMALL = 32, 24  # sprites of single and paired things; sprites of counted things
SPRITES_DIR = Path(__file__).resolve().parents[2] / "assets" / "miniature" / "sprites"

Pixels = NDArray[np.uint8]
RGB = tuple[int, int, int]

PAINT: dict[str, RGB] = {
    "red": (228, 38, 44),
    "orange": (255, 136, 18),
    "yellow": (255, 212, 40),
    "green": (46, 176, 72),
    "blue": (36, 116, 238),
    "purple": (138, 66, 196),
    "pink": (255, 122, 186),
    "white": (244, 244, 248),
}
# Muted (light or dark) so that every paint stands out on the wall of its own name.
WALLS: dict[str | None, RGB] = {
    None: (176, 176, 172),
    "red": (148, 62, 62),
    "orange": (236, 190, 146),
    "yellow": (240, 228, 168),
    "green": (170, 212, 172),
    "blue": (160, 192, 226),
    "purple": (92, 70, 122),
    "pink": (240, 200, 214),
    "white": (222, 222, 218),
}


# Where to read the main fill of sprites whose largest vivid fill is not the object itself
# (the boat's sea, the drink in the cup); column and row in the 96-pixel sprite.
MAIN_FILL_AT: dict[str, tuple[int, int]] = {"boat": (36, 42), "cup": (30, 66)}


@dataclass(frozen=True)
class Box:
    """Where one thing stands: pixel column and row of the top left corner, side in pixels."""

    thing: Thing
    x: int
    y: int
    side: int


@dataclass(frozen=True)
class Placement:
    """Everything the caption leaves open: boxes, the ground drawn, and its horizon variant."""

    boxes: tuple[Box, ...]
    ground: Ground
    variant: int


def all_grounds() -> tuple[Ground, ...]:
    """Every ground of the world, in a fixed order."""
    walls = [Ground(p, c) for p in words.PATTERNS for c in WALLS if (p, c) != ("plain", None)]
    return (*(Ground(name) for name in words.NAMED_GROUNDS), *walls)


def place(scene: Scene, rng: np.random.Generator) -> Placement:
    """Choose positions on the grid such that the caption of the scene is true.

    Args:
        scene: what must be seen; things never overlap.
        rng: source of the choices; the same state gives the same placement.
    """
    grounds = all_grounds()
    ground = scene.ground or grounds[int(rng.integers(len(grounds)))]
    if scene.second is not None:
        boxes = _place_pair(scene, rng)
    elif scene.count == 1:
        x, y = rng.integers(0, 5, 2) * GRID
        boxes = (Box(scene.first, int(x), int(y), LARGE),)
    else:
        quadrants = rng.permutation(4)[: scene.count]
        boxes = tuple(
            Box(scene.first, int(q % 2 * 32 + dx), int(q // 2 * 32 + dy), SMALL)
            for q, (dx, dy) in zip(quadrants, rng.integers(0, 2, (4, 2)) * GRID, strict=False)
        )
    return Placement(boxes, ground, int(rng.integers(2)))


def _place_pair(scene: Scene, rng: np.random.Generator) -> tuple[Box, ...]:
    assert scene.second is not None
    relation = scene.relation
    if relation == "and":
        relation = ("left", "right", "above", "below")[int(rng.integers(4))]
    along = (0, 32)
    middle = int(rng.integers(1, 4)) * GRID
    across = np.clip(np.array([0, int(rng.integers(-1, 2)) * GRID]) + middle, 0, 32)
    near, far = (0, 1) if relation in ("left", "above") else (1, 0)
    corners = [(along[near], int(across[0])), (along[far], int(across[1]))]
    if relation in ("above", "below"):
        corners = [(across_, along_) for along_, across_ in corners]
    return (
        Box(scene.first, *corners[0], LARGE),
        Box(scene.second, *corners[1], LARGE),
    )


def draw(placement: Placement) -> Pixels:
    """Image of a placement, (64, 64, 3) uint8."""
    image = ground_pixels(placement.ground, placement.variant).astype(np.int32)
    for box in placement.boxes:
        sprite = sprite_pixels(box.thing, box.side)
        alpha = sprite[:, :, 3:].astype(np.int32)
        window = image[box.y : box.y + box.side, box.x : box.x + box.side]
        window[:] = (sprite[:, :, :3] * alpha + window * (255 - alpha) + 127) // 255
    return image.astype(np.uint8)


def foreground(placement: Placement) -> NDArray[np.bool_]:
    """Where objects cover the ground, (64, 64) bool."""
    mask = np.zeros((SIDE, SIDE), bool)
    for box in placement.boxes:
        alpha = sprite_pixels(box.thing, box.side)[:, :, 3]
        mask[box.y : box.y + box.side, box.x : box.x + box.side] |= alpha > 0
    return mask


@cache
def sprite_pixels(thing: Thing, side: int) -> Pixels:
    """Painted sprite shrunk to `side` pixels by an exact box filter, (side, side, 4) uint8."""
    sprite = _repaint(thing).astype(np.float64)
    factor = sprite.shape[0] // side
    alpha = sprite[:, :, 3:] / 255
    blocks = np.concatenate([sprite[:, :, :3] * alpha, alpha], axis=2)
    blocks = blocks.reshape(side, factor, side, factor, 4).mean((1, 3))
    colour = blocks[:, :, :3] / np.maximum(blocks[:, :, 3:], 1e-6)
    return np.concatenate([colour, blocks[:, :, 3:] * 255], axis=2).round().astype(np.uint8)


@cache
def _load_sprite(noun: str) -> Pixels:
    return np.asarray(Image.open(SPRITES_DIR / f"{noun}.png").convert("RGBA"))


def _main_fill(noun: str, sprite: Pixels) -> Pixels:
    if noun in MAIN_FILL_AT:
        column, row = MAIN_FILL_AT[noun]
        return sprite[row, column, :3]
    fills, counts = np.unique(sprite[sprite[:, :, 3] > 200][:, :3], axis=0, return_counts=True)
    best: Pixels = fills[np.argmax(counts * _paintable(fills))]
    return best


def _repaint(thing: Thing) -> Pixels:
    """Sprite whose dominant family of fills has the colour of the thing; shades keep their order."""
    sprite = _load_sprite(thing.noun)
    if thing.colour is None:
        return sprite
    main = _main_fill(thing.noun, sprite)
    hue, light, saturation = colorsys.rgb_to_hls(*(main / 255))
    target = colorsys.rgb_to_hls(*(np.array(PAINT[thing.colour]) / 255))
    painted = sprite.copy()
    flat = sprite[:, :, :3].reshape(-1, 3)
    values, index = np.unique(flat, axis=0, return_inverse=True)
    mapped = values.copy()
    for row, value in enumerate(values):
        h, lum, s = colorsys.rgb_to_hls(*(value / 255))
        near = abs((h - hue + 0.5) % 1 - 0.5) < 0.09 and s > 0.15
        if saturation < 0.2:
            near = s < 0.25 and lum > 0.3
        if near or np.array_equal(value, main):
            lum = min(max(target[1] + 0.8 * (lum - light), 0.05), 0.97)
            mapped[row] = np.round(np.array(colorsys.hls_to_rgb(target[0], lum, target[2])) * 255)
    painted[:, :, :3] = mapped[index].reshape(*sprite.shape[:2], 3)
    return painted


def _paintable(fills: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Weight of a fill as "the" colour of a sprite: vivid ones win over black, white, skin."""
    top, bottom = fills.max(1).astype(float), fills.min(1).astype(float)
    return 0.25 + (top - bottom) / 255 + 0.2 * (top > 90)


@cache
def ground_pixels(ground: Ground, variant: int) -> Pixels:
    """Picture of an empty ground, (64, 64, 3) uint8; `variant` 0 or 1 moves its horizon."""
    if ground.name in words.NAMED_GROUNDS:
        return _named_ground(ground.name, variant)
    base = np.array(WALLS[ground.colour], np.int32)
    step = -26 if base.sum() > 330 else 30
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    mask = {
        "plain": np.zeros((SIDE, SIDE), bool),
        "striped": columns % 8 < 4,
        "checkered": (columns // 8 + rows // 8) % 2 == 0,
        "dotted": (columns % 8 - 3.5) ** 2 + (rows % 8 - 3.5) ** 2 < 5,
    }[ground.name]
    return np.clip(base + mask[:, :, None] * step, 0, 255).astype(np.uint8)


def _named_ground(name: str, variant: int) -> Pixels:
    upper, lower, mark = {
        "meadow": ((150, 210, 246), (112, 186, 78), (84, 156, 60)),
        "beach": ((88, 180, 226), (238, 214, 158), (218, 188, 126)),
        "sky": ((104, 184, 244), (104, 184, 244), (206, 232, 252)),
        "night": ((26, 30, 72), (26, 30, 72), (250, 240, 170)),
        "field": ((168, 200, 224), (226, 236, 246), (200, 214, 232)),
        "table": ((214, 200, 184), (176, 118, 70), (148, 94, 52)),
        "brick": ((172, 96, 76), (172, 96, 76), (212, 190, 176)),
        "sea": ((176, 216, 240), (42, 110, 176), (84, 150, 208)),
    }[name]
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    image[:] = lower
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    image[_marks(name, rows, columns)] = mark
    horizon = {"meadow": 16, "beach": 16, "field": 16, "table": 16, "sea": 16}.get(name, 0)
    if horizon:
        image[: horizon + GRID * variant] = upper
    return image


def _marks(name: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Texture of a named ground; every period divides 16."""
    x, y = columns % 8, rows % 8
    even = (columns // 8 + rows // 8) % 2 == 0
    textures = {
        "meadow": even & (((x == 2) & (y > 2)) | ((x == 4) & (y > 4)) | ((x == 3) & (y > 5))),
        "beach": (x == 2) & (y == 2) | (x == 6) & (y == 5),
        "sky": (rows // 8 % 4 == 1) & (columns // 8 % 4 < 2) & (y > 3),
        "night": even & (x == 4) & (y == 4) | ~even & (abs(x - 3) + abs(y - 3) < 2) & (rows % 16 < 8),
        "field": even & (y == 5) & (x > 1) & (x < 6),
        "table": (y == 0) | (x == 0) & (columns // 8 % 4 == rows // 8 % 4),
        "brick": (y == 0) | (x == 0) & ((rows // 8 + columns // 8) % 2 == 0),
        "sea": (y == 3) & even & (x < 6) | (y == 2) & even & (x > 1) & (x < 4),
    }
    return textures[name]
