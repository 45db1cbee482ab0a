"""Scenes that differ from a given scene in exactly one thing: hard negatives for the judge.

Knows nothing about pixels or models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.drawing import all_grounds
from synthvlm_ui.miniature.grammar import Scene, Thing

KINDS: tuple[str, ...] = ("object", "background", "count", "relation", "swap", "colour")


def possible(scene: Scene, kind: str) -> bool:
    """Whether a scene has the part that a kind of contrast changes."""
    pair = scene.second is not None
    return {
        "object": True,
        "background": scene.ground is not None,
        "count": not pair,
        "relation": scene.relation in words.OPPOSITE,
        "swap": pair and scene.second is not None and scene.second.colour != scene.first.colour,
        "colour": scene.first.colour is not None,
    }[kind]


def contrast(scene: Scene, kind: str, rng: np.random.Generator) -> Scene:
    """The scene with one thing changed.

    Args:
        scene: must allow the kind (`possible`).
        kind: one of `KINDS`; "swap" exchanges the paints of a pair, "relation" reverses it.
    """
    if kind == "background":
        grounds = [g for g in all_grounds() if g != scene.ground]
        return replace(scene, ground=grounds[int(rng.integers(len(grounds)))])
    if kind == "count":
        counts = [c for c in (1, 2, 3, 4) if c != scene.count]
        return replace(scene, count=counts[int(rng.integers(3))])
    if kind == "relation":
        return replace(scene, relation=words.OPPOSITE[str(scene.relation)])
    if kind == "swap":
        assert scene.second is not None
        first = Thing(scene.first.noun, scene.second.colour)
        return replace(scene, first=first, second=Thing(scene.second.noun, scene.first.colour))
    if kind == "colour":
        colours = [c for c in words.COLOURS if c != scene.first.colour]
        colour = colours[int(rng.integers(len(colours)))]
        return replace(scene, first=Thing(scene.first.noun, colour))
    taken = {scene.first.noun} | ({scene.second.noun} if scene.second else set())
    nouns = [n for n in words.NOUNS if n not in taken]
    return replace(scene, first=Thing(nouns[int(rng.integers(len(nouns)))], scene.first.colour))
