"""Tiny pipelines and models, made once for all tests of the back ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_clip import save_tiny_clip
from tiny_pipelines import save_tiny_amused, save_tiny_flux, save_tiny_sd, save_tiny_sd3, save_tiny_sdxl

from synthvlm_ui.backends import create_generator
from synthvlm_ui.protocols import ImageGenerator

MAKERS: dict[str, Callable[[Path], Path]] = {
    "sd": save_tiny_sd, "sdxl": save_tiny_sdxl, "sd3": save_tiny_sd3, "flux": save_tiny_flux,
    "amused": save_tiny_amused}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny pipelines of MAKERS and the tiny CLIP models clip and clip-bpe."""
    import torch

    # Threads that wait for each other cost far more than they save on tensors this small.
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    for name, make in MAKERS.items():
        make(folder / name)
    save_tiny_clip(folder / "clip")
    save_tiny_clip(folder / "clip-bpe", own_words=False, resize_mode="squash")
    return folder


@pytest.fixture(scope="session")
def open_generator(models: Path) -> Iterator[Callable[[str], ImageGenerator]]:
    """Generators by name of the table or of a folder in ``models``, each loaded once."""
    opened: dict[str, ImageGenerator] = {}

    def open_one(name: str) -> ImageGenerator:
        if name not in opened:
            opened[name] = create_generator(str(models / name) if name in MAKERS else name, device="cpu")
        return opened[name]

    yield open_one
