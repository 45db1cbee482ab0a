"""Finite scalar quantisation: ids and vectors are two names of the same code."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.models.fsq import FiniteScalarQuantiser

LEVELS = [(8, 5, 5, 5), (2, 3), (4, 4), (7,)]


@pytest.mark.parametrize("levels", LEVELS)
def test_every_id_comes_back_from_its_vector(levels: tuple[int, ...]) -> None:
    quantiser = FiniteScalarQuantiser(levels)
    ids = torch.arange(quantiser.size)
    vectors = quantiser.from_ids(ids)
    assert torch.equal(quantiser.to_ids(vectors), ids)
    assert len(vectors.unique(dim=0)) == quantiser.size
    assert vectors.abs().max() <= 1


@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4))
def test_quantised_vectors_are_codes(values: list[float]) -> None:
    quantiser = FiniteScalarQuantiser((8, 5, 5, 5))
    quantised = quantiser(torch.tensor(values))
    ids = quantiser.to_ids(quantised)
    assert 0 <= int(ids) < quantiser.size
    assert torch.allclose(quantiser.from_ids(ids), quantised, atol=1e-6)


def test_rounding_passes_the_gradient() -> None:
    vectors = torch.zeros(3, 4, requires_grad=True)
    FiniteScalarQuantiser()(vectors).sum().backward()
    assert vectors.grad is not None and bool((vectors.grad > 0).all())
