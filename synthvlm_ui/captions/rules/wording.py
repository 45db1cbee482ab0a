"""What a caption says about itself: words of the prompt that asked for it, and what a generator finds hard to draw.

The prompt echo is a caption that answers ("Sure, here is a caption ...") instead of describing. Difficulty flags mark
the skills that GenEval found weak in SDXL (score 0.55 overall; counting 0.39, position 0.15, colour attribution 0.23);
text in the image is a fourth that such models are known to fail at. Flags reject nothing unless skills are excluded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules.rule import Options, Parameter, Rule, Span, Statistic, merged
from synthvlm_ui.captions.rules.text_block import TextBlock, storable

# Read by two engines, Python's and RE2 (through pyarrow), so nothing here looks around or back.
_KINDS = r"(?:caption|description|sentence|prompt|example)s?"
ECHO = "|".join([
    r"^\s*(?:sure|certainly|of course|absolutely|okay|ok)\b[\s,.!:-]+here",
    rf"\bhere(?:'s| is| are) (?:a|an|the|your|one|some|my)\b[^.]{{0,60}}\b{_KINDS}\b",
    r"^\s*(?:caption|image description|description|prompt|output|answer|response|assistant|user|instruction)\s*\d*\s*:",
    r"\bas an? (?:ai|artificial intelligence|language model)\b",
    r"\bi(?:'m| am) (?:sorry|unable)\b",
    r"\bi (?:cannot|can't|can not) (?:create|generate|provide|describe|write|help)\b",
    r"\b(?:write|generate|create|provide|make up) (?:a|an|the|one) [^.]{0,60}\b(?:caption|description)\b",
    r"\bhuman-annotated (?:caption|description)\b|\bfollowing object\b|\bvisually descriptive\b",
    r"\b\d+ (?:to|-) \d+ words\b",
    r"\[(?:object|class|insert|subject|color|colour|place)[^\]]{0,30}\]|\{(?:caption|class|object|prompt)\}",
    r"<(?:image|caption|object|s|/s)>|<\||\|>|</?(?:inst|think)",
])

_NUMBER = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|\d{1,3})"
_COLOUR = (r"(?:red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ae]y|golden|silver|beige|teal|"
           r"turquoise|crimson|maroon|navy)")
_EDGE = r"(?:top|bottom|upper|lower|left|right)"
SKILLS: Mapping[str, str] = {
    "count": rf"\b{_NUMBER} (?:[a-z-]+ ){{0,2}}(?:[a-z]+s|children|people|men|women|mice|geese|fish|sheep|deer)\b|"
             r"\ba (?:pair|couple|trio) of\b",
    "position": r"\b(?:(?:to the )?(?:left|right) of|on the (?:left|right)|above|below|beneath|underneath|under|"
                rf"on top of|in front of|behind|next to|beside|between|in the {_EDGE}[a-z -]{{0,12}} corner)\b",
    "colour": rf"\b{_COLOUR}\b.*\b{_COLOUR} [a-z]",
    # A caption that stands in quotation marks as a whole asks for no text.
    "text": r"[^\s\"“”][^\"“”]*[\"“][^\"“”]{2,}[\"”]|[\"“][^\"“”]{2,}[\"”][\s,]*[^\s\"“”,.]|"
            r"\b(?:that (?:says|reads)|saying|reading \"|written on|lettering|inscription|labell?ed|spelling out|"
            r"(?:with|has) the (?:words?|text|letters?|name|title|slogan)|the (?:words?|letters?) )\b",
}
SDXL_SCORES: Mapping[str, float | None] = {"count": 0.39, "position": 0.15, "colour": 0.23, "text": None}
SKILL_NAMES: tuple[str, ...] = tuple(SKILLS)
_FLAGS = re.IGNORECASE | re.DOTALL


def _echo(block: TextBlock, _options: Options) -> Statistic:
    return _matches(block.texts, ECHO).astype(np.float64)


def _mark_echo(text: str, _options: Options) -> list[Span]:
    return merged([found.span() for found in re.finditer(ECHO, text, _FLAGS)])


def _difficulty(block: TextBlock, _options: Options) -> Statistic:
    bits = np.zeros(len(block), dtype=np.int64)
    for place, pattern in enumerate(SKILLS.values()):
        bits |= _matches(block.texts, pattern).astype(np.int64) << place
    return bits.astype(np.float64)


def _mark_difficulty(text: str, options: Options) -> list[Span]:
    skills = options.get("exclude") or SKILL_NAMES
    return merged([found.span() for skill in skills for found in re.finditer(SKILLS[skill], text, _FLAGS)])


def skills_of(bits: float) -> list[str]:
    """The skills whose bits are set in a difficulty."""
    return [skill for place, skill in enumerate(SKILL_NAMES) if int(bits) >> place & 1]


def _matches(texts: Sequence[str], pattern: str) -> NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = pa.array([storable(text) for text in texts])
    found = pc.match_substring_regex(array, f"(?s){pattern}", ignore_case=True)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


ECHO_RULE = Rule("prompt_echo", "Prompt echo", "1 when the caption answers or repeats a prompt instead of describing.",
                 measure=_echo, mark=_mark_echo, digits=0)
DIFFICULTY_RULE = Rule(
    "difficulty", "Hard to draw", "Skills the caption asks for that SDXL is weak at: count, position, colour, text.",
    parameters={"exclude": Parameter("names", "reject captions that need these skills: count, position, colour, text",
                                     (), measured=False)},
    measure=_difficulty, mark=_mark_difficulty, digits=0)
