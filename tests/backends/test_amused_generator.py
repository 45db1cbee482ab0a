"""aMUSEd's own sampling: tokens as diffusers' pipeline draws them where noise decides nothing, and pictures of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_pipelines import LATENT_SIDE, NATIVE_PX

from synthvlm_ui.backends import create_generator
from synthvlm_ui.backends.amused_generator import AmusedGenerator
from synthvlm_ui.errors import OutOfMemory
from synthvlm_ui.protocols import ImageGenerator, TokenGenerator
from synthvlm_ui.records import GenerationRequest


def request(prompt: str = "a cat", seed: int = 1, steps: int = 4) -> GenerationRequest:
    return GenerationRequest(prompt, seed, NATIVE_PX, NATIVE_PX, steps, 3.0)


@pytest.fixture
def generator(open_generator: Callable[[str], ImageGenerator]) -> AmusedGenerator:
    opened = open_generator("amused")
    assert isinstance(opened, AmusedGenerator)
    return opened


def test_it_gives_tokens_and_paints_them(generator: AmusedGenerator) -> None:
    assert isinstance(generator, TokenGenerator)
    tokens = generator.generate_tokens([request(), request(seed=2)])
    assert tokens.shape == (2, LATENT_SIDE**2) and tokens.dtype == np.uint16
    assert tokens.max() < 32, "no mask is left"
    assert generator.info.token_grid == (LATENT_SIDE, LATENT_SIDE)
    drawn = generator.generate([request(), request(seed=2)])
    for painted, image in zip(generator.decode_tokens(tokens), drawn, strict=True):
        assert np.array_equal(painted, image)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_sure_tokens_are_those_of_diffusers(models: Path) -> None:
    """With logits a thousand times as sharp no noise has a say, and one step masks nothing again."""
    import torch
    from diffusers import AmusedPipeline

    ours = create_generator(str(models / "amused"), "cpu")
    theirs = AmusedPipeline.from_pretrained(models / "amused")
    theirs.set_progress_bar_config(disable=True)
    assert isinstance(ours, AmusedGenerator)
    for network in (ours._transformer, theirs.transformer):
        last: Any = network.mlm_layer.conv2
        last.weight.data *= 1e3
    for prompt in ("a cat", "two dogs"):
        with torch.inference_mode():
            wanted = theirs(prompt=prompt, num_inference_steps=1, guidance_scale=3.0, output_type="latent",
                            generator=torch.Generator("cpu").manual_seed(1)).images
        tokens = ours.generate_tokens([request(prompt, steps=1)])
        assert np.array_equal(tokens[0], wanted.flatten().numpy())


def test_every_step_masks_fewer_tokens_and_keeps_what_was_sure(
    generator: AmusedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen: list[Any] = []
    forward = generator._transformer.forward

    def watched(tokens: Any, **options: Any) -> Any:
        seen.append(torch.as_tensor(tokens[0]).clone())
        return forward(tokens, **options)

    monkeypatch.setattr(generator._transformer, "forward", watched)
    generator.generate_tokens([request(steps=5)])
    masked = [int((one == generator._mask_id).sum()) for one in seen]
    assert masked[0] == LATENT_SIDE**2 and all(a > b for a, b in zip(masked, masked[1:], strict=False)), masked
    for before, after in zip(seen, seen[1:], strict=False):
        kept = before != generator._mask_id
        assert torch.equal(before[kept], after[kept])


def test_out_of_memory_halves_the_batch(generator: AmusedGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    expected = generator.generate_tokens([request(seed=seed) for seed in range(3)])
    forward = generator._transformer.forward
    largest = 4  # two images, each with and without its prompt

    def limited(tokens: Any, **options: Any) -> Any:
        if len(tokens) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(tokens, **options)

    monkeypatch.setattr(generator, "_largest_batch", 2**30)
    monkeypatch.setattr(generator._transformer, "forward", limited)
    assert np.mean(generator.generate_tokens([request(seed=seed) for seed in range(3)]) == expected) > 0.9
    largest = 0
    with pytest.raises(OutOfMemory, match="not even one image"):
        generator.generate_tokens([request()])
