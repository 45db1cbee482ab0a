"""The plan: same input, same chunks, ids and seeds; and it survives its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.generation import Plan, load_plan, plan_items, resolve_settings, save_plan
from synthvlm_ui.records import Caption, GenerationSettings, GeneratorInfo, caption_id_of

INFO = GeneratorInfo("tiny", "dir", "r1", "euler", 64, 64, 8, 3.0)


def make_plan(texts: list[str], repeats: int = 2, chunk_images: int = 3, seed: int = 0) -> Plan:
    captions = [Caption(caption_id_of(text), text) for text in texts]
    settings = resolve_settings(GenerationSettings("tiny", images_per_caption=repeats, seed=seed), INFO)
    items = plan_items(captions, [[text] * repeats for text in texts])
    return Plan("d", settings, INFO, items, chunk_images, "2026-01-01T00:00:00")


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=12, unique=True), st.integers(1, 4),
       st.integers(1, 7))
def test_chunks_cover_every_caption_and_repeat_once(texts: list[str], repeats: int, chunk_images: int) -> None:
    plan = make_plan(texts, repeats, chunk_images)
    made = [candidate for chunk in range(plan.chunk_count) for candidate in plan.candidates(chunk)]
    assert [(c.caption, c.repeat) for c in made] == [(text, k) for text in texts for k in range(repeats)]
    assert len({candidate.id for candidate in made}) == len(made)


def test_id_and_seed_do_not_depend_on_chunks_or_neighbours() -> None:
    alone = next(make_plan(["b"], 1, 1).candidates(0))
    among = {c.caption: c for chunk in range(2) for c in make_plan(["a", "b", "c"], 1, 2).candidates(chunk)}["b"]
    assert (alone.id, alone.seed) == (among.id, among.seed)


def test_another_run_seed_gives_other_ids_and_another_run() -> None:
    first, second = make_plan(["a"]), make_plan(["a"], seed=1)
    assert first.run_id != second.run_id
    assert next(first.candidates(0)).id != next(second.candidates(0)).id


def test_plan_reads_back_as_written(tmp_path: Path) -> None:
    plan = make_plan(["a", 'b "quoted" \u00fc'])
    assert load_plan(tmp_path) is None
    save_plan(plan, tmp_path)
    assert load_plan(tmp_path) == plan


def test_defaults_come_from_the_generator() -> None:
    settings = resolve_settings(GenerationSettings("tiny", guidance_scale=0.0), INFO)
    assert (settings.width, settings.num_inference_steps, settings.guidance_scale) == (64, 8, 0.0)


def test_counts_must_be_positive() -> None:
    with pytest.raises(BadSetting, match="num_inference_steps is 0"):
        resolve_settings(GenerationSettings("tiny", num_inference_steps=0), INFO)


def test_no_captions_is_said() -> None:
    with pytest.raises(EmptyInput, match="no captions"):
        plan_items([], [])
