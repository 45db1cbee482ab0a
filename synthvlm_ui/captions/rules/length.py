"""How long a caption is: in characters, in words, and in CLIP's tokens, of which a text encoder reads 77."""

from __future__ import annotations

import gzip
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from synthvlm_ui.captions.rules.repetition import refined_places
from synthvlm_ui.captions.rules.rule import Options, Rule, Span, Statistic
from synthvlm_ui.captions.rules.text_block import TextBlock, storable

CONTEXT_TOKENS = 77
_START_AND_END = 2
_MERGES = 49152 - 256 - 2
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_KNOWN_WORDS = 1 << 20


def _characters(block: TextBlock, _options: Options) -> Statistic:
    return block.raw.lengths.astype(np.float64)


def _words(block: TextBlock, _options: Options) -> Statistic:
    return block.raw.refined_words.counts.astype(np.float64)


def clip_vocabulary() -> Path | None:
    """The vocabulary file that open_clip ships, found without importing it; None when it is not installed."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    return path if path.is_file() else None


@lru_cache(maxsize=1)
def clip_tokenizer() -> Any:
    """CLIP's tokenizer from open_clip's vocabulary, without torch; None when there is no vocabulary.

    Case and white space as CLIP reads them. HTML entities and mis-encoded text, which open_clip repairs first, are
    counted as they stand.
    """
    path = clip_vocabulary()
    if path is None:
        return None
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1: _MERGES + 1]
    merges = [(left, right) for left, right in (line.split() for line in lines)]
    letters = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = [chr(code) for code in letters] + [chr(256 + place) for place in range(256 - len(letters))]
    symbols = [*alphabet, *(letter + "</w>" for letter in alphabet), *(left + right for left, right in merges)]
    vocabulary = {symbol: place for place, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


# Words that were counted before, by hash: captions share most of theirs, and a token never reaches over a space.
_counted: dict[int, int] = {}


def _tokens(block: TextBlock, _options: Options) -> Statistic:
    tokenizer = clip_tokenizer()
    if tokenizer is None:
        return np.full(len(block), np.nan)
    words = block.raw.words
    hashes, first, place = np.unique(words.hashes, return_index=True, return_inverse=True)
    if len(_counted) > _KNOWN_WORDS:
        _counted.clear()
    known = hashes.tolist()
    new = [number for number, key in enumerate(known) if key not in _counted]
    if new:
        raw = block.raw
        owner, start, end = (column[first[new]].tolist() for column in (words.owner, words.start, words.end))
        offsets = raw.starts.tolist()
        texts = [block.texts[one][begin - offsets[one]: finish - offsets[one]]
                 for one, begin, finish in zip(owner, start, end, strict=True)]
        for number, encoding in zip(new, tokenizer.encode_batch_fast([storable(text) for text in texts]), strict=True):
            _counted[known[number]] = len(encoding)
    counts = np.array([_counted[key] for key in known], dtype=np.float64)
    needed: Statistic = np.bincount(words.owner, counts[place], len(block)).astype(np.float64)
    return needed + _START_AND_END


def count_tokens(text: str) -> int | None:
    """CLIP's tokens of one text with the two at its ends; None without a vocabulary."""
    tokenizer = clip_tokenizer()
    return None if tokenizer is None else len(tokenizer.encode(storable(text))) + _START_AND_END


def _mark_unread(text: str, _options: Options) -> list[Span]:
    tokenizer = clip_tokenizer()
    if tokenizer is None:
        return []
    offsets = tokenizer.encode(storable(text)).offsets
    room = CONTEXT_TOKENS - _START_AND_END
    return [(offsets[room][0], len(text))] if len(offsets) > room else []


def _mark_whole(text: str, _options: Options) -> list[Span]:
    places = refined_places(text)
    return [(places[0][0], places[-1][1])] if places else []


CHARACTERS_RULE = Rule("characters", "Characters", "How many characters the caption has.",
                       measure=_characters, mark=_mark_whole, digits=0)
WORDS_RULE = Rule("words", "Words", "How many words the caption has.", measure=_words, mark=_mark_whole, digits=0)
TOKENS_RULE = Rule("tokens", "CLIP tokens",
                   f"How many tokens CLIP's text encoder would need, with both ends; it reads {CONTEXT_TOKENS}.",
                   measure=_tokens, mark=_mark_unread, digits=0)
