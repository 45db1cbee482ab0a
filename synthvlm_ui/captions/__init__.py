"""Captions: read them from files, ask for them by class, turn them into prompts, and mark words nobody drew before."""

from synthvlm_ui.captions.classes import (
    SAMPLINGS,
    ClassList,
    Sampling,
    classes_of_text,
    draw_classes,
    entropy_bits,
    read_classes,
)
from synthvlm_ui.captions.clip_tokens import CONTEXT_TOKENS, token_counts
from synthvlm_ui.captions.hub_datasets import DEFAULT_HUB_ROWS, HubDataset, hub_dataset, stream_column
from synthvlm_ui.captions.readers import FORMATS, ReadCaptions, read_captions
from synthvlm_ui.captions.rows import Columns, Rejected
from synthvlm_ui.captions.templates import Template, Wildcards, check_template, resolve, wildcard_files
from synthvlm_ui.captions.vocabulary import unknown_words
from synthvlm_ui.captions.writing import Synth2Profile, WritingProfile, reason_of, same_caption, word_range

__all__ = [
    "CONTEXT_TOKENS",
    "DEFAULT_HUB_ROWS",
    "FORMATS",
    "SAMPLINGS",
    "ClassList",
    "Columns",
    "HubDataset",
    "ReadCaptions",
    "Rejected",
    "Sampling",
    "Synth2Profile",
    "Template",
    "Wildcards",
    "WritingProfile",
    "check_template",
    "classes_of_text",
    "draw_classes",
    "entropy_bits",
    "hub_dataset",
    "read_captions",
    "read_classes",
    "reason_of",
    "resolve",
    "same_caption",
    "stream_column",
    "token_counts",
    "unknown_words",
    "wildcard_files",
    "word_range",
]
