"""Evaluation: how good captions are, how well pictures are found, whether language is kept.

Knows numbers, texts and model directories, not where pairs come from. Opening this door imports no torch:
``captioners`` and ``perplexity`` do.
"""

from synthvlm_ui.evaluation.cider import cider, plain_words
from synthvlm_ui.evaluation.harnesses import (
    lm_eval_command,
    lmms_eval_command,
    read_results,
    run_lm_eval,
)
from synthvlm_ui.evaluation.retrieval import retrieval

__all__ = [
    "cider",
    "lm_eval_command",
    "lmms_eval_command",
    "plain_words",
    "read_results",
    "retrieval",
    "run_lm_eval",
]
