"""R@k against a count by hand, and what must not change it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.evaluation import retrieval


def units(seed: int, count: int, width: int = 6) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_hand(images, captions, owner, k):
    """The definition, one query at a time."""
    similarity = images @ captions.T
    i2t = [any(owner[j] == i for j in np.argsort(-row, kind="stable")[:k]) for i, row in enumerate(similarity)]
    t2i = [owner[j] in np.argsort(-similarity[:, j], kind="stable")[:k] for j in range(len(captions))]
    return float(np.mean(i2t)), float(np.mean(t2i))


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 3))
def test_it_is_the_definition(seed, pictures, each):
    images, captions = units(seed, pictures), units(seed + 1, pictures * each)
    owner = [number for number in range(pictures) for _ in range(each)]
    found = retrieval(images, captions, owner, ranks=(1, 2, 5))
    for k in (1, 2, 5):
        assert (found[f"i2t_r{k}"], found[f"t2i_r{k}"]) == pytest.approx(by_hand(images, captions, owner, k))


@given(st.integers(0, 1000))
def test_the_order_of_pictures_and_captions_does_not_matter(seed):
    images, captions, owner = units(seed, 8), units(seed + 1, 16), np.repeat(np.arange(8), 2)
    rng = np.random.default_rng(seed)
    pictures, texts = rng.permutation(8), rng.permutation(16)
    place = np.argsort(pictures)
    assert retrieval(images[pictures], captions[texts], place[owner[texts]]) == retrieval(images, captions, owner)


def test_a_perfect_model_finds_all_and_a_constant_one_nothing():
    rows = np.eye(20)
    assert set(retrieval(rows, rows, range(20)).values()) == {1.0}
    same = np.ones((20, 4)) / 2
    assert set(retrieval(same, same, range(20)).values()) == {0.0}


def test_sizes_that_do_not_fit_are_refused():
    for arguments in ((np.eye(3), np.eye(3), [0, 1]), (np.eye(3), np.eye(3), [0, 1, 1]),
                      (np.eye(3), np.eye(4), range(4)), (np.zeros((0, 3)), np.zeros((0, 3)), [])):
        with pytest.raises(ValueError):
            retrieval(*arguments)
