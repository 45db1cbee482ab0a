"""Questions about the order of pairs: answers follow the picture, not the wording."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.contrasts import contrast
from synthvlm_ui.miniature.drawing import place
from synthvlm_ui.miniature.grammar import Ground, Scene, Thing
from synthvlm_ui.miniature.sides import QUESTIONS, SIDES, SideHeads, ordered, patch_answers, side_answers
from synthvlm_ui.models import torchvision_ops

APPLE, CAR = Thing("apple", "red"), Thing("car")
SCENE = Scene(APPLE, 1, "left", CAR, Ground("meadow"))


def answers_of(scene: Scene) -> dict[str, tuple[int, int]]:
    row = side_answers([scene])[0].tolist()
    return {side: (row[2 * i], row[2 * i + 1]) for i, side in enumerate(SIDES)}


def test_answers_say_what_stands_on_which_side() -> None:
    apple, car = (1 + words.NOUNS.index("apple"), 2 + words.COLOURS.index("red")), (1 + words.NOUNS.index("car"), 1)
    assert answers_of(SCENE) == {"left": apple, "right": car, "above": (0, 0), "below": (0, 0)}


def test_the_same_picture_has_the_same_answers_and_a_reversed_one_others() -> None:
    said_otherwise = Scene(CAR, 1, "right", APPLE, Ground("meadow"))
    assert answers_of(said_otherwise) == answers_of(SCENE)
    reversed_scene = contrast(SCENE, "relation", np.random.default_rng(0))
    assert answers_of(reversed_scene)["left"] == answers_of(SCENE)["right"]


@pytest.mark.parametrize("relation", sorted(words.OPPOSITE))
def test_patches_know_their_object_and_its_side(relation: str) -> None:
    scene = Scene(APPLE, 1, relation, CAR)
    grid = patch_answers([scene], [place(scene, np.random.default_rng(3))])[0].reshape(8, 8)
    for noun, side in (("apple", relation), ("car", words.OPPOSITE[relation])):
        rows, columns = torch.nonzero(grid == 1 + SIDES.index(side) * len(words.NOUNS) + words.NOUNS.index(noun)).T
        assert len(rows) == 16  # 32 pixels are four patches
        along = columns if side in ("left", "right") else rows
        assert along.tolist() == [i for i in along.tolist() if (i < 4) == (side in ("left", "above"))]
    assert int((grid == 0).sum()) == 32


def test_scenes_without_an_order_are_not_asked() -> None:
    assert ordered(SCENE) and not ordered(Scene(APPLE, 3)) and not ordered(Scene(APPLE, 1, "and", CAR))


def test_heads_learn_the_answers_of_a_fixed_embedding() -> None:
    torch.manual_seed(0)
    heads, embeddings = SideHeads(8), torch.nn.functional.normalize(torch.randn(2, 8), dim=-1)
    wanted = side_answers([SCENE, contrast(SCENE, "relation", np.random.default_rng(0))])
    optimiser = torch.optim.Adam(heads.parameters(), 0.05)
    first = float(heads(embeddings, wanted).detach())
    for _ in range(30):
        optimiser.zero_grad()
        heads(embeddings, wanted).backward()
        optimiser.step()
    assert float(heads(embeddings, wanted).detach()) < 0.1 * first
    assert wanted.shape == (2, len(QUESTIONS))


def test_trimmed_captions_are_encoded_as_padded_ones() -> None:
    torchvision_ops.ensure_importable()
    from synthvlm_ui.miniature.clip_recipe import build_clip, encode_captions
    from synthvlm_ui.miniature.tokens import encode

    torch.manual_seed(0)
    model, ids = build_clip().eval(), torch.tensor(encode(["a red apple", "two stars in a night sky"], 32))
    with torch.no_grad():
        padded = model.encode_text(ids, normalize=True)
        assert torch.allclose(encode_captions(model, ids), padded, atol=1e-6)
