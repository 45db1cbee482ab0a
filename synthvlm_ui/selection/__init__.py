"""Selection: which candidates a rule keeps, as pure functions on columns. Scoring writes numbers, selection decides."""

from synthvlm_ui.selection.columns import Columns, id_rank
from synthvlm_ui.selection.duplicates import DUPLICATE_RADIUS_BITS, near_pairs
from synthvlm_ui.selection.expressions import parse, unparse
from synthvlm_ui.selection.histograms import Binning, histogram
from synthvlm_ui.selection.presets import PRESETS, preset
from synthvlm_ui.selection.ranking import combined_score, variance_share
from synthvlm_ui.selection.rules import Resolved, Yield, check_rule, resolve, yield_of

__all__ = [
    "DUPLICATE_RADIUS_BITS",
    "PRESETS",
    "Binning",
    "Columns",
    "Resolved",
    "Yield",
    "check_rule",
    "combined_score",
    "histogram",
    "id_rank",
    "near_pairs",
    "parse",
    "preset",
    "resolve",
    "unparse",
    "variance_share",
    "yield_of",
]
