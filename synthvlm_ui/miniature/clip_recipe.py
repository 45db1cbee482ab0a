"""Trains the judge: a small open_clip model of scenes and captions.

Half of every batch differs from the other half in one thing only (`contrasts`), drawn and
said, so the ordinary symmetric CLIP loss has to learn counts, paints and relations; questions
about the order of pairs (`sides`) are asked beside it, by heads that are not shipped.
Knows nothing about tokenizers or generators; CLIP may see held-out compositions (it judges).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.miniature import tokens, words
from synthvlm_ui.miniature.contrasts import KINDS, contrast, possible
from synthvlm_ui.miniature.corpora import sample_scene
from synthvlm_ui.miniature.drawing import GRID, SIDE, Placement, draw, place
from synthvlm_ui.miniature.grammar import STYLES, Scene, say
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool
from synthvlm_ui.miniature.sides import SideHeads, ordered, patch_answers, side_answers
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.models.masked_generator import sincos_positions

CONTEXT = 32
SIDE_WEIGHT = 1.0  # of the questions beside the contrastive loss
ORDERED_SCENES = 0.4  # share of scenes drawn again until they have an order; with the others about 0.65
POSITION = 0.5  # amplitude of the waves that the positions of patches start from
REVERSED = 0.6  # share of contrasts that reverse the relation, where a scene has one
WEIGHTS = "open_clip_model.safetensors"
# Mean 0.5 and std 0.25: sRGB of this world, not of photographs.
PREPROCESS: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}
MODEL: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": SIDE, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8,
        "pool_type": "avg",
    },
    "text_cfg": {
        "context_length": CONTEXT, "vocab_size": 4 + len(words.all_words()), "width": 128, "heads": 4, "layers": 3,
        "hf_tokenizer_name": "local", "pool_type": "eos", "eos_id": tokens.END,
        "pad_id": tokens.PAD,
    },
}  # fmt: skip


class ClipRecipe:
    """Contrastive training of the shipped CLIP.

    Args:
        seed: of weights and of every batch.
        steps: optimiser updates.
        batch: pairs per step (even); half are contrasts of the other half.
    """

    name = "clip"

    def __init__(self, seed: int = 0, steps: int = 1200, batch: int = 128, device: str = "cpu") -> None:
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torch.manual_seed(seed)
        self.model = build_clip().to(device).train()
        self.model.visual.output_tokens = True
        self.heads = SideHeads(MODEL["embed_dim"]).to(device)
        hidden = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
        self.optimiser = SplitOptimiser(nn.ModuleDict({"clip": self.model, "heads": self.heads}), hidden)
        self.done = self.first = 0

    def step(self, step: int) -> float:
        """Train on the batch of this step number; returns the symmetric cross entropy in nats."""
        pairs = clip_batch(np.random.default_rng([self.seed, 11, step]), self.batch)
        pooled, patches = self.model.visual(pairs.images.to(self.device))
        image = functional.normalize(pooled, dim=-1)
        text = encode_captions(self.model, pairs.captions.to(self.device))
        logits = self.model.logit_scale.exp().clamp(max=100) * image @ text.T
        target = torch.arange(len(logits), device=logits.device)
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        (loss + SIDE_WEIGHT * self._side_loss(pairs, image, text, patches @ self.model.visual.proj)).backward()
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], 1.0)
        warm = min(1.0, (step - self.first + 1) / 100)  # also after going on: the momenta are not shipped
        self.optimiser.step(min(warm, warm_then_cool(step, self.steps, 100, 0.4)))
        self.done = step + 1
        return float(loss.detach())

    def _side_loss(self, pairs: Pairs, image: Tensor, text: Tensor, patches: Tensor) -> Tensor:
        rows = [i for i, scene in enumerate(pairs.scenes) if ordered(scene)]
        if not rows:
            return image.new_zeros(())
        scenes, places = [pairs.scenes[i] for i in rows], [pairs.placements[i] for i in rows]
        answers = side_answers(scenes).to(self.device)
        whole = (self.heads(image[rows], answers) + self.heads(text[rows], answers)) / 2
        return whole + self.heads.patches(patches[rows], patch_answers(scenes, places).to(self.device))

    def state(self) -> dict[str, Any]:
        """Weights, heads and optimiser."""
        return {
            "model": self.model.state_dict(), "heads": self.heads.state_dict(),
            "optimiser": self.optimiser.state_dict(), "first": self.first,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.first = state["first"]

    def go_on_from(self, shipped: Path) -> int:
        """Load the shipped weights; returns how many steps they have seen. Heads and momenta start anew."""
        with safe_open(shipped / WEIGHTS, framework="pt") as file:
            self.done = self.first = int((file.metadata() or {})["done"])
            self.model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})
        return self.done

    def export(self, out: Path) -> None:
        """open_clip `local-dir:` layout: config, tokenizer files, fp16 weights."""
        tokens.build_tokenizer().save_pretrained(out)
        config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
        (out / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
        weights = {k: v.detach().to("cpu", torch.float16).contiguous() for k, v in self.model.state_dict().items()}
        save_file(weights, out / WEIGHTS, metadata={"done": str(self.done)})


def build_clip() -> Any:
    """The untrained open_clip model of `MODEL`."""
    torchvision_ops.ensure_importable()
    from open_clip.model import CLIP

    text = {k: v for k, v in MODEL["text_cfg"].items()}
    model = CLIP(MODEL["embed_dim"], MODEL["vision_cfg"], text)
    with torch.no_grad():
        # open_clip starts with positions six times weaker than the patches, and a picture's mean of patches
        # then never learns sides. Waves as strong as the patches; learned from there on.
        model.visual.positional_embedding[1:] += POSITION * sincos_positions(SIDE // GRID, model.visual.proj.shape[0])
    return model


def encode_captions(model: Any, ids: Tensor) -> Tensor:
    """Unit vectors (N, D) of token ids (N, T <= 32), as `encode_text` gives them for padded ids.

    The text tower is causal, so the padding behind the longest caption need not be computed.
    """
    length = int((ids == tokens.END).int().argmax(1).max()) + 1
    ids = ids[:, :length]
    states = model.token_embedding(ids) + model.positional_embedding[:length]
    states = model.ln_final(model.transformer(states, attn_mask=model.attn_mask[:length, :length]))
    ends = states[torch.arange(len(ids), device=ids.device), (ids == tokens.END).int().argmax(1)]
    return functional.normalize(ends @ model.text_projection, dim=-1)


@dataclass(frozen=True)
class Pairs:
    """One batch: images (N, 3, 64, 64) normalised float32, captions (N, 32) token ids, and where they come from."""

    images: Tensor
    captions: Tensor
    scenes: list[Scene]
    placements: list[Placement]


def clip_batch(rng: np.random.Generator, count: int) -> Pairs:
    """A batch whose row i + count / 2 is row i with one thing changed.

    Half of the captions carry the scorer's prefix, so that both ways of asking work.
    """
    scenes: list[Scene] = []
    for _ in range(count // 2):
        scene, again = sample_scene(rng), rng.random() < ORDERED_SCENES
        while again and not ordered(scene):
            scene = sample_scene(rng)
        scenes.append(scene)
    for scene in list(scenes):
        kinds = [kind for kind in KINDS if possible(scene, kind)]
        # Order in the picture is learned last, so it is asked for most.
        reverse = "relation" in kinds and rng.random() < REVERSED
        kind = "relation" if reverse else kinds[int(rng.integers(len(kinds)))]
        scenes.append(contrast(scene, kind, rng))
    placements = [place(scene, rng) for scene in scenes]
    pixels = torch.from_numpy(np.stack([draw(placement) for placement in placements]))
    captions = []
    for scene in scenes:
        prefix = f"{words.CLIP_PREFIX} " if rng.random() < 0.5 else ""
        captions.append(prefix + say(scene, int(rng.integers(STYLES))))
    return Pairs(normalise(pixels), torch.tensor(tokens.encode(captions, CONTEXT)), scenes, placements)


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) as the preprocessing of the shipped config."""
    scaled = pixels.permute(0, 3, 1, 2).float() / 255
    return (scaled - PREPROCESS["mean"][0]) / PREPROCESS["std"][0]
