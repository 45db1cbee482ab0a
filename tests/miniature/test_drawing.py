"""Pictures of the small world: deterministic, snapped to the grid, true to their caption."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.miniature import drawing, words
from synthvlm_ui.miniature.corpora import sample_scene
from synthvlm_ui.miniature.drawing import GRID, all_grounds, draw, foreground, ground_pixels, place, sprite_pixels
from synthvlm_ui.miniature.grammar import Thing

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds)
def test_the_same_seed_draws_the_same_pixels(seed: int) -> None:
    def picture() -> np.ndarray:
        rng = np.random.default_rng(seed)
        return draw(place(sample_scene(rng), rng))

    assert np.array_equal(picture(), picture())


@given(seed=seeds)
def test_things_stand_on_the_grid_inside_the_picture_without_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covered = np.zeros((64, 64), int)
    for box in place(sample_scene(rng), rng).boxes:
        assert box.x % GRID == 0 and box.y % GRID == 0
        assert 0 <= box.x <= 64 - box.side and 0 <= box.y <= 64 - box.side
        covered[box.y : box.y + box.side, box.x : box.x + box.side] += 1
    assert covered.max() == 1


@given(seed=seeds)
def test_the_placement_makes_the_relation_true(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    placement = place(scene, rng)
    if scene.second is None:
        assert [box.thing for box in placement.boxes] == [scene.first] * scene.count
        return
    first, second = placement.boxes
    dx, dy = second.x - first.x, second.y - first.y
    true = {"left": dx > abs(dy), "right": -dx > abs(dy), "above": dy > abs(dx), "below": -dy > abs(dx), "and": True}
    assert true[str(scene.relation)]


def test_every_paint_of_every_noun_differs_from_the_others() -> None:
    for noun in words.NOUNS:
        painted = {sprite_pixels(Thing(noun, colour), 32).tobytes() for colour in words.COLOURS}
        assert len(painted) == len(words.COLOURS), noun


def test_every_ground_differs_from_the_others() -> None:
    pictures = {ground_pixels(ground, 0).tobytes() for ground in all_grounds()}
    assert len(pictures) == len(all_grounds())


def test_objects_change_only_the_foreground() -> None:
    rng = np.random.default_rng(3)
    placement = place(sample_scene(rng), rng)
    empty = ground_pixels(placement.ground, placement.variant)
    outside = ~foreground(placement)
    assert np.array_equal(draw(placement)[outside], empty[outside])


def test_shrinking_keeps_a_flat_colour_exactly() -> None:
    sprite = sprite_pixels(Thing("heart", "blue"), 32)
    assert tuple(sprite[16, 16]) == (*drawing.PAINT["blue"], 255)
