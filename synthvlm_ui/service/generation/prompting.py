"""Prompts of a run: templates with choices and wildcards, resolved for every caption and repeat before drawing.

Joins the captions room (templates) to the workspace (wildcard files). Draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synthvlm_ui.captions import Template, Wildcards, wildcard_files
from synthvlm_ui.config import ASSETS
from synthvlm_ui.records import Caption, GenerationSettings
from synthvlm_ui.store import Workspace

VARIATIONS = 4
_SHOWN = 8


def wildcards_of(workspace: Workspace) -> Wildcards:
    """The files of WORKSPACE/wildcards, then those that ship with the program."""
    return wildcard_files(workspace.root / "wildcards", ASSETS / "wildcards")


def prompt_of(workspace: Workspace, prompt: str) -> Template:
    """A typed prompt; it has no fields, so a brace that opens no choice is only a character. Raises: UnknownName."""
    return Template(prompt, wildcards_of(workspace), with_caption=False)


def drawn_prompts(workspace: Workspace, prompt: str, count: int | None, seed: int) -> list[str]:
    """What a typed prompt is drawn as: itself, or up to ``count`` different prompts when it has choices."""
    template = prompt_of(workspace, prompt)
    return template.variations(count or VARIATIONS, seed) if template.varies else [prompt]


def resolved_prompts(workspace: Workspace, captions: Sequence[Caption],
                     settings: GenerationSettings) -> list[list[str]]:
    """For each caption one prompt per repeat; where the template has choices, each repeat draws its own."""
    template = Template(settings.prompt_template, wildcards_of(workspace))
    if not template.varies:
        return [[template.resolve(caption.caption)] * settings.images_per_caption for caption in captions]
    return [[template.resolve(caption.caption, f"{settings.seed} {caption.id} {repeat}")
             for repeat in range(settings.images_per_caption)] for caption in captions]


def recorded_template(template: str, prompt: str | None) -> str:
    """What candidates keep as their template: a typed prompt with choices stands in the caption's place."""
    return template.replace("{caption}", prompt) if prompt else template


def preview_prompts(workspace: Workspace, settings: GenerationSettings, *, prompt: str | None, dataset: str | None,
                    limit: int | None) -> dict[str, Any]:
    """The first resolved prompts of a run, as they would be drawn. Raises: BadSetting, UnknownName."""
    template = Template(settings.prompt_template, wildcards_of(workspace))
    varies = template.varies or (prompt is not None and prompt_of(workspace, prompt).varies)
    if prompt is not None:
        texts = drawn_prompts(workspace, prompt, limit, settings.seed)
        captions = [Caption(f"{number}", text) for number, text in enumerate(texts[:_SHOWN])]
    else:
        captions = workspace.captions.load(dataset or "")[:_SHOWN]
    prompts = [each for several in resolved_prompts(workspace, captions, settings) for each in several]
    return {"varies": varies, "prompts": list(dict.fromkeys(prompts))[:_SHOWN]}
