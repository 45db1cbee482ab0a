"""Rules that curate captions: what they measure, with which limits, and what survives them."""

from synthvlm_ui.captions.rules.catalogue import BY_NAME, GROUP_RULES, RULES
from synthvlm_ui.captions.rules.deciding import SURVIVED, Decision, Step, decide
from synthvlm_ui.captions.rules.flagged_words import SHIPPED_SOURCE, list_digest
from synthvlm_ui.captions.rules.gate import MAX_NEW_TOKENS, question, verdict_of
from synthvlm_ui.captions.rules.measuring import measure_near, measure_texts
from synthvlm_ui.captions.rules.near_duplicates import mark_shared
from synthvlm_ui.captions.rules.perplexity import is_kenlm, kenlm_perplexities
from synthvlm_ui.captions.rules.perplexity import missing as missing_language_model
from synthvlm_ui.captions.rules.rule import Rule
from synthvlm_ui.captions.rules.settings import (
    ABOUT_PRESETS,
    PRESETS,
    CurationSettings,
    changed,
    preset_settings,
)
from synthvlm_ui.captions.rules.wording import SDXL_SCORES, SKILL_NAMES, skills_of

__all__ = [
    "ABOUT_PRESETS", "BY_NAME", "GROUP_RULES", "MAX_NEW_TOKENS", "PRESETS", "RULES", "SDXL_SCORES", "SHIPPED_SOURCE",
    "SKILL_NAMES", "SURVIVED", "CurationSettings", "Decision", "Rule", "Step", "changed", "decide", "is_kenlm",
    "kenlm_perplexities", "list_digest", "mark_shared", "measure_near", "measure_texts", "missing_language_model",
    "preset_settings", "question", "skills_of", "verdict_of",
]
