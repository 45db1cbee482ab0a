"""How many tokens CLIP makes of a text, start and end included: more than 77 and the text encoder cuts it.

The vocabulary is the one that comes with open_clip; torch is not needed. Knows no file of captions.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import ModelUnavailable

CONTEXT_TOKENS = 77
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_MERGES = 49152 - 256 - 2
# Contractions, words, single digits and runs of other signs, as in OpenAI's CLIP (simple_tokenizer.py).
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BATCH = 20_000


def token_counts(texts: Sequence[str]) -> NDArray[np.int32]:
    """Tokens of each text with start and end, (N,) int32. Raises: ModelUnavailable when open_clip is not installed."""
    tokenizer, counts = _tokenizer(), np.zeros(len(texts), np.int32)
    for start in range(0, len(texts), _BATCH):
        batch = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]), add_special_tokens=False)
        counts[start : start + len(batch)] = [len(encoding) + 2 for encoding in batch]
    return counts


@cache
def _tokenizer() -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    merges = _merges()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges)]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                                 normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def _merges() -> list[tuple[str, str]]:
    # Found and not imported: importing open_clip would import torch.
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None or not (path := Path(found.origin).parent / VOCABULARY).is_file():
        raise ModelUnavailable("CLIP's vocabulary is not there", fix="Install open_clip_torch.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : _MERGES + 1]
    return [(left, right) for left, right in (line.split() for line in lines)]
