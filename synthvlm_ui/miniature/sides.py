"""What stands where in a pair: questions that teach the judge the order of things.

A symmetric contrastive loss learns order last, after everything else has made it small. While it
trains, linear heads ask: which noun and which paint stands on the left, right, top and bottom (one
set of heads for pictures and captions, so that the towers agree), and which noun on which side every
patch belongs to. The embedding of a picture is the mean of its patches, so what every patch says
linearly the embedding says too. The heads are not shipped.
Knows scenes and boxes; nothing about pixels or towers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.corpora import canonical
from synthvlm_ui.miniature.drawing import GRID, SIDE, Placement
from synthvlm_ui.miniature.grammar import Scene

SIDES: tuple[str, ...] = ("left", "right", "above", "below")
# Per side: noun (0: nothing there), paint (0: nothing there, 1: natural).
QUESTIONS: tuple[int, ...] = (1 + len(words.NOUNS), 2 + len(words.COLOURS)) * len(SIDES)
PATCH_CLASSES = 1 + len(SIDES) * len(words.NOUNS)  # 0: ground


def ordered(scene: Scene) -> bool:
    """Whether the scene says what stands on which side of what."""
    return scene.relation in words.OPPOSITE


def side_answers(scenes: Sequence[Scene]) -> Tensor:
    """Answers of ordered scenes to `QUESTIONS`, (N, questions) int64."""
    answers = torch.zeros(len(scenes), len(QUESTIONS), dtype=torch.long)
    for row, scene in enumerate(scenes):
        said = canonical(scene)
        assert said.second is not None
        for thing, side in ((said.first, said.relation), (said.second, words.OPPOSITE[str(said.relation)])):
            at = 2 * SIDES.index(str(side))
            answers[row, at] = 1 + words.NOUNS.index(thing.noun)
            answers[row, at + 1] = 1 if thing.colour is None else 2 + words.COLOURS.index(thing.colour)
    return answers


def patch_answers(scenes: Sequence[Scene], placements: Sequence[Placement]) -> Tensor:
    """Class of every 8-pixel patch of ordered scenes, (N, 64) int64: ground, or noun and side together."""
    grid = SIDE // GRID
    answers = torch.zeros(len(scenes), grid, grid, dtype=torch.long)
    for row, (scene, placement) in enumerate(zip(scenes, placements, strict=True)):
        first = str(scene.relation)
        for box, side in zip(placement.boxes, (first, words.OPPOSITE[first]), strict=True):
            x, y, span = box.x // GRID, box.y // GRID, box.side // GRID
            name = SIDES.index(side) * len(words.NOUNS) + words.NOUNS.index(box.thing.noun)
            answers[row, y : y + span, x : x + span] = 1 + name
    return answers.flatten(1)


def cell_answers(placements: Sequence[Placement]) -> Tensor:
    """Noun and paint of every 8-pixel cell of any scenes, (N, 64, 2) int64; 0 on the ground, paint 1: natural."""
    grid = SIDE // GRID
    answers = torch.zeros(len(placements), grid, grid, 2, dtype=torch.long)
    for row, placement in enumerate(placements):
        for box in placement.boxes:
            x, y, span = box.x // GRID, box.y // GRID, box.side // GRID
            paint = 1 if box.thing.colour is None else 2 + words.COLOURS.index(box.thing.colour)
            name = torch.tensor([1 + words.NOUNS.index(box.thing.noun), paint])
            answers[row, y : y + span, x : x + span] = name
    return answers.flatten(1, 2)


class SideHeads(nn.Module):
    """Linear answers from embeddings.

    Args:
        width: of the embeddings.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.whole = nn.Linear(width, sum(QUESTIONS))
        self.patch = nn.Linear(width, PATCH_CLASSES)
        # Unit vectors of width 128 carry too little for logits; this starts where softmax has a gradient.
        self.scale = nn.Parameter(torch.tensor(16.0))

    def forward(self, embeddings: Tensor, answers: Tensor) -> Tensor:
        """Mean cross entropy in nats over all questions: unit embeddings (M, width), answers (M, questions)."""
        parts = self.whole(embeddings * self.scale).split(QUESTIONS, -1)
        losses = [functional.cross_entropy(part, answers[:, i]) for i, part in enumerate(parts)]
        return torch.stack(losses).mean()

    def patches(self, embeddings: Tensor, answers: Tensor) -> Tensor:
        """Mean cross entropy in nats over all patches: projected patches (M, P, width), answers (M, P)."""
        return functional.cross_entropy(self.patch(embeddings).transpose(1, 2), answers)
