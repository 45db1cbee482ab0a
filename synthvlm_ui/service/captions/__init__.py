"""Captions in, written, curated: the desks and jobs around the captions room."""
