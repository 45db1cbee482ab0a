"""Names of things to write captions for, and which of them are drawn (Synth2 section 3.1).

Knows no writer. A list is the shipped one, or a text file of the user: a name a line, names with weights, or the synset
lists of ImageNet-1k and ImageNet-21k.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synthvlm_ui.captions.encodings import check_file, find_encoding
from synthvlm_ui.config import ASSETS
from synthvlm_ui.errors import BadSetting, EmptyInput

SHIPPED = ASSETS / "classes" / "visible_nouns.tsv"
MAX_NAME_CHARACTERS = 80
Sampling = Literal["uniform", "balanced", "natural"]
SAMPLINGS: tuple[Sampling, ...] = ("uniform", "balanced", "natural")
_SYNSET = re.compile(r"n\d{8}[\s,:]+")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Distinct names in the order of their source; ``weights`` are natural frequencies, or None when unknown."""

    names: tuple[str, ...]
    weights: tuple[float, ...] | None = None
    source: str = ""


def read_classes(path: Path | str = SHIPPED) -> ClassList:
    """The names in a text file; empty lines and lines that start with # are passed over, repeated names kept once.

    A line is a name, or a name, a tab and its natural frequency, or an ImageNet synset id and its synonyms, of which
    the first is taken ("n01440764 tench, Tinca tinca"). A first line that starts with "name" and a tab is a header,
    whose column "count" holds the frequencies.
    Raises: UnreadableFile, EmptyInput.
    """
    path = Path(path)
    check_file(path)
    with path.open(encoding=find_encoding(path)) as file:
        return _classes_of(file, path.name)


def classes_of_text(text: str, source: str = "typed") -> ClassList:
    """The names in typed lines, by the same rules. Raises: EmptyInput."""
    return _classes_of(text.splitlines(), source)


def _classes_of(lines: Iterable[str], source: str) -> ClassList:
    found: dict[str, float | None] = {}
    count_at = 1
    for number, line in enumerate(lines):
        cells = line.rstrip("\r\n").split("\t")
        if number == 0 and cells[0].strip().casefold() == "name" and len(cells) > 1:
            count_at = cells.index("count") if "count" in cells else len(cells)
            continue
        name, weight = _name_of(cells), _weight_of(cells, count_at)
        if name and name not in found:
            found[name] = weight
    if not found:
        raise EmptyInput("there is no class name", where=source, fix="Give one name a line.")
    weights = [weight for weight in found.values() if weight is not None]
    # What a list with frequencies never saw is rare, not impossible.
    known = tuple(max(weight or 0.0, 0.5) for weight in found.values()) if weights else None
    return ClassList(tuple(found), known, source)


def draw_classes(classes: ClassList, count: int, seed: int = 0, sampling: Sampling = "uniform") -> list[str]:
    """``count`` names in random order: each draw independent and equal (the paper), every name equally often up to one,
    or by natural frequency.

    Raises: BadSetting for an unknown sampling, or frequencies that the list does not have.
    """
    chance = random.Random(f"classes {seed}")
    if sampling == "uniform":
        return [classes.names[chance.randrange(len(classes.names))] for _ in range(count)]
    if sampling == "balanced":
        rounds = [chance.sample(classes.names, len(classes.names)) for _ in range(-(-count // len(classes.names)))]
        return [name for names in rounds for name in names][:count]
    if sampling != "natural":
        raise BadSetting(f"unknown sampling {sampling!r}", fix=f"Use {', '.join(SAMPLINGS)}.")
    if classes.weights is None:
        raise BadSetting("this class list has no natural frequencies", where=classes.source,
                         fix="Put a tab and a number behind each name, or sample uniformly.")
    return chance.choices(classes.names, classes.weights, k=count)


def entropy_bits(counts: Mapping[str, int]) -> float:
    """Shannon entropy of counts in bits; 0 of nothing."""
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values() if count) if total else 0.0


def _name_of(cells: Sequence[str]) -> str:
    text = cells[0].strip()
    if text.startswith("#"):
        return ""
    if re.fullmatch(r"n\d{8}", text) and len(cells) > 1:  # synset id, tab, synonyms
        text = cells[1]
    else:
        text, synset = _SYNSET.sub("", text, count=1), bool(_SYNSET.match(text))
        if not synset and "\t" not in text:
            return _tidy(text)
    return _tidy(text.partition(",")[0])


def _tidy(text: str) -> str:
    name = " ".join(text.replace("_", " ").split())
    return name if len(name) <= MAX_NAME_CHARACTERS and name.isprintable() else ""


def _weight_of(cells: Sequence[str], at: int) -> float | None:
    try:
        weight = float(cells[at])
    except (LookupError, ValueError):
        return None
    return weight if 0 <= weight < float("inf") else None
