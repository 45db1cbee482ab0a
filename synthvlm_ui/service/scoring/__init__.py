"""Scoring what is already drawn, and heads that are learned from verdicts."""
