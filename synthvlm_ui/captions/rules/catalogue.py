"""All rules in the order they are applied: those of SynthVLM's table first, in its order, then the program's own."""

from __future__ import annotations

from collections.abc import Mapping

from synthvlm_ui.captions.rules.alignment import MATCHING_RULE, SIMILARITY_RULE
from synthvlm_ui.captions.rules.duplicates import EXACT_RULE, NGRAM_RULE
from synthvlm_ui.captions.rules.flagged_words import FLAGGED_RULE
from synthvlm_ui.captions.rules.gate import GATE_RULE
from synthvlm_ui.captions.rules.length import CHARACTERS_RULE, TOKENS_RULE, WORDS_RULE
from synthvlm_ui.captions.rules.near_duplicates import NEAR_RULE
from synthvlm_ui.captions.rules.perplexity import PERPLEXITY_RULE
from synthvlm_ui.captions.rules.repetition import CHARACTER_RULE, WORD_RULE
from synthvlm_ui.captions.rules.rule import Rule
from synthvlm_ui.captions.rules.shares_of_characters import ALPHANUMERIC_RULE, SPECIAL_RULE
from synthvlm_ui.captions.rules.wording import DIFFICULTY_RULE, ECHO_RULE

RULES: tuple[Rule, ...] = (
    ALPHANUMERIC_RULE, CHARACTER_RULE, FLAGGED_RULE, PERPLEXITY_RULE, SPECIAL_RULE, WORD_RULE, MATCHING_RULE,
    SIMILARITY_RULE, CHARACTERS_RULE, WORDS_RULE, TOKENS_RULE, ECHO_RULE, DIFFICULTY_RULE, NGRAM_RULE, EXACT_RULE,
    NEAR_RULE, GATE_RULE)
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
TEXT_RULES: tuple[Rule, ...] = tuple(rule for rule in RULES if rule.measure is not None)
# A duplicate is one of a group of which the first survivor stays.
GROUP_RULES: Mapping[str, str] = {EXACT_RULE.name: "exact_of", NEAR_RULE.name: "near_of"}
