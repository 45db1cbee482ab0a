"""Prompts with choices and wildcards: what is drawn, what is recorded, and what the preview promises."""

from __future__ import annotations

import pytest

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.records import Caption, GenerationSettings
from synthvlm_ui.service import Studio
from synthvlm_ui.service.generation.prompting import recorded_template, resolved_prompts

SETTINGS = GenerationSettings("miniature", images_per_caption=3, seed=5)


def settings(template: str, **changes: int) -> GenerationSettings:
    return GenerationSettings(**{"generator": "miniature", "images_per_caption": 3, "seed": 5,
                                 "prompt_template": template} | changes)  # type: ignore[arg-type]


def test_each_repeat_of_a_caption_draws_its_own_prompt_and_the_same_again(studio: Studio) -> None:
    captions = [Caption(f"id {n}", f"caption {n}") for n in range(20)]
    wanted = settings("{a photo|a sketch|an icon} of {caption}")
    prompts = resolved_prompts(studio.workspace, captions, wanted)
    assert prompts == resolved_prompts(studio.workspace, captions, wanted)
    assert all(each.endswith(f"of caption {n}") for n, several in enumerate(prompts) for each in several)
    assert any(len(set(several)) > 1 for several in prompts)
    assert prompts != resolved_prompts(studio.workspace, captions, settings(wanted.prompt_template, seed=6))


def test_a_template_without_choices_is_the_same_for_every_repeat(studio: Studio) -> None:
    assert resolved_prompts(studio.workspace, [Caption("1", "{red|blue}")], settings("see {caption}")) == [
        ["see {red|blue}"] * 3]


def test_a_preview_is_what_will_be_drawn(studio: Studio) -> None:
    shown = studio.generation.preview_prompts(settings("see {caption}"), prompt="a {red|blue} __toy__", limit=3)
    assert shown["varies"] and len(shown["prompts"]) == 3
    assert all(prompt.startswith(("see a red ", "see a blue ")) for prompt in shown["prompts"])
    assert studio.generation.estimate(SETTINGS, prompt="a {red|blue} cat", limit=9)["images"] == 6
    assert studio.generation.estimate(SETTINGS, prompt="a {red} cat")["images"] == 3
    plain = studio.generation.preview_prompts(SETTINGS, prompt="a cat")
    assert plain == {"varies": False, "prompts": ["a cat"]}


def test_an_own_wildcard_of_the_workspace_wins(studio: Studio) -> None:
    folder = studio.workspace.root / "wildcards"
    folder.mkdir()
    (folder / "toy.txt").write_text("dragon\n", encoding="utf-8")
    shown = studio.generation.preview_prompts(SETTINGS, prompt="a __toy__")
    assert shown["prompts"] == ["a dragon"]
    with pytest.raises(UnknownName, match="nosuch"):
        studio.generation.start(SETTINGS, prompt="a __nosuch__")
    with pytest.raises(BadSetting):
        studio.generation.start(settings("{a|b}"), prompt="a cat")


def test_the_job_keeps_each_prompt_as_a_caption_and_the_template_beside_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio.generation._jobs, "_wake", lambda device: None)
    job = studio.generation.start(settings("see {caption}"), prompt="a {red|blue} cat", limit=2)
    config = studio.jobs.show(job)["config"]
    stored = {caption.id: caption.caption for caption in studio.workspace.captions.load("prompts")}
    assert sorted(stored[each] for each in config["caption_ids"]) == ["a blue cat", "a red cat"]
    assert recorded_template(config["settings"]["prompt_template"], config["varied_prompt"]) == "see a {red|blue} cat"
    command = studio.generation.command(SETTINGS, prompt="a {red|blue} cat", limit=2)
    assert command.endswith("--limit 2") and "'a {red|blue} cat'" in command
    assert "--limit" not in studio.generation.command(SETTINGS, prompt="a cat", limit=2)
