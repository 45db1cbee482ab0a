"""CIDEr against pycocoevalcap's own Cider, whose scorer needs no Java, on the same words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider

from synthvlm_ui.evaluation import cider

WORDS = "a the red blue dog runs on green grass two cats sit under an old tree near water".split()
sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)
pictures = st.lists(st.tuples(sentence, st.lists(sentence, min_size=1, max_size=5)), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(pictures)
def test_every_score_and_the_mean_are_the_reference_s(rows: list[tuple[str, list[str]]]) -> None:
    texts, references = [text for text, _ in rows], [several for _, several in rows]
    numbers = range(len(rows))
    mean, each = Cider().compute_score(dict(zip(numbers, references, strict=True)),
                                       {number: [text] for number, text in zip(numbers, texts, strict=True)})
    own_mean, own_each = cider(texts, references)
    assert own_mean == pytest.approx(mean, abs=1e-9)
    assert np.abs(own_each - each).max() < 1e-9
