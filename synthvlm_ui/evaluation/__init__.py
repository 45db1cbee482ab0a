"""Evaluation: how good written captions are. Knows numbers about texts, not where texts come from."""

from synthvlm_ui.evaluation.cider import cider, plain_words

__all__ = ["cider", "plain_words"]
