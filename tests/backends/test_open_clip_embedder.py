"""Embeddings of open_clip models: unit rows, truncation, batches, precision, directories that cannot be loaded."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clip import CONTEXT

from synthvlm_ui.backends import create_embedder
from synthvlm_ui.backends.open_clip_embedder import OpenClipEmbedder, _dtype_of, _without_random_weights_warning
from synthvlm_ui.backends.registry import EMBEDDER_ALIASES, EMBEDDERS
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import BadSetting, ModelUnavailable, OutOfMemory, UnknownName

TEXTS = ["a red cat", "two small dog on the mat", "a blue house"]


def images(count: int, height: int = 40, width: int = 56) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


@pytest.fixture(scope="module")
def embedder(models: Path) -> OpenClipEmbedder:
    return OpenClipEmbedder(f"local-dir:{models / 'clip'}", directory=models / "clip")


def test_rows_are_unit_vectors(embedder: OpenClipEmbedder) -> None:
    for rows in (embedder.embed_images(images(3)), embedder.embed_texts(TEXTS)):
        assert rows.shape == (3, embedder.dimension)
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_no_items_no_rows(embedder: OpenClipEmbedder) -> None:
    assert embedder.embed_images([]).shape == embedder.embed_texts([]).shape == (0, embedder.dimension)
    assert embedder.truncated([]).shape == (0,)


def test_batches_do_not_change_rows(models: Path, embedder: OpenClipEmbedder) -> None:
    one = OpenClipEmbedder("x", directory=models / "clip", batch_size=2)
    pictures = images(5)
    assert one.embed_images(pictures) == pytest.approx(embedder.embed_images(pictures), abs=1e-5)
    assert one.embed_texts(TEXTS) == pytest.approx(embedder.embed_texts(TEXTS), abs=1e-5)


def test_truncation_counts_start_and_end(embedder: OpenClipEmbedder) -> None:
    fits = " ".join(["cat"] * (CONTEXT - 2))
    assert embedder.truncated([fits, f"{fits} dog", ""]).tolist() == [False, True, False]
    cut, same = embedder.embed_texts([f"{fits} dog", f"{fits} house"])
    assert np.array_equal(cut, same)


def test_truncation_with_byte_pairs(models: Path) -> None:
    embedder = OpenClipEmbedder("x", directory=models / "clip-bpe")
    assert embedder.truncated([" ".join(["cat"] * 75), " ".join(["cat"] * 76)]).tolist() == [False, True]
    assert embedder.info.settings["resize"].startswith("squash")


def test_settings_say_everything_a_number_depends_on(models: Path) -> None:
    embedder = OpenClipEmbedder("clip", directory=models / "clip", precision="fp32")
    assert embedder.info.settings == {
        "model": "clip", "weights": embedder.info.settings["weights"], "library": "open_clip", "precision": "fp32",
        "side_px": 32, "resize": "shortest, bicubic, antialiased, uint8", "context_tokens": CONTEXT}
    half = OpenClipEmbedder("x", directory=models / "clip", precision="bf16")
    assert half.info.settings["precision"] == "bf16"
    assert half.info.key != embedder.info.key
    assert half.embed_images(images(3)) == pytest.approx(embedder.embed_images(images(3)), abs=0.03)


def test_small_models_are_not_rounded_and_large_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthvlm_ui.backends.open_clip_embedder.embedder_dtype", lambda device: torch.bfloat16)
    assert _dtype_of("auto", "cpu", 1_500_000) == torch.float32
    assert _dtype_of("auto", "cpu", 151_000_000) == torch.bfloat16
    assert _dtype_of("auto", "cuda", 1_500_000) == torch.bfloat16  # of whatever the card is best at


def test_the_wrong_activation_is_an_error(models: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(models / "clip", tmp_path / "vit_base_patch32_clip_224.openai"))
    config = json.loads((copy / "open_clip_config.json").read_text())
    for right in (False, True):
        config["model_cfg"]["quick_gelu"] = right
        (copy / "open_clip_config.json").write_text(json.dumps(config))
        with nullcontext() if right else pytest.raises(BadSetting, match="activation"):
            OpenClipEmbedder(str(copy), directory=copy)
    with pytest.raises(BadSetting, match="QuickGELU"), _without_random_weights_warning():
        logging.warning("QuickGELU mismatch between final model config and pretrained tag.")


def test_papers_names_mean_the_entries_with_their_activation() -> None:
    for name, entry in EMBEDDER_ALIASES.items():
        assert entry in EMBEDDERS and "quickgelu" in entry, name


def test_out_of_memory_halves_the_batch(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = OpenClipEmbedder("x", directory=models / "clip", batch_size=8)
    expected, encode, asked = embedder.embed_images(images(5)), embedder._encode_images, []

    def limited(batch: list[np.ndarray]) -> torch.Tensor:
        asked.append(len(batch))
        if len(batch) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return encode(batch)

    monkeypatch.setattr(embedder, "_encode_images", limited)
    largest = 2
    assert embedder.embed_images(images(5)) == pytest.approx(expected, abs=1e-5)
    assert asked == [5, 2, 2, 1]
    largest = 0
    with pytest.raises(OutOfMemory):
        embedder.embed_images(images(1))


def test_pickled_weights_are_not_loaded(models: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(models / "clip", tmp_path / "clip"))
    weights = copy / "open_clip_model.safetensors"
    weights.rename(copy / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="safetensors"):
        create_embedder(f"local-dir:{copy}")


def test_weights_of_another_model_are_named_in_one_line(models: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(models / "clip", tmp_path / "clip"))
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["width"] = 64
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable) as caught:
        create_embedder(f"local-dir:{copy}")
    assert str(copy) in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_precision_and_resizing(models: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="fp8"):
        OpenClipEmbedder("x", directory=models / "clip", precision="fp8")
    copy = Path(shutil.copytree(models / "clip", tmp_path / "clip"))
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "longest"
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match="longest"):
        create_embedder(str(copy))


def test_weights_tags_with_the_wrong_activation_are_an_error() -> None:
    from synthvlm_ui.backends.open_clip_embedder import _hub_id_of

    assert _hub_id_of("ViT-B-32-quickgelu/openai") == "timm/vit_base_patch32_clip_224.openai"
    with pytest.raises(BadSetting, match="ViT-B-32-quickgelu/metaclip_400m"):
        _hub_id_of("ViT-B-32/metaclip_400m")
    with pytest.raises(UnknownName, match="Known: openai"):
        _hub_id_of("ViT-B-32-quickgelu/laion2b_s34b_b79k")


def test_the_small_worlds_embedder_is_shipped() -> None:
    embedder = create_embedder("miniature", "cpu")
    assert embedder.info.settings["model"] == "miniature"
    assert embedder.embed_images(images(1, 64, 64)).shape == (1, embedder.dimension)
    assert (MINIATURE / "clip").is_dir()
