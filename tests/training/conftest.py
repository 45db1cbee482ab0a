"""One thread, since the networks here are tiny; and the embedded language model opens only when torchvision does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from synthvlm_ui.backends import torchvision_ops


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    torchvision_ops.ensure_importable()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
