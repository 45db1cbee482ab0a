"""Selections into a format that a trainer reads."""
