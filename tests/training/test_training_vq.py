"""Tokenizer training: every term pulls, with the paper's weights; the loss falls; a resumed run is the unbroken one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_pairs import FewPairs, Watching

from synthvlm_ui.backends.registry import open_image_tower
from synthvlm_ui.errors import BadSetting, DiskFull, ModelUnavailable
from synthvlm_ui.models import sizes, storage
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer, TokenizerConfig
from synthvlm_ui.models.vqgan import VqGan, VqGanConfig
from synthvlm_ui.training import Mixture, RunDirectory, Source, TrainRequest, preset_of
from synthvlm_ui.training import recipes as training_recipes
from synthvlm_ui.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from synthvlm_ui.training.perceptual import ClipFeatures, Features, VggFeatures, perceptual_distance
from synthvlm_ui.training.pictures import PictureBatches
from synthvlm_ui.training.recipes import train
from synthvlm_ui.training.vq import VqNetworks, VqTraining

SMALL = VqGanConfig(side=16, base=8, multipliers=(1, 2), blocks=1, decoder_base=8, decoder_blocks=1, code_width=8,
                    codes=32)
PRESET = replace(preset_of("synth2-vq", "tiny"), steps=24, batch_size=6, warmup_share=0.1)
PAIRS = FewPairs(8, side=16)


class Edges(Features):
    """The plainest features: differences of neighbours."""

    def __init__(self) -> None:
        super().__init__((0.5,) * 3, (0.5,) * 3)

    def layers(self, planes: torch.Tensor) -> list[torch.Tensor]:
        return [planes, planes[..., 1:] - planes[..., :-1]]


@pytest.fixture
def batches() -> PictureBatches:
    return PictureBatches(Mixture([Source("few", PAIRS)], PRESET.batch_size, 0), 16)


def training(batches: PictureBatches, out: Path, config: VqGanConfig | TokenizerConfig = SMALL) -> VqTraining:
    torch.manual_seed(0)
    model = VqGan(config) if isinstance(config, VqGanConfig) else PictureTokenizer(config)
    return VqTraining(VqNetworks(model, PatchDiscriminator(8, 1), Edges()), batches, PRESET, out)


def test_the_terms_and_their_weights_are_those_of_table_6(batches: PictureBatches, tmp_path: Path) -> None:
    for configuration in ("paper", "miniature"):
        preset = preset_of("synth2-vq", configuration)
        assert (preset.perceptual_weight, preset.adversarial_weight, preset.betas) == (0.05, 0.01, (0.9, 0.99))
    recipe = training(batches, tmp_path)
    pictures = torch.from_numpy(batches.load(0)[0]).float() / 127.5 - 1
    loss, terms, _ = recipe.losses(pictures, judged=True)
    weights = {"reconstruction": 1.0, "codebook": 1.0, "perceptual": 0.05, "adversarial": 0.01}
    by_hand = sum(weight * terms[name] for name, weight in weights.items())
    assert float(loss.detach()) == pytest.approx(by_hand, rel=1e-5)
    without, terms, _ = recipe.losses(pictures, judged=False)
    assert "adversarial" not in terms and float(without.detach()) != float(loss.detach())


@pytest.mark.parametrize("term", ["reconstruction", "codebook", "perceptual", "adversarial"])
def test_every_term_reaches_the_encoder(term: str, batches: PictureBatches, tmp_path: Path) -> None:
    recipe = training(batches, tmp_path)
    pictures = torch.from_numpy(batches.load(0)[0]).float() / 127.5 - 1
    made, _, codebook = recipe.networks.tokenizer.autoencode(pictures)
    assert recipe.features is not None
    value = {"reconstruction": lambda: (made - pictures).abs().mean(), "codebook": lambda: codebook,
             "perceptual": lambda: perceptual_distance(recipe.features, made, pictures),
             "adversarial": lambda: generator_loss(recipe.judge(made))}[term]()
    value.backward()
    first = next(recipe.networks.tokenizer.encoder.parameters())
    assert first.grad is not None and bool(first.grad.any())


def test_the_hinge_losses() -> None:
    real, made = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert float(discriminator_loss(real, made)) == pytest.approx(0.5 * (0.25 + 0.5))
    assert float(generator_loss(made)) == pytest.approx(1.5)


@pytest.mark.parametrize("config", [SMALL, TokenizerConfig(side=16, width=16, decoder_width=16, decoder_blocks=1)])
def test_the_loss_falls_and_the_discriminator_joins_at_its_step(
    config: VqGanConfig | TokenizerConfig, batches: PictureBatches, tmp_path: Path
) -> None:
    recipe = training(batches, tmp_path, config)
    rows = [recipe.step(step) for step in range(PRESET.steps)]
    assert sum(row["loss"] for row in rows[-4:]) < 0.85 * sum(row["loss"] for row in rows[:4])
    assert [("discriminator" in row) for row in rows] == [step >= 2 for step in range(PRESET.steps)]


def test_codes_that_nobody_uses_move_to_where_pictures_are(batches: PictureBatches, tmp_path: Path) -> None:
    recipe = training(batches, tmp_path)
    before = recipe.networks.tokenizer.codebook_table.table.detach().clone()
    used = [recipe.step(step)["codes_in_batch"] for step in range(8)]
    assert max(used) > 8
    assert (recipe.networks.tokenizer.codebook_table.table.detach() - before).abs().max() > 0.1


def request(out: Path, **changes: object) -> TrainRequest:
    settings = {"steps": 6, "batch_size": 4, "configuration": "tiny", **changes}
    return TrainRequest("synth2-vq", out, (Source("few", FewPairs(8)),), parts=out, features=Edges, **settings)


def test_a_resumed_run_has_the_losses_and_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    whole, first, second = Watching(), Watching(stop_after=4), Watching()
    done = train(request(tmp_path / "a"), whole)
    stopped = train(request(tmp_path / "b"), first)
    assert (stopped.steps, stopped.finished, done.steps, done.finished) == (4, False, 6, True)
    storage.load_image_tokenizer(tmp_path / "b" / "vq")  # a stopped run is usable
    resumed = train(request(tmp_path / "b", resume=True), second)
    assert {**first.losses, **second.losses} == whole.losses and resumed == done
    a, b = (storage.read(tmp_path / name / "vq", "vq-gan")[1] for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert [path.suffix for path in sorted((tmp_path / "b" / "run").rglob("*")) if path.is_file()] == [
        ".json", ".safetensors", ".json"]


def test_another_run_in_the_directory_is_refused(tmp_path: Path) -> None:
    train(request(tmp_path, steps=1), Watching())
    with pytest.raises(BadSetting, match="already"):
        train(request(tmp_path), Watching())
    with pytest.raises(BadSetting, match="batch_size 4, not 2"):
        train(request(tmp_path, batch_size=2, resume=True), Watching())
    assert train(request(tmp_path, steps=2, resume=True), Watching()).steps == 2
    assert RunDirectory(tmp_path).settings()["steps"] == 2


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(training_recipes.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskFull, match="GiB are free"):
        train(request(tmp_path / "out"), Watching())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_larger_decoder_keeps_the_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = sizes.TOKENIZERS["tiny"]
    monkeypatch.setitem(sizes.TOKENIZERS, "paper-decoder", replace(tiny, decoder_base=24, decoder_blocks=2))
    train(request(tmp_path / "a", steps=2), Watching())
    with pytest.raises(BadSetting, match="finished codes"):
        train(request(tmp_path / "b", configuration="paper-decoder"), Watching())
    train(request(tmp_path / "b", configuration="paper-decoder", init_from=tmp_path / "a", steps=2), Watching())
    before, after = (storage.load_image_tokenizer(tmp_path / name / "vq") for name in "ab")
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    assert torch.equal(before.encode(pixels), after.encode(pixels))
    assert isinstance(after, VqGan) and after.config.decoder_base == 24


def test_the_shipped_clip_tells_pictures_apart() -> None:
    features = ClipFeatures(*open_image_tower("miniature"))
    one, other = torch.rand(2, 64, 64, 3) * 2 - 1, torch.rand(2, 64, 64, 3) * 2 - 1
    other.requires_grad_(True)
    assert float(perceptual_distance(features, one, one)) == pytest.approx(0, abs=1e-6)
    distance = perceptual_distance(features, other, one)
    distance.backward()
    assert float(distance.detach()) > 0.01 and other.grad is not None and bool(other.grad.any())


def test_vgg_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"features.0.weight": torch.zeros(2, 3, 3, 3)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelUnavailable, match="VGG-16"):
        VggFeatures(tmp_path / "model.safetensors")


@pytest.mark.slow
def test_vgg_features_are_the_last_of_every_resolution(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    torch.manual_seed(0)
    reference = vgg16(weights=None).eval()
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    pictures = torch.rand(1, 32, 32, 3) * 2 - 1
    features = VggFeatures(tmp_path / "model.safetensors")
    found = features(pictures)
    assert [(layer.shape[1], layer.shape[2]) for layer in found] == [
        (64, 32), (128, 16), (256, 8), (512, 4), (512, 2)]
    planes = ((pictures.permute(0, 3, 1, 2) + 1) / 2 - features.mean) / features.std
    assert torch.allclose(reference.features[:30](planes), found[-1], atol=1e-5)
