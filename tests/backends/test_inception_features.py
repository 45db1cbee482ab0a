"""Inception-v3 for FID: torchvision's network name by name, and FID's own pools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from synthvlm_ui.backends.inception_features import Inception, InceptionFeatures, _Block
from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models.torchvision_ops import ensure_importable


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "weights.safetensors"
    save_file({name: value for name, value in Inception().state_dict().items() if "num_batches" not in name}, path)
    return path


def test_with_torchvisions_pools_it_is_torchvisions_network() -> None:
    ensure_importable()
    from torchvision.models import inception_v3

    theirs = inception_v3(weights=None, init_weights=False, aux_logits=False, transform_input=False).eval()
    theirs.fc = torch.nn.Identity()
    ours = Inception(as_fid=False).eval()
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc")}
    ours.load_state_dict(state)
    pixels = torch.rand(1, 3, 75, 75)
    with torch.inference_mode():
        assert torch.allclose(ours(pixels), theirs(pixels), atol=1e-5)


def test_fids_average_leaves_the_padding_out_and_its_last_block_takes_the_maximum() -> None:
    ones = torch.ones(1, 2, 5, 5)
    assert torch.equal(_Block(2, [], "mean")._pooled(ones), ones)
    assert not torch.equal(_Block(2, [], "padded mean")._pooled(ones), ones)
    rising = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert _Block(1, [], "max")._pooled(rising)[0, 0, 0, 0] == 6
    assert Inception().Mixed_7c._pool == "max" and Inception().Mixed_7b._pool == "mean"


def test_features_of_images_of_any_size(weights: Path) -> None:
    network = InceptionFeatures(weights)
    images = [np.full((40, 30, 3), value, np.uint8) for value in (10, 200)]
    features = network.features(images)
    assert features.shape == (2, 2048) and features.dtype == np.float32 and len(network.sha256) == 64
    assert np.allclose(network.features(images[1:]), features[1:], atol=1e-5)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelUnavailable, match="Conv2d_1a"):
        InceptionFeatures(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ModelUnavailable, match="read back"):
        InceptionFeatures(tmp_path / "broken.safetensors")
