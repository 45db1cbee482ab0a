"""Our embedder and CLIPScore against open_clip's own transform, tokenizer and encoders on the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from tiny_clip import save_tiny_clip

from synthvlm_ui.backends.open_clip_embedder import OpenClipEmbedder
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.scoring import PREFIX, ClipScorer

CAPTIONS = ["a red cat", "two dog with a big blue house", "a small tree on the mat", "a red cat"]
VARIANTS = {"own words, shortest": (True, "shortest"), "byte pairs, squash": (False, "squash")}


@pytest.fixture(scope="module", params=[*VARIANTS, "shipped"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)  # threads that wait for each other cost more than they save on models this small
    if request.param == "shipped":
        return MINIATURE / "clip"
    own_words, mode = VARIANTS[request.param]
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "clip", own_words=own_words, resize_mode=mode)


def photographs() -> list[np.ndarray]:
    """Wide, tall, small and odd."""
    return [data.astronaut(), data.chelsea(), data.coffee()[:, 100:301], data.rocket()[:37, :53]]


def open_clips_own(directory: Path, pictures: list[np.ndarray], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Image and text embeddings of open_clip as its README computes them, in float32."""
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{directory}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{directory}")
    model.eval()
    with torch.no_grad():
        pixels = torch.stack([transform(Image.fromarray(each)) for each in pictures])
        images = model.encode_image(pixels, normalize=True)
        return images.numpy(), model.encode_text(tokenizer(texts), normalize=True).numpy()


def test_pixels_agree_within_one_grey_level(directory: Path) -> None:
    import open_clip

    embedder = OpenClipEmbedder("x", directory=directory, precision="fp32")
    ours = embedder._preprocess
    _, _, transform = open_clip.create_model_and_transforms(f"local-dir:{directory}")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (ours.mean, ours.std))
    for picture in photographs():
        theirs = (transform(Image.fromarray(picture)) * std + mean) * 255
        assert (theirs.round() - ours.pixels(picture).float()).abs().max() <= 1
        normalised = ours.batch([picture], "cpu", torch.float32)[0]
        assert (transform(Image.fromarray(picture)) - normalised).abs().max() <= 1.01 / 255 / std.min()


def test_clip_score_agrees_on_the_same_pixels(directory: Path) -> None:
    """At the model's own size nothing is resized, so only the encoders remain: 1e-5 in float32."""
    embedder = OpenClipEmbedder("x", directory=directory, precision="fp32")
    side = embedder.info.settings["side_px"]
    pictures = [np.asarray(Image.fromarray(each).resize((side, side))) for each in photographs()]
    images, texts = open_clips_own(directory, pictures, [PREFIX + caption for caption in CAPTIONS])
    columns = ClipScorer(embedder).score(pictures, CAPTIONS).columns
    assert columns["clip_cosine"] == pytest.approx((images * texts).sum(axis=1), abs=1e-5)
    assert embedder.embed_images(pictures) == pytest.approx(images, abs=1e-5)


def test_clip_score_agrees_through_the_resize(directory: Path) -> None:
    embedder = OpenClipEmbedder("x", directory=directory, precision="fp32")
    images, texts = open_clips_own(directory, photographs(), [PREFIX + caption for caption in CAPTIONS])
    columns = ClipScorer(embedder).score(photographs(), CAPTIONS).columns
    assert columns["clip_cosine"] == pytest.approx((images * texts).sum(axis=1), abs=2e-3)


def test_the_default_precision_of_the_shipped_model_is_exact() -> None:
    """Within 0.002 of float32 everywhere; on processors it is float32."""
    exact, default = (OpenClipEmbedder("x", directory=MINIATURE / "clip", precision=each) for each in ("fp32", "auto"))
    scores = [ClipScorer(each).score(photographs(), CAPTIONS).columns["clip_cosine"] for each in (exact, default)]
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)


def test_bfloat16_weights_keep_the_score(directory: Path) -> None:
    """What auto precision chooses for large models where the processor multiplies bfloat16."""
    exact, half = (OpenClipEmbedder("x", directory=directory, precision=each) for each in ("fp32", "bf16"))
    scores = [ClipScorer(each).score(photographs(), CAPTIONS).columns["clip_cosine"] for each in (exact, half)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
