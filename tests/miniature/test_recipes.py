"""Recipes: a step lowers the loss, only the trained part moves, and a resumed run equals an unbroken one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from synthvlm_ui.miniature import loop
from synthvlm_ui.miniature.clip_recipe import ClipRecipe
from synthvlm_ui.miniature.corpora import Corpus
from synthvlm_ui.miniature.generator_recipe import GeneratorRecipe
from synthvlm_ui.miniature.lm_recipe import LanguageRecipe
from synthvlm_ui.miniature.optimiser import orthogonalise, warm_then_cool
from synthvlm_ui.miniature.vlm_recipe import VlmRecipe
from synthvlm_ui.miniature.vq_recipe import DecoderRecipe, TokenizerRecipe
from synthvlm_ui.models import storage, torchvision_ops
from synthvlm_ui.models.masked_generator import GeneratorConfig
from synthvlm_ui.models.vlm import VlmConfig
from synthvlm_ui.models.vq_tokenizer import TokenizerConfig
from synthvlm_ui.training.masked import draw_mask

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SMALL_VQ = TokenizerConfig(width=16, decoder_width=16, encoder_blocks=1, decoder_blocks=1)
SMALL_GENERATOR = GeneratorConfig(width=32, code_width=16, layers=1, heads=2)
FEW = Corpus("few", seed=5, size=40)


@pytest.fixture(scope="module", autouse=True)
def importable() -> None:
    torchvision_ops.ensure_importable()


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    for name, recipe in (("lm", LanguageRecipe(steps=1)), ("vq", TokenizerRecipe(steps=1, config=SMALL_VQ))):
        (folder / name).mkdir()
        if isinstance(recipe, TokenizerRecipe):
            recipe.step(0)
        recipe.export(folder / name)
    return folder


def small_generator(assets: Path, steps: int = 6) -> GeneratorRecipe:
    return GeneratorRecipe(assets, steps=steps, batch=4, config=SMALL_GENERATOR, corpus=FEW)


@pytest.mark.parametrize(
    "build",
    [
        lambda assets: LanguageRecipe(steps=12, batch=16),
        lambda assets: TokenizerRecipe(steps=12, batch=8, config=SMALL_VQ),
        lambda assets: ClipRecipe(steps=12, batch=8),
        lambda assets: small_generator(assets, 12),
    ],
    ids=["lm", "vq", "clip", "generator"],
)
def test_repeating_one_batch_lowers_its_loss(build: Any, assets: Path) -> None:
    recipe = build(assets)
    losses = [recipe.step(0) for _ in range(12)]
    assert min(losses[-3:]) < losses[0]


def test_the_frozen_parts_do_not_move(assets: Path) -> None:
    recipe = small_generator(assets)
    language = {k: v.clone() for k, v in recipe.language.network.state_dict().items()}
    picture = {k: v.clone() for k, v in recipe.tokens.tokenizer.state_dict().items()}
    recipe.step(0)
    assert all(torch.equal(v, language[k]) for k, v in recipe.language.network.state_dict().items())
    assert all(torch.equal(v, picture[k]) for k, v in recipe.tokens.tokenizer.state_dict().items())


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(assets: Path, tmp_path: Path) -> None:
    unbroken = small_generator(assets)
    assert loop.train(unbroken, tmp_path / "a", tmp_path / "out-a")
    killed = small_generator(assets)
    assert not loop.train(killed, tmp_path / "b", tmp_path / "out-b", minutes=0)
    resumed = small_generator(assets)
    assert loop.train(resumed, tmp_path / "b", tmp_path / "out-b", resume=True)
    for one, other in zip(unbroken.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    a, b = (storage.load_generator(tmp_path / f"out-{name}").state_dict() for name in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_training_goes_on_from_the_shipped_weights(assets: Path, tmp_path: Path) -> None:
    trained = small_generator(assets)
    trained.step(0)
    trained.export(tmp_path)
    later = small_generator(assets)
    assert later.go_on_from(tmp_path) == 1
    for one, other in zip(trained.model.parameters(), later.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-3)


def test_a_clip_goes_on_from_the_shipped_weights(tmp_path: Path) -> None:
    trained = ClipRecipe(steps=3, batch=4)
    trained.step(0)
    trained.export(tmp_path)
    later = ClipRecipe(steps=3, batch=4)
    assert later.go_on_from(tmp_path) == 1
    for one, other in zip(trained.model.parameters(), later.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-3)


def test_masks_hide_at_least_one_token_and_about_two_thirds_on_average() -> None:
    import numpy as np

    hidden = draw_mask(np.random.default_rng(0), 4000, 256)
    assert int(hidden.sum(1).min()) >= 1
    assert float(hidden.float().mean()) == pytest.approx(2 / np.pi, abs=0.02)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(20, 50)))
    assert 0.5 < float(values.min()) and float(values.max()) < 1.5


def test_the_learning_rate_warms_up_stays_and_cools_down() -> None:
    scales = [warm_then_cool(step, 100, 10, 0.4) for step in range(100)]
    assert scales[0] == pytest.approx(0.1) and scales[30] == 1 and scales[99] == pytest.approx(1 / 40)


def test_a_new_decoder_keeps_the_codes(assets: Path, tmp_path: Path) -> None:
    recipe = DecoderRecipe(assets, steps=2, batch=4, width=16, blocks=1)
    recipe.step(0)
    recipe.export(tmp_path)
    pixels = torch.from_numpy(FEW.row(0).pixels()).unsqueeze(0)
    before, after = storage.load_tokenizer(assets / "vq"), storage.load_tokenizer(tmp_path)
    assert torch.equal(before.encode(pixels), after.encode(pixels))


def test_the_vlm_learns_from_tokens_with_a_frozen_language_model(assets: Path) -> None:
    sizes = VlmConfig(code_width=16, width=16, latents=4, depth=1, heads=2, head_width=8, fold=2, mixing=1)
    recipe = VlmRecipe(assets, steps=8, batch=4, corpus=FEW, config=sizes)
    frozen = {n: p.clone() for n, p in recipe.model.named_parameters() if not p.requires_grad}
    losses = [recipe.step(0) for _ in range(8)]
    assert losses[-1] < losses[0]
    assert all(torch.equal(p, frozen[n]) for n, p in recipe.model.named_parameters() if n in frozen)
