"""How surprising a caption is to a language model. Which model is the user's choice; without one there is no number.

With a KenLM file and a sentencepiece model the definition is that of SynthVLM's filters, so its limit of 5500 applies:
10 ** (-log10 probability / (pieces + 1 per line)), rounded to 0.1. Any other model has a scale of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.captions.rules.rule import Options, Parameter, Rule
from synthvlm_ui.errors import ModelUnavailable

KENLM_ENDINGS = (".bin", ".binary", ".arpa", ".klm", ".arpa.gz", ".arpa.bin")
Perplexities = Callable[[Sequence[str]], list[float]]


def is_kenlm(model: str) -> bool:
    """Whether a model's name is that of a KenLM file; all others are opened as transformers models."""
    return model.lower().endswith(KENLM_ENDINGS)


def missing(options: Options) -> str:
    """Why the rule cannot be measured with these options, empty when it can."""
    model = options.get("model")
    if not model:
        return "no language model was named: set perplexity.model to a KenLM file or a transformers model"
    if not is_kenlm(str(model)):
        return ""
    if not Path(str(model)).expanduser().is_file():
        return f"there is no file {model}"
    if importlib.util.find_spec("kenlm") is None:
        return "the package kenlm is not installed"
    pieces = options.get("pieces")
    if pieces and importlib.util.find_spec("sentencepiece") is None:
        return "the package sentencepiece is not installed"
    return "" if not pieces or Path(str(pieces)).expanduser().is_file() else f"there is no file {pieces}"


def kenlm_perplexities(options: Options) -> Perplexities:
    """Opens a KenLM model and, when one is named, a sentencepiece model. Raises: ModelUnavailable."""
    if reason := missing(options):
        raise ModelUnavailable(reason, where="perplexity.model")
    try:
        model: Any = importlib.import_module("kenlm").Model(str(Path(str(options["model"])).expanduser()))
        pieces: Any = None
        if options.get("pieces"):
            pieces = importlib.import_module("sentencepiece").SentencePieceProcessor()
            pieces.Load(str(Path(str(options["pieces"])).expanduser()))
    except (OSError, RuntimeError) as error:
        raise ModelUnavailable(f"the language model does not open: {error}", where=str(options["model"])) from error
    return lambda texts: [_perplexity(model, " ".join(_split(text, pieces))) for text in texts]


def _split(text: str, pieces: Any) -> list[str]:
    return list(pieces.encode_as_pieces(text)) if pieces is not None else text.split()


def _perplexity(model: Any, text: str) -> float:
    score, length = 0.0, 0
    for line in text.splitlines():
        score += model.score(line)
        length += len(line.split()) + 1
    return round(10.0 ** (-score / length), 1) if length else 0.0


PERPLEXITY_RULE = Rule(
    "perplexity", "Perplexity", "How surprising the caption is to a language model.", family="model", digits=1,
    parameters={"model": Parameter("text", "a KenLM file, or a Hub id or directory of a transformers language model"),
                "pieces": Parameter("text", "the sentencepiece model that a KenLM model was trained with")})
