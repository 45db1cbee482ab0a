"""Trains a picture tokenizer: reconstruction, codebook, perceptual and adversarial terms (Synth2 A.1.1, Table 6).

loss = L1 + codebook and commitment + 0.05 perceptual + 0.01 adversarial. The weights are the paper's and constant,
where Esser et al. (2021) scale the adversarial one by the ratio of gradients. Knows no captions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from synthvlm_ui.models.storage import ImageTokenizer, save_tokenizer
from synthvlm_ui.models.vqgan import VqGan
from synthvlm_ui.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from synthvlm_ui.training.optimisers import load_state, prefixed, set_rate, state_tensors, unprefixed
from synthvlm_ui.training.parts import replacing_part
from synthvlm_ui.training.perceptual import Features, perceptual_distance
from synthvlm_ui.training.pictures import PictureBatches
from synthvlm_ui.training.presets import Preset
from synthvlm_ui.training.schedule import scale_at

USE_DECAY = 0.99
REVIVE_EVERY = 50
_FORGOTTEN = 0.02  # of the use that an evenly used code has
CODES_FIXED = ("encoder.", "to_code.", "codebook_table.")  # what decides the ids


@dataclass
class VqNetworks:
    """What is trained, and the frozen network that compares pictures; without ``features`` there is no such term."""

    tokenizer: ImageTokenizer
    discriminator: PatchDiscriminator
    features: Features | None = None
    decoder_only: bool = False


class VqTraining:
    """The recipe ``synth2-vq``.

    Args: ``out`` gets the part ``vq``. With ``networks.decoder_only`` encoder and codebook stay as they are, so that
    tokens keep their meaning.
    """

    def __init__(self, networks: VqNetworks, batches: PictureBatches, preset: Preset, out: Path, *, seed: int = 0,
                 device: str = "cpu") -> None:
        self.networks, self.batches, self.preset, self.out = networks, batches, preset, out
        self.steps, self.seed, self.device = preset.steps, seed, device
        self.tokenizer: nn.Module = networks.tokenizer.to(device).train().requires_grad_(True)
        if networks.decoder_only:
            for name, parameter in self.tokenizer.named_parameters():
                parameter.requires_grad_(not name.startswith(CODES_FIXED))
        self.judge = networks.discriminator.to(device).train()
        self.features = networks.features.to(device) if networks.features is not None else None
        trained = [parameter for parameter in self.tokenizer.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.Adam(trained, preset.learning_rate, preset.betas)
        self.judge_optimiser = torch.optim.Adam(self.judge.parameters(), preset.learning_rate, preset.betas)
        self.adversarial_from = round(preset.adversarial_start * preset.steps)

    def step(self, step: int) -> dict[str, float]:
        """Trains both networks on the pictures of this step; returns every term, unweighted, and their weighted sum."""
        pixels, _ = self.batches.load(step)
        pictures = torch.from_numpy(pixels).to(self.device).float() / 127.5 - 1
        self._keep_codes_in_use(step, pictures)
        rate = self.preset.learning_rate * scale_at(step, self.steps, self.preset.warmup_share, self.preset.cosine)
        judged = step >= self.adversarial_from and self.preset.adversarial_weight > 0
        loss, terms, made = self.losses(pictures, judged)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.preset.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self.tokenizer.parameters(), self.preset.gradient_clip)
        set_rate(self.optimiser, rate)
        self.optimiser.step()
        if judged:
            terms["discriminator"] = self._train_judge(pictures, made.detach(), rate)
        if self.batches.unreadable:
            terms["unreadable_images"] = len(self.batches.unreadable)
        return {"loss": float(loss.detach()), **terms, "learning_rate": rate}

    def losses(self, pictures: Tensor, judged: bool) -> tuple[Tensor, dict[str, float], Tensor]:
        """The weighted sum, each term as a number, and the reconstructions of (N, side, side, 3) in [-1, 1]."""
        made, ids, codebook = self.networks.tokenizer.autoencode(pictures)
        self._count_use(ids)
        terms = {"reconstruction": (made - pictures).abs().mean(), "codebook": codebook}
        total = terms["reconstruction"] + codebook
        if self.features is not None:
            terms["perceptual"] = perceptual_distance(self.features, made, pictures)
            total = total + self.preset.perceptual_weight * terms["perceptual"]
        if judged:
            self.judge.requires_grad_(False)
            terms["adversarial"] = generator_loss(self.judge(made))
            total = total + self.preset.adversarial_weight * terms["adversarial"]
        shown = {name: float(value.detach()) for name, value in terms.items()}
        return total, shown | {"codes_in_batch": float(len(ids.unique()))}, made

    def _train_judge(self, pictures: Tensor, made: Tensor, rate: float) -> float:
        self.judge.requires_grad_(True)
        loss = discriminator_loss(self.judge(pictures), self.judge(made))
        self.judge_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        set_rate(self.judge_optimiser, rate)
        self.judge_optimiser.step()
        return float(loss.detach())

    def _count_use(self, ids: Tensor) -> None:
        tokenizer = self.networks.tokenizer
        if isinstance(tokenizer, VqGan):
            use = tokenizer.codebook_table.use
            share = torch.bincount(ids.flatten(), minlength=len(use)).float() / ids.numel()
            use.lerp_(share, 1 - USE_DECAY)

    @torch.no_grad()
    def _keep_codes_in_use(self, step: int, pictures: Tensor) -> None:
        """At the start, and then now and again, codes that no picture uses move to where vectors of this batch are."""
        tokenizer = self.networks.tokenizer
        if not isinstance(tokenizer, VqGan) or self.networks.decoder_only or step % REVIVE_EVERY:
            return
        book = tokenizer.codebook_table
        unused = (book.use < _FORGOTTEN / len(book.use)).nonzero().flatten()
        if not len(unused) or step > 0.8 * self.steps:
            return
        vectors = tokenizer.vectors(pictures).flatten(0, 1)
        picked = vectors[torch.randint(len(vectors), (len(unused),)).to(vectors.device)]
        # A little apart, for the same vector may be picked twice.
        spread = 0.02 * vectors.std(0) * torch.randn(picked.shape).to(picked.device)
        book.table[unused] = picked + spread
        book.use[unused] = 1 / len(book.use)
        for name in ("exp_avg", "exp_avg_sq"):
            moment = self.optimiser.state.get(book.table, {}).get(name)
            if moment is not None:
                moment[unused] = 0

    def tensors(self) -> dict[str, Tensor]:
        """Both networks, both optimisers, and how much each code is used."""
        found = prefixed("tokenizer", self.tokenizer) | prefixed("discriminator", self.judge)
        found |= state_tensors("optimiser", self.optimiser) | state_tensors("judge_optimiser", self.judge_optimiser)
        if isinstance(self.networks.tokenizer, VqGan):
            found["use"] = self.networks.tokenizer.codebook_table.use
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Inverse of ``tensors``."""
        self.tokenizer.load_state_dict(unprefixed("tokenizer", tensors))
        self.judge.load_state_dict(unprefixed("discriminator", tensors))
        load_state("optimiser", self.optimiser, tensors)
        load_state("judge_optimiser", self.judge_optimiser, tensors)
        if isinstance(self.networks.tokenizer, VqGan):
            self.networks.tokenizer.codebook_table.use.copy_(tensors["use"])

    def export(self) -> None:
        """Writes the part ``vq``."""
        with replacing_part(self.out, "vq") as folder:
            save_tokenizer(self.networks.tokenizer, folder)
