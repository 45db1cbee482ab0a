"""One arm: a caption model of Synth2's kind trained on some pairs, small enough that an arm costs seconds.

As in the paper the language model is frozen and looks at the picture through cross-attention that starts without any
effect. Unlike there, cross-attention stands behind its last layer only, and the part that looks is frozen too: what
either of them makes of a caption or a picture is then computed once per set. Knows no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.evaluation import cider, plain_words
from synthvlm_ui.findings.front import new_vlm
from synthvlm_ui.findings.plan import Plan
from synthvlm_ui.findings.sets import PairSet
from synthvlm_ui.miniature.corpora import Row, canonical
from synthvlm_ui.miniature.grammar import STYLES, parse, say
from synthvlm_ui.miniature.optimiser import warm_then_cool
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer
from synthvlm_ui.training.captioning import IGNORED, caption_ids

_AT_ONCE = 64
_HEADS, _LAYERS = 4, 2
_RATE = 2e-3

# (steps done, steps in all) -> None; may raise to stop
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Frozen:
    """What all arms share and none trains: the language model, the tokenizer, and the part that looks."""

    language: LanguageModel
    tokenizer: PictureTokenizer
    front: dict[str, Tensor]

    @torch.no_grad()
    def cells(self, tokens: NDArray[np.uint16]) -> Tensor:
        """What the front sees of pictures (N, tokens): (N, positions, width), on unit scale."""
        model = new_vlm(self.language, self.tokenizer, seed=0)
        model.load_state_dict(self.front, strict=False)
        rows = torch.from_numpy(tokens.astype(np.int64))
        seen = torch.cat([model.cells(part) for part in rows.split(_AT_ONCE)])
        return functional.layer_norm(seen, seen.shape[-1:])

    @torch.no_grad()
    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What the language model makes of texts (N, T): word, middle and last layer side by side, (N, T, 3 width)."""
        network = self.language.network
        out = network.base_model(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True, use_cache=False)
        chosen = (0, len(out.hidden_states) // 2, -1)
        return torch.cat([out.hidden_states[layer] for layer in chosen], -1)

    def logits(self, states: Tensor) -> Tensor:
        """The language model's own logits (N, T, words) at those states."""
        head = self.language.network.get_output_embeddings()
        logits: Tensor = head(states[..., -head.weight.shape[1]:])
        return logits


class Reader(nn.Module):
    """Cross-attention from the language model's states to the cells of a picture; what it adds to the logits starts
    at zero, so that an untrained arm is exactly the language model."""

    def __init__(self, frozen: Frozen, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        positions, width = frozen.front["position"].shape
        self.part = 3, frozen.language.network.config.hidden_size
        self.enter = nn.Linear(self.part[0] * self.part[1], width)
        self.position = nn.Parameter(torch.randn(positions, width) * 0.5)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(_LAYERS))
        self.leave = nn.Linear(width, frozen.language.network.config.vocab_size)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, states: Tensor, cells: Tensor) -> Tensor:
        """What is added to the logits (N, T, words) of states (N, T, 3 width) under cells (N, positions, width)."""
        scaled = functional.layer_norm(states.unflatten(-1, self.part), self.part[1:]).flatten(-2)
        x, seen = self.enter(scaled), cells + self.position
        for layer in self.layers:
            x = layer(x, seen)
        added: Tensor = self.leave(functional.layer_norm(x, x.shape[-1:]))
        return added


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ask, self.tell = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.answer = nn.Linear(width, width)
        self.norm, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        asked, keys, values = (part.unflatten(-1, (_HEADS, -1)).transpose(1, 2)
                               for part in (self.ask(self.norm(x)), *self.tell(seen).chunk(2, -1)))
        found = functional.scaled_dot_product_attention(asked, keys, values)
        x = x + self.answer(found.transpose(1, 2).flatten(2))
        added: Tensor = x + self.mlp(self.norm_mlp(x))
        return added


