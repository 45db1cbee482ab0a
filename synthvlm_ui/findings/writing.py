"""Captions over balanced classes, written by the small world's language model (Synth2 section 3.1)."""

from __future__ import annotations

from synthvlm_ui.backends import create_writer
from synthvlm_ui.captions import draw_classes
from synthvlm_ui.miniature.corpora import is_heldout
from synthvlm_ui.miniature.grammar import parse
from synthvlm_ui.miniature.writing import SmallWorldProfile
from synthvlm_ui.protocols import CaptionWriter, WriteRequest

_ROUNDS = 20


def written_captions(count: int) -> list[str]:
    """``count`` captions, one per class drawn; refused ones are asked for again with other seeds.

    A caption with a composition that is held out is refused too: the model could otherwise be told what it is
    asked about.
    """
    profile, writer = SmallWorldProfile(), create_writer("miniature", "cpu")
    classes = draw_classes(profile.classes(), count, 0, "balanced")
    captions: list[str | None] = [None] * count
    for attempt in range(_ROUNDS):
        missing = [index for index, caption in enumerate(captions) if caption is None]
        for index, caption in zip(missing, _ask(writer, profile, classes, missing, attempt), strict=True):
            captions[index] = caption
    return [caption for caption in captions if caption is not None]


def _ask(writer: CaptionWriter, profile: SmallWorldProfile, classes: list[str], missing: list[int],
         attempt: int) -> list[str | None]:
    seeds = [index * _ROUNDS + attempt for index in missing]
    answers = writer.write([
        WriteRequest(profile.prompt(classes[index], seed), seed=seed, max_new_tokens=profile.max_new_tokens)
        for index, seed in zip(missing, seeds, strict=True)])
    kept: list[str | None] = []
    for index, answer in zip(missing, answers, strict=True):
        text = "" if isinstance(answer, Exception) else " ".join(answer.split())
        good = bool(text) and profile.problem(text, classes[index]) is None
        scene = parse(text) if good else None
        kept.append(text if scene is not None and not is_heldout(scene) else None)
    return kept
