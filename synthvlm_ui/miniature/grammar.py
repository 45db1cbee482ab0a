"""What a scene is, how it is said, and how a caption is read back.

Knows nothing about pixels, placement or models; pure Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from synthvlm_ui.miniature import words

_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
FRAMES: tuple[str, ...] = ("plain", "fronted", "with", "there", "image")
STYLES = 2 * len(FRAMES)  # every frame with either wording of the relation


@dataclass(frozen=True)
class Thing:
    """One kind of object: a noun of `words.OBJECTS` and its paint, None for natural colours."""

    noun: str
    colour: str | None = None


@dataclass(frozen=True)
class Ground:
    """What is behind the objects: a named ground (never coloured) or a wall pattern."""

    name: str
    colour: str | None = None


@dataclass(frozen=True)
class Scene:
    """What a caption says, without placement.

    Either `count` copies of `first`, or one `first` standing in `relation` to one `second`.
    `ground` None means that the caption leaves the ground open.
    """

    first: Thing
    count: int = 1
    relation: str | None = None
    second: Thing | None = None
    ground: Ground | None = None


def split_words(text: str) -> list[str]:
    """Lower-case words and punctuation marks of a text, in order."""
    return _TOKEN.findall(text.lower())


def unknown_words(text: str) -> list[str]:
    """Words of a text that the small world does not know, in order, without duplicates."""
    known = set(words.all_words())
    return list(dict.fromkeys(w for w in split_words(text) if w.isalnum() and w not in known))


def say_thing(thing: Thing, count: int = 1) -> str:
    """Noun phrase of `count` things, e.g. "a red apple" or "two red apples"."""
    noun = thing.noun if count == 1 else words.OBJECTS[thing.noun][0]
    body = f"{thing.colour} {noun}" if thing.colour else noun
    if count > 1:
        return f"{words.COUNT_WORDS[count - 1]} {body}"
    return f"{_article(body)} {body}"


def say_ground(ground: Ground) -> tuple[str, str]:
    """Preposition and noun phrase of a ground, e.g. ("on", "a green meadow")."""
    if ground.name in words.NAMED_GROUNDS:
        preposition, body = words.NAMED_GROUNDS[ground.name]
    else:
        pattern = "" if ground.name == "plain" else ground.name
        body = " ".join(part for part in (ground.colour, pattern, "wall") if part)
        preposition = words.WALL_PREPOSITION
    return preposition, f"{_article(body)} {body}"


def say(scene: Scene, style: int = 0) -> str:
    """Caption of a scene in one of `STYLES` wordings.

    Args:
        scene: what to say.
        style: 0 <= style < STYLES; picks the sentence frame and the wording of the relation.

    Returns:
        lower-case caption without a final full stop.
    """
    content = say_thing(scene.first, scene.count)
    if scene.second is not None and scene.relation is not None:
        wordings = words.RELATIONS[scene.relation]
        linking = wordings[style // len(FRAMES) % len(wordings)]
        content = f"{content} {linking} {say_thing(scene.second)}"
    frame = FRAMES[style % len(FRAMES)]
    be = "are" if scene.count > 1 or scene.relation == "and" else "is"
    if frame == "there":
        content = f"there {be} {content}"
    elif frame == "image":
        content = f"this is an image of {content}"
    if scene.ground is None:
        return content
    preposition, ground = say_ground(scene.ground)
    if frame == "fronted":
        return f"{preposition} {ground} , {content}".replace(" ,", ",")
    if frame == "with":
        return f"{ground} with {content}"
    return f"{content} {preposition} {ground}"


def parse(caption: str) -> Scene | None:
    """Read a caption of the small world.

    Returns:
        the scene, or None when the sentence is not in the grammar.
    """
    text = " ".join(split_words(caption)).rstrip(" .")
    for opening in words.OPENINGS:
        text = text.removeprefix(f"{opening} ")
    if " , " in text:
        front, _, content = text.partition(" , ")
        return _assemble(content, _read_located(front))
    if " with " in text:
        front, _, content = text.partition(" with ")
        return _assemble(content, _read_ground(front))
    bare = _assemble(text, None, ground_required=False)
    if bare is not None:
        return bare
    for preposition in (words.WALL_PREPOSITION, "against", "on", "in"):
        content, found, ground = text.rpartition(f" {preposition} ")
        if found:
            return _assemble(content, _read_ground(ground))
    return None


def _assemble(content: str, ground: Ground | None, ground_required: bool = True) -> Scene | None:
    if ground is None and ground_required:
        return None
    for opening in words.OPENINGS:
        content = content.removeprefix(f"{opening} ")
    for relation, wordings in words.RELATIONS.items():
        for wording in wordings:
            left, found, right = content.partition(f" {wording} ")
            if found:
                return _pair(left, relation, right, ground)
    group = _read_group(content)
    return None if group is None else Scene(group[0], group[1], ground=ground)


def _pair(left: str, relation: str, right: str, ground: Ground | None) -> Scene | None:
    first, second = _read_group(left.removesuffix(" is")), _read_group(right)
    if first is None or second is None or first[1] != 1 or second[1] != 1:
        return None
    return Scene(first[0], 1, relation, second[0], ground)


def _read_group(text: str) -> tuple[Thing, int] | None:
    parts = text.split()
    if not 2 <= len(parts) <= 3:
        return None
    determiner, noun = parts[0], parts[-1]
    colour = parts[1] if len(parts) == 3 else None
    if colour is not None and colour not in words.COLOURS:
        return None
    if determiner in ("a", "an", "one", "the") and noun in words.OBJECTS:
        return Thing(noun, colour), 1
    if determiner in words.COUNT_WORDS[1:] and noun in words.PLURALS:
        return Thing(words.PLURALS[noun], colour), words.COUNT_WORDS.index(determiner) + 1
    return None


def _read_located(text: str) -> Ground | None:
    for preposition in (words.WALL_PREPOSITION, "against", "on", "in"):
        if text.startswith(f"{preposition} "):
            return _read_ground(text.removeprefix(f"{preposition} "))
    return None


def _read_ground(text: str) -> Ground | None:
    parts = text.split()
    if len(parts) < 2 or parts[0] not in ("a", "an", "the"):
        return None
    body = " ".join(parts[1:])
    for name, (_, phrase) in words.NAMED_GROUNDS.items():
        if body == phrase:
            return Ground(name)
    if parts[-1] != "wall":
        return None
    middle = parts[1:-1]
    colour = middle.pop(0) if middle and middle[0] in words.COLOURS else None
    pattern = middle.pop(0) if middle and middle[0] in words.PATTERNS[1:] else "plain"
    if middle or (pattern == "plain" and colour is None):
        return None
    return Ground(pattern, colour)


def _article(body: str) -> str:
    return "an" if body[0] in "aeiou" else "a"
