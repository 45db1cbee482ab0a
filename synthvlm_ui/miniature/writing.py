"""How captions of the small world are begun and checked: its own openings, its own grammar, its own classes.

Pure Python; fulfils the writing profile of the captions room without knowing it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from synthvlm_ui.captions.classes import ClassList
from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.grammar import FRAMES, Ground, Scene, Thing, parse, say

_COUNTED = 0.3
_PLAIN = 0.25


@dataclass(frozen=True)
class SmallWorldProfile:
    """Openings such as "three red cats" or "on a sandy beach, a cat", which the language model continues.

    The opening decides the first object, its paint and count and sometimes the ground; all that follows is the model's.
    """

    name: str = "small-world"
    template: str = "[opening with the object]"
    max_new_tokens: int = 28

    def classes(self) -> ClassList:
        """The 48 objects; weights as in world-skewed, where the object of rank r is drawn with 1 / (1 + r)."""
        return ClassList(words.NOUNS, tuple(1 / (1 + rank) for rank in range(len(words.NOUNS))), "small world")

    def prompt(self, name: str, seed: int) -> str:
        """The start of a sentence of this world up to its first object."""
        if name not in words.OBJECTS:
            return name  # the check will say that this is no class of the small world
        chance = random.Random(f"opening {seed}")
        colour = None if chance.random() < _PLAIN else chance.choice(words.COLOURS)
        count = chance.randint(2, 4) if chance.random() < _COUNTED else 1
        style = chance.randrange(len(FRAMES))
        ground = Ground(chance.choice(tuple(words.NAMED_GROUNDS))) if FRAMES[style] in ("fronted", "with") else None
        return say(Scene(Thing(name, colour), count, ground=ground), style)

    def problem(self, text: str, name: str) -> str | None:
        if name not in words.OBJECTS:
            return "no class of the small world"
        scene = parse(text)
        if scene is None:
            return "no sentence of the small world"
        things = [scene.first, *([scene.second] if scene.second else [])]
        if name not in [thing.noun for thing in things]:
            return "does not name the object"
        if scene.second is not None and scene.second.noun == scene.first.noun:
            return "says the object twice"
        return None
