"""The closed vocabulary of the small world: nouns, colours, grounds, counts, relations.

Knows nothing about pixels, sampling or models; pure Python, imports nothing.
"""

from __future__ import annotations

# noun -> (plural, icon name in the Fluent emoji set). Chosen because the silhouette
# and the fills stay distinct when the sprite is 24 pixels wide.
OBJECTS: dict[str, tuple[str, str]] = {
    "apple": ("apples", "red-apple"),
    "banana": ("bananas", "banana"),
    "strawberry": ("strawberries", "strawberry"),
    "mushroom": ("mushrooms", "mushroom"),
    "carrot": ("carrots", "carrot"),
    "pizza": ("pizzas", "pizza"),
    "doughnut": ("doughnuts", "doughnut"),
    "cupcake": ("cupcakes", "cupcake"),
    "cat": ("cats", "cat-face"),
    "dog": ("dogs", "dog-face"),
    "pig": ("pigs", "pig-face"),
    "frog": ("frogs", "frog"),
    "bear": ("bears", "bear"),
    "rabbit": ("rabbits", "rabbit-face"),
    "fish": ("fishes", "fish"),
    "owl": ("owls", "owl"),
    "duck": ("ducks", "duck"),
    "turtle": ("turtles", "turtle"),
    "butterfly": ("butterflies", "butterfly"),
    "whale": ("whales", "whale"),
    "crab": ("crabs", "crab"),
    "octopus": ("octopuses", "octopus"),
    "penguin": ("penguins", "penguin"),
    "car": ("cars", "automobile"),
    "bus": ("buses", "bus"),
    "truck": ("trucks", "delivery-truck"),
    "tractor": ("tractors", "tractor"),
    "rocket": ("rockets", "rocket"),
    "airplane": ("airplanes", "airplane"),
    "boat": ("boats", "sailboat"),
    "house": ("houses", "house"),
    "castle": ("castles", "castle"),
    "tree": ("trees", "deciduous-tree"),
    "cactus": ("cactuses", "cactus"),
    "tulip": ("tulips", "tulip"),
    "star": ("stars", "star"),
    "heart": ("hearts", "red-heart"),
    "balloon": ("balloons", "balloon"),
    "umbrella": ("umbrellas", "umbrella"),
    "bell": ("bells", "bell"),
    "key": ("keys", "key"),
    "book": ("books", "closed-book"),
    "cup": ("cups", "hot-beverage"),
    "clock": ("clocks", "alarm-clock"),
    "gift": ("gifts", "wrapped-gift"),
    "crown": ("crowns", "crown"),
    "hat": ("hats", "top-hat"),
    "teapot": ("teapots", "teapot"),
}
NOUNS: tuple[str, ...] = tuple(OBJECTS)
PLURALS: dict[str, str] = {plural: noun for noun, (plural, _) in OBJECTS.items()}

# Object paint. Grounds use a muted version of the same words (drawing.py), so that
# "a red apple in front of a red wall" can still be seen.
COLOURS: tuple[str, ...] = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "white",
)  # fmt: skip

# name -> (preposition, adjective + noun as they appear in a caption)
NAMED_GROUNDS: dict[str, tuple[str, str]] = {
    "meadow": ("on", "green meadow"),
    "beach": ("on", "sandy beach"),
    "sky": ("in", "blue sky"),
    "night": ("in", "night sky"),
    "field": ("on", "snowy field"),
    "table": ("on", "wooden table"),
    "brick": ("in front of", "brick wall"),
    "sea": ("on", "calm sea"),
}
# Walls take an optional colour; only the plain wall must have one.
PATTERNS: tuple[str, ...] = ("plain", "striped", "checkered", "dotted")
WALL_PREPOSITION = "in front of"

COUNT_WORDS: tuple[str, ...] = ("one", "two", "three", "four")
RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "and": ("and",),
}
OPPOSITE: dict[str, str] = {"left": "right", "right": "left", "above": "below", "below": "above"}

# Words a scorer puts before a caption; CLIP is trained with it, the grammar ignores it.
CLIP_PREFIX = "a photo depicts"
OPENINGS: tuple[str, ...] = (
    "this is an image of",
    "a photo depicts",
    "a photo of",
    "an image of",
    "there is",
    "there are",
)

PUNCTUATION: tuple[str, ...] = (",", ".")


def all_words() -> tuple[str, ...]:
    """Every word (and punctuation mark) a caption of this world can contain, sorted.

    Returns:
        lower-case words without duplicates; the order fixes token ids of new models.
    """
    phrases = [*OPENINGS, *COUNT_WORDS, *COLOURS, *PATTERNS[1:], "a an wall with is are"]
    phrases += [phrase for options in RELATIONS.values() for phrase in options]
    phrases += [f"{preposition} {name}" for preposition, name in NAMED_GROUNDS.values()]
    phrases += [WALL_PREPOSITION, *NOUNS, *PLURALS, *PUNCTUATION]
    return tuple(sorted({word for phrase in phrases for word in phrase.split()}))