class Exam:
    """Held-out scenes and every wording of them.

    Args: ``rows`` the scenes; ``tokens`` (N, tokens) of their drawn pictures.
    """

    def __init__(self, frozen: Frozen, rows: Sequence[Row], tokens: NDArray[np.uint16]) -> None:
        self._rows, self.frozen, self._cells = rows, frozen, frozen.cells(tokens)
        self._references = [[plain_words(say(row.scene, style)) for style in range(STYLES)] for row in rows]

    def judge(self, reader: Reader) -> dict[str, float]:
        """``cider`` (times 100), the same with every caption moved on to the next picture, and the share of captions
        that say the scene without a mistake."""
        texts = self.captions(reader)
        said = [plain_words(text) for text in texts]
        right = [(scene := parse(text)) is not None and canonical(scene) == canonical(row.scene)
                 for text, row in zip(texts, self._rows, strict=True)]
        own, moved = (100 * cider(each, self._references)[0] for each in (said, said[1:] + said[:1]))
        return {"cider": own, "cider_shuffled": moved, "scene": float(np.mean(right))}

    @torch.no_grad()
    def captions(self, reader: Reader) -> list[str]:
        """The most likely caption of every picture, word by word."""
        language = self.frozen.language
        tokenizer = language.tokenizer
        end = tokenizer.eos_token_id
        ids = torch.full((len(self._cells), 1), tokenizer.bos_token_id)
        done = torch.zeros(len(ids), dtype=torch.bool)
        while ids.shape[1] < language.length and not bool(done.all()):
            states = self.frozen.states(ids, torch.ones_like(ids))[:, -1:]
            best = (self.frozen.logits(states) + reader(states, self._cells))[:, 0].argmax(-1)
            best[done] = end
            ids = torch.cat([ids, best.unsqueeze(1)], 1)
            done |= best == end
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.replace(" ,", ",").strip() for text in texts]


class Read:
    """A set as the frozen parts see it: states of its captions and cells of its pictures."""

    def __init__(self, frozen: Frozen, pairs: PairSet) -> None:
        self.frozen = frozen
        ids, lengths = caption_ids(frozen.language.tokenizer, pairs.captions, frozen.language.length)
        mask = torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
        self.labels, self.lengths = ids.masked_fill(~mask, IGNORED)[:, 1:], lengths
        parts = zip(ids.split(_AT_ONCE), mask.split(_AT_ONCE), strict=True)
        self.states = torch.cat([frozen.states(*part) for part in parts])[:, :-1]
        self.cells = frozen.cells(pairs.tokens)

    def __len__(self) -> int:
        return len(self.cells)

    def losses(self, reader: Reader, chosen: Tensor) -> Tensor:
        """Nats of every next word of the chosen rows, 0 where there is none; flat."""
        longest = int(self.lengths[chosen].max()) - 1
        states, labels = self.states[chosen, :longest], self.labels[chosen, :longest]
        with torch.no_grad():
            own = self.frozen.logits(states)
        logits = own + reader(states, self.cells[chosen])
        return functional.cross_entropy(
            logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none").flatten()


def train_captioner(read: Sequence[tuple[Read, NDArray[np.int64]]], exam: Exam, plan: Plan, *, seed: int, curve: bool,
                    on_step: OnStep) -> dict[str, Any]:
    """Trains ``plan.steps`` batches drawn evenly from the named pairs of one or more sets, and judges the result.

    Returns the numbers of ``Exam.judge``, the loss of the last steps, and with ``curve`` a list of (step, CIDEr).
    """
    reader = Reader(exam.frozen, seed)
    optimiser = torch.optim.AdamW(reader.parameters(), _RATE, (0.9, 0.98), weight_decay=0.02)
    stops = {round(plan.steps * part / plan.curve) for part in range(1, plan.curve)} if curve else set()
    places = [(number, int(index)) for number, (_, indices) in enumerate(read) for index in indices]
    points, losses = [], []
    for step in range(plan.steps):
        on_step(step, plan.steps)
        drawn = np.random.default_rng([seed, 41, step]).integers(0, len(places), plan.batch)
        loss = _loss([each for each, _ in read], [places[index] for index in drawn], reader)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * warm_then_cool(step, plan.steps, 20, 0.4)
        optimiser.step()
        losses.append(float(loss.detach()))
        if step + 1 in stops:
            points.append((step + 1, exam.judge(reader)["cider"]))
    found: dict[str, Any] = exam.judge(reader)
    return found | {"loss": float(np.mean(losses[-20:])), "pairs": len(places), "steps": plan.steps} | (
        {"curve": [*points, (plan.steps, found["cider"])]} if curve else {})


def _loss(read: Sequence[Read], places: Sequence[tuple[int, int]], reader: Reader) -> Tensor:
    """Nats per next word of pairs (number of the set, row)."""
    parts = []
    for number, each in enumerate(read):
        rows = torch.tensor([row for place, row in places if place == number], dtype=torch.long)
        if len(rows):
            parts.append(each.losses(reader, rows))
    together = torch.cat(parts)
    return together.sum() / (together > 0).sum().clamp_min(1)
