"""Words nobody wants in a caption: the share of a caption's words that stand in a list.

The list that ships is the English part of LDNOOBW (CC BY 4.0; assets/captions/flagged_words_en.txt); another may be
named. Any list has false positives, so the report shows which word was met.
Definition: SynthVLM appendix, table 1: words in lower case, without special characters at their ends.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from synthvlm_ui.captions.rules.hashing import Hashes
from synthvlm_ui.captions.rules.repetition import refined_places
from synthvlm_ui.captions.rules.rule import Options, Parameter, Rule, Span, Statistic, shares
from synthvlm_ui.captions.rules.text_block import Characters, TextBlock
from synthvlm_ui.config import ASSETS
from synthvlm_ui.errors import UnreadableFile

SHIPPED_LIST = ASSETS / "captions" / "flagged_words_en.txt"
SHIPPED_SOURCE = "LDNOOBW, English (CC BY 4.0)"


def read_words(path: Path) -> frozenset[str]:
    """The words of a list, one a line, # for remarks. Raises: UnreadableFile."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UnreadableFile(f"the list of flagged words cannot be read: {reason}", where=str(path),
                             fix="Give a text file with one word a line.") from error
    return frozenset(line.strip().lower() for line in lines if line.strip() and not line.startswith("#"))


def list_digest(options: Options) -> str:
    """What tells one list's statistics from another's, whatever the file is called."""
    words = "\n".join(sorted(_list(options)))
    return hashlib.sha256(words.encode("utf-8")).hexdigest()[:12]


def _list(options: Options) -> frozenset[str]:
    path = Path(options["list"]).expanduser() if options.get("list") else SHIPPED_LIST
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _remembered(path, changed)


@lru_cache(maxsize=8)
def _remembered(path: Path, _changed: int) -> frozenset[str]:
    return read_words(path)


@lru_cache(maxsize=8)
def _hashes(words: frozenset[str]) -> Hashes:
    characters = Characters(sorted(words))
    return np.sort(characters.spans.hash(characters.starts, characters.ends))


def _measure(block: TextBlock, options: Options) -> Statistic:
    words, flagged = block.lowered.refined_words, _hashes(_list(options))
    if not len(flagged):
        return np.zeros(len(block))
    place = np.minimum(np.searchsorted(flagged, words.hashes), len(flagged) - 1)
    hits = np.bincount(words.owner[flagged[place] == words.hashes], minlength=len(block))
    return shares(hits, words.counts)


def _mark(text: str, options: Options) -> list[Span]:
    flagged = _list(options)
    return [(start, end) for start, end in refined_places(text) if text[start:end].lower() in flagged]


FLAGGED_RULE = Rule(
    "flagged_words", "Flagged words", "Share of words that stand in the list of flagged words.",
    parameters={"list": Parameter("text", "a file with one word a line, in place of the shipped list")},
    measure=_measure, mark=_mark)
