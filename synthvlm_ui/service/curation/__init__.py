"""Candidates in memory: scopes, views of a rule, pages, search, numbers about a rule, verdicts. Loads no model."""
