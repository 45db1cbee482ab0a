"""Trains the judge: a small open_clip model of scenes and captions.

Half of every batch differs from the other half in one thing only (`contrasts`), drawn and
said, so the ordinary symmetric CLIP loss has to learn counts, paints and relations.
Knows nothing about tokenizers or generators; CLIP may see held-out compositions (it judges).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from synthvlm_ui.backends import torchvision_ops
from synthvlm_ui.miniature import tokens, words
from synthvlm_ui.miniature.contrasts import KINDS, contrast, possible
from synthvlm_ui.miniature.corpora import sample_scene
from synthvlm_ui.miniature.drawing import SIDE, draw, place
from synthvlm_ui.miniature.grammar import STYLES, Scene, say
from synthvlm_ui.miniature.optimiser import SplitOptimiser, warm_then_cool

CONTEXT = 32
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

    def __init__(self, seed: int = 0, steps: int = 500, batch: int = 256, device: str = "cpu") -> None:
        self.seed, self.steps, self.batch, self.device = seed, steps, batch, device
        torch.manual_seed(seed)
        self.model = build_clip().to(device).train()
        hidden = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
        self.optimiser = SplitOptimiser(self.model, hidden)

    def step(self, step: int) -> float:
        """Train on the batch of this step number; returns the symmetric cross entropy in nats."""
        images, captions = clip_batch(np.random.default_rng([self.seed, 11, step]), self.batch)
        image, text, scale = self.model(images.to(self.device), captions.to(self.device))[:3]
        logits = scale.clamp(max=100) * image @ text.T
        target = torch.arange(len(logits), device=logits.device)
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step(warm_then_cool(step, self.steps, 100, 0.4))
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """Weights and optimiser."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def export(self, out: Path) -> None:
        """open_clip `local-dir:` layout: config, tokenizer files, fp16 weights."""
        tokens.build_tokenizer().save_pretrained(out)
        config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
        (out / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
        weights = {k: v.detach().to("cpu", torch.float16).contiguous() for k, v in self.model.state_dict().items()}
        save_file(weights, out / "open_clip_model.safetensors")


def build_clip() -> Any:
    """The untrained open_clip model of `MODEL`."""
    torchvision_ops.ensure_importable()
    from open_clip.model import CLIP

    text = {k: v for k, v in MODEL["text_cfg"].items()}
    return CLIP(MODEL["embed_dim"], MODEL["vision_cfg"], text)


def clip_batch(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Images (count, 3, 64, 64) normalised float32 and token ids (count, 32).

    Row i + count / 2 is row i with one thing changed. Half of the captions carry the
    scorer's prefix, so that both ways of asking work.
    """
    scenes: list[Scene] = [sample_scene(rng) for _ in range(count // 2)]
    for scene in list(scenes):
        kinds = [kind for kind in KINDS if possible(scene, kind)]
        # Order in the picture is learned last, so it is asked for whenever a scene has one, half of the time.
        ordered = "relation" in kinds and rng.random() < 0.5
        kind = "relation" if ordered else kinds[int(rng.integers(len(kinds)))]
        scenes.append(contrast(scene, kind, rng))
    pixels = np.stack([draw(place(scene, rng)) for scene in scenes])
    captions = []
    for scene in scenes:
        prefix = f"{words.CLIP_PREFIX} " if rng.random() < 0.5 else ""
        captions.append(prefix + say(scene, int(rng.integers(STYLES))))
    return normalise(torch.from_numpy(pixels)), torch.tensor(tokens.encode(captions, CONTEXT))


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) as the preprocessing of the shipped config."""
    scaled = pixels.permute(0, 3, 1, 2).float() / 255
    return (scaled - PREPROCESS["mean"][0]) / PREPROCESS["std"][0]
