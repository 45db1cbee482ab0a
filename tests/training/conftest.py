"""One thread, since the networks here are tiny; and transformers can be imported only when torchvision can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from synthvlm_ui.models import torchvision_ops

torchvision_ops.ensure_importable()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
