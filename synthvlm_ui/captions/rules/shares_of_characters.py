"""Two shares of a caption's characters: letters and digits, and special characters (spaces count).

Definitions: SynthVLM appendix, table 1, as its filters compute them. An empty caption has the share 0.
"""

from __future__ import annotations

from synthvlm_ui.captions.rules.characters import ALPHANUMERIC, SPECIAL, is_special
from synthvlm_ui.captions.rules.rule import Options, Rule, Span, Statistic, merged, shares
from synthvlm_ui.captions.rules.text_block import TextBlock


def _alphanumeric(block: TextBlock, _options: Options) -> Statistic:
    characters = block.raw
    return shares(characters.count((characters.classes & ALPHANUMERIC) != 0), characters.lengths)


def _special(block: TextBlock, _options: Options) -> Statistic:
    characters = block.raw
    return shares(characters.count((characters.classes & SPECIAL) != 0), characters.lengths)


def _mark_others(text: str, _options: Options) -> list[Span]:
    return merged([(place, place + 1) for place, one in enumerate(text) if not one.isalnum() and not one.isspace()])


def _mark_special(text: str, _options: Options) -> list[Span]:
    # Spaces count too, but marking every one of them would hide the rest.
    return merged([(place, place + 1) for place, one in enumerate(text) if is_special(one) and not one.isspace()])


ALPHANUMERIC_RULE = Rule(
    "alphanumeric", "Letters and digits", "Share of letters and digits among all characters.",
    measure=_alphanumeric, mark=_mark_others)
SPECIAL_RULE = Rule(
    "special_characters", "Special characters",
    "Share of punctuation, digits, spaces, symbols and emoji among all characters.",
    measure=_special, mark=_mark_special)
