"""Parallel decoding: every picture depends on its own text, seed and settings, on nothing else."""

from __future__ import annotations

import pytest
import torch

from synthvlm_ui.models import sampler
from synthvlm_ui.models.masked_generator import MaskedGenerator
from synthvlm_ui.models.sampler import SamplerSettings, mask_ratio, sample

SETTINGS = SamplerSettings(steps=4, guidance=2.0)


def test_the_same_seeds_give_the_same_tokens(generator: MaskedGenerator, made_up_text) -> None:
    text, empty = made_up_text([1, 2, 3]), made_up_text([9])
    first = sample(generator, text, empty, [5, 6, 7], SETTINGS)
    assert torch.equal(first, sample(generator, text, empty, [5, 6, 7], SETTINGS))
    assert not torch.equal(first, sample(generator, text, empty, [8, 6, 7], SETTINGS))


def test_a_picture_does_not_depend_on_its_batch(generator: MaskedGenerator, made_up_text) -> None:
    empty = made_up_text([9])
    numbers = [1, 2, 3, 4, 5, 6, 7]
    together = sample(generator, made_up_text(numbers), empty, numbers, SETTINGS)
    for number, row in zip(numbers, together, strict=True):
        assert torch.equal(sample(generator, made_up_text([number]), empty, [number], SETTINGS)[0], row)


@pytest.mark.parametrize("steps", [1, 2, 8, 40])
def test_no_token_stays_hidden(generator: MaskedGenerator, made_up_text, steps: int) -> None:
    tokens = sample(generator, made_up_text([1, 2]), made_up_text([9]), [1, 2], SamplerSettings(steps=steps))
    assert tokens.shape == (2, 16) and int(tokens.max()) < generator.config.codes


def test_the_empty_text_only_matters_with_guidance(generator: MaskedGenerator, made_up_text) -> None:
    def drawn(guidance: float, empty: int) -> torch.Tensor:
        settings = SamplerSettings(steps=3, guidance=guidance)
        return sample(generator, made_up_text([1]), made_up_text([empty]), [1], settings)

    assert torch.equal(drawn(1.0, 8), drawn(1.0, 9))
    assert not torch.equal(drawn(4.0, 8), drawn(4.0, 9))


def test_the_schedule_is_a_falling_cosine() -> None:
    shares = [mask_ratio(step / 10) for step in range(11)]
    assert shares[0] == 1 and abs(shares[-1]) < 1e-9
    assert shares == sorted(shares, reverse=True)
    assert mask_ratio(0.5) == pytest.approx(2**-0.5)


def test_draws_follow_the_chances() -> None:
    chances = torch.tensor([0.2, 0.0, 0.5, 0.3])
    uniform = torch.rand(1, 20_000, generator=torch.Generator().manual_seed(0))
    ids, sure = sampler._draw(chances.log().expand(1, 20_000, 4), uniform)
    share = torch.bincount(ids.flatten(), minlength=4) / 20_000
    assert torch.allclose(share, chances, atol=0.02)
    assert torch.allclose(sure.exp(), chances[ids], atol=1e-5)


def plainly_sampled(model, text, empty, seed: int, settings: SamplerSettings) -> torch.Tensor:
    """One picture by the formulas alone: both passes in full, all tokens, nothing kept between steps."""
    count, noise = model.config.tokens, torch.Generator().manual_seed(seed)
    tokens = torch.full((1, count), model.config.mask_id)
    for step in range(settings.steps):
        hidden = tokens == model.config.mask_id
        with_text, without = model(tokens, text), model(tokens, empty)
        chances = ((without + settings.guidance * (with_text - without)) / settings.temperature).softmax(-1)
        uniform = torch.rand(count, generator=noise)
        drawn = (chances.cumsum(-1) < uniform.unsqueeze(-1)).sum(-1).clamp_max(model.config.codes - 1)
        share = (step + 1) / settings.steps
        gumbel = -(-torch.rand(count, generator=noise).log()).log()
        sure = chances.gather(-1, drawn.unsqueeze(-1)).squeeze(-1).log()
        sure = sure + settings.choice_temperature * (1 - share) * gumbel
        tokens = torch.where(hidden, drawn, tokens)
        still = int(count * mask_ratio(share))
        if still and step + 1 < settings.steps:
            again = sure.masked_fill(~hidden, torch.inf).argsort(1)[:, : min(still, int(hidden.sum()) - 1)]
            tokens.scatter_(1, again, model.config.mask_id)
    return tokens[0]


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_short_cuts_draw_what_the_formulas_draw(generator: MaskedGenerator, made_up_text, guidance: float) -> None:
    settings = SamplerSettings(steps=5, guidance=guidance)
    numbers, empty = list(range(12)), made_up_text([99])
    drawn = sample(generator, made_up_text(numbers), empty, numbers, settings)
    with torch.no_grad():
        plain = [plainly_sampled(generator, made_up_text([n]), empty, n, settings) for n in numbers]
    assert float((drawn == torch.stack(plain)).float().mean()) > 0.99  # a tie within rounding may fall either way
