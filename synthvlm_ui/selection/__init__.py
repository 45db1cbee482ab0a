"""Selection: which candidates a rule keeps, as pure functions on columns. Scoring writes numbers, selection decides."""

from synthvlm_ui.selection.agreement import Judged, judge, wilson
from synthvlm_ui.selection.checks import NEAR_DUPLICATES, check_rule, near_duplicates_of
from synthvlm_ui.selection.columns import Coded, Columns, LazyColumns, Matcher, captions_of, id_rank, leaving_out
from synthvlm_ui.selection.duplicates import DUPLICATE_RADIUS_BITS
from synthvlm_ui.selection.expressions import parse, unparse
from synthvlm_ui.selection.histograms import Binning, JointBinning, histogram
from synthvlm_ui.selection.near_hashes import HashTable, hash_table, known_table, near_pairs, remember_table
from synthvlm_ui.selection.near_vectors import near_vector_pairs
from synthvlm_ui.selection.presets import PRESETS, preset, ssim_column
from synthvlm_ui.selection.ranking import combined_score, keys_of, random_keys, variance_share
from synthvlm_ui.selection.rules import (
    Choice,
    Resolved,
    Scored,
    Yield,
    choose,
    overridden,
    resolve,
    scored,
    scoring_of,
    thresholds_of,
    yield_of,
)
from synthvlm_ui.selection.statistics import correlations, percentile_of, value_at

__all__ = [
    "DUPLICATE_RADIUS_BITS",
    "NEAR_DUPLICATES",
    "PRESETS",
    "Binning",
    "Choice",
    "Coded",
    "Columns",
    "HashTable",
    "JointBinning",
    "Judged",
    "LazyColumns",
    "Matcher",
    "Resolved",
    "Scored",
    "Yield",
    "captions_of",
    "check_rule",
    "choose",
    "combined_score",
    "correlations",
    "hash_table",
    "histogram",
    "id_rank",
    "judge",
    "keys_of",
    "known_table",
    "leaving_out",
    "near_duplicates_of",
    "near_pairs",
    "near_vector_pairs",
    "overridden",
    "parse",
    "percentile_of",
    "preset",
    "random_keys",
    "remember_table",
    "resolve",
    "scored",
    "scoring_of",
    "ssim_column",
    "thresholds_of",
    "unparse",
    "value_at",
    "variance_share",
    "wilson",
    "yield_of",
]
