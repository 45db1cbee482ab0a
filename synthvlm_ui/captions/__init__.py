"""Captions: read them from files, turn them into prompts, and mark words a small vocabulary does not know."""

from synthvlm_ui.captions.readers import FORMATS, ReadCaptions, read_captions
from synthvlm_ui.captions.rows import Columns, Rejected
from synthvlm_ui.captions.templates import check_template, resolve
from synthvlm_ui.captions.vocabulary import unknown_words

__all__ = [
    "FORMATS",
    "Columns",
    "ReadCaptions",
    "Rejected",
    "check_template",
    "read_captions",
    "resolve",
    "unknown_words",
]
