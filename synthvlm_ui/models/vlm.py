"""The vision-language model of Synth2: picture tokens -> captions, without pixels.

Soft embeddings of the codebook, learned positions, a Perceiver resampler, and gated
cross-attention into every layer of a frozen language model (the Idefics classes of
transformers). With the gates at zero it is exactly that language model. A deep VQ-GAN's codes have
seen their surroundings; for a shallow tokenizer's, a few convolutions can stand before the resampler.
Knows nothing about pictures, scenes or training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from synthvlm_ui.errors import ModelUnavailable
from synthvlm_ui.models import storage
from synthvlm_ui.models.language import LanguageModel


@dataclass(frozen=True)
class VlmConfig:
    """Sizes of what is added to the frozen language model.

    Attributes:
        fold: tokens per row and column of one position; 1 in the paper.
        mixing: convolutions over positions before the resampler; 0 in the paper, whose codes are deep enough without.
    """

    tokens: int = 256
    codes: int = 1000
    code_width: int = 96
    width: int = 128
    latents: int = 32
    depth: int = 2
    heads: int = 4
    head_width: int = 32
    fold: int = 1
    mixing: int = 0

    @property
    def side(self) -> int:
        """Positions per row and per column."""
        return math.isqrt(self.tokens) // self.fold


class TokenVlm(nn.Module):
    """Captions pictures given as token ids.

    Args:
        language: the frozen model; its weights are copied, its gradient stays off.
        codebook: (codes, code_width) soft embeddings, frozen.
        config: sizes of the rest.
    """

    codebook: Tensor

    def __init__(self, language: LanguageModel, codebook: Tensor, config: VlmConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer, self.length = language.tokenizer, language.length
        self.register_buffer("codebook", codebook.clone())
        plain = config.fold == 1 and config.mixing == 0
        self.project: nn.Module = nn.Linear(config.code_width, config.width) if plain else Stem(codebook, config)
        # The codebook says what a patch shows, not where: without positions left is right.
        self.position = nn.Parameter(torch.randn(config.side**2, config.width) * 0.1)
        self.decoder = _idefics(language.network, config)

    def forward(self, ids: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
        """Next-word logits (N, T, words) of texts ids (N, T) with mask (N, T) under pictures (N, tokens)."""
        return self._read(ids, mask, self.resample(tokens))

    def resample(self, tokens: Tensor) -> Tensor:
        """Picture tokens (N, tokens) -> what the language model attends to, (N, latents, width)."""
        return self.attend(self.cells(tokens))

    def attend(self, cells: Tensor) -> Tensor:
        """What ``cells`` gives, (N, positions, width) -> what the language model attends to, (N, latents, width)."""
        latents: Tensor = self.decoder.model.perceiver_resampler(cells)
        return latents

    def cells(self, tokens: Tensor) -> Tensor:
        """What the resampler reads of picture tokens (N, tokens): (N, positions, width)."""
        projected: Tensor = self.project(self.codebook[tokens])
        return projected + self.position

    @torch.no_grad()
    def caption(self, tokens: Tensor) -> list[str]:
        """Most likely caption, word by word, of every picture (N, tokens)."""
        latents = self.resample(tokens.to(self.position.device))
        end = self.tokenizer.eos_token_id
        ids = torch.full((len(tokens), 1), self.tokenizer.bos_token_id, device=latents.device)
        done = torch.zeros(len(tokens), dtype=torch.bool, device=latents.device)
        while ids.shape[1] < self.length and not bool(done.all()):
            best = self._read(ids, torch.ones_like(ids), latents)[:, -1].argmax(-1)
            best[done] = end
            ids = torch.cat([ids, best.unsqueeze(1)], 1)
            done |= best == end
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.replace(" ,", ",").strip() for text in texts]

    def added(self) -> dict[str, Tensor]:
        """Everything but the frozen language model, by name: what is trained, and the codebook."""
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        return {n: t for n, t in self.state_dict().items() if n in trained or n == "codebook"}

    def _read(self, ids: Tensor, mask: Tensor, latents: Tensor) -> Tensor:
        seen = torch.ones(*ids.shape, 1, dtype=torch.long, device=ids.device)
        out = self.decoder(
            input_ids=ids, attention_mask=mask.long(), perceiver_embeddings=latents,
            image_attention_mask=seen, use_cache=False,
        )  # fmt: skip
        logits: Tensor = out.logits
        return logits


class Stem(nn.Module):
    """Soft embeddings of tokens -> positions, through convolutions: for tokenizers whose codes say little on their own.

    A code of a finite scalar quantiser is four numbers about 4x4 pixels: what a sprite is only shows in many of them
    together. A linear layer instead named the object in 2 % of its cells after 600 steps, this one in 56 % after 300.

    Args:
        codebook: its mean and spread put the input on unit scale.
        config: `fold` and `mixing` above the paper's.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, codebook: Tensor, config: VlmConfig) -> None:
        super().__init__()
        width, self.side = config.width, math.isqrt(config.tokens)
        self.register_buffer("mean", codebook.mean(0), persistent=False)
        self.register_buffer("spread", codebook.std().clamp_min(1e-6), persistent=False)
        self.enter = nn.Sequential(
            nn.Conv2d(config.code_width, width // 2, 1), nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, config.fold, stride=config.fold),
        )  # fmt: skip
        self.mixing = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(config.mixing))

    def forward(self, soft: Tensor) -> Tensor:
        """(N, tokens, code_width) -> (N, positions, width)."""
        scaled = (soft - self.mean) / self.spread
        grid = self.enter(scaled.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2))
        for mix in self.mixing:
            grid = grid + mix(nn.functional.relu(grid))
        positions: Tensor = grid.flatten(2).transpose(1, 2)
        return positions


def save_vlm(model: TokenVlm, out: Path) -> None:
    """Write the added part; the frozen language model stays where it is."""
    from dataclasses import asdict

    storage.write(out, "token-vlm", asdict(model.config), model.added())


def load_vlm(directory: Path, language: LanguageModel) -> TokenVlm:
    """Read a VLM that was trained on this frozen language model.

    Raises:
        ModelUnavailable: the directory holds none, or it belongs to another language model.
    """
    config, tensors = storage.read(directory, "token-vlm")
    model = TokenVlm(language, tensors["codebook"], VlmConfig(**config))
    if set(model.added()) != set(tensors):
        raise ModelUnavailable("weights do not fit this language model", where=str(directory))
    model.load_state_dict(tensors, strict=False)
    return model.eval().requires_grad_(False)


def untrained_vlm(directory: Path, language: LanguageModel) -> TokenVlm:
    """The VLM of a directory as it was before its first step: its gates are shut, so it writes what the frozen
    language model writes on its own. Raises: ModelUnavailable."""
    config, tensors = storage.read(directory, "token-vlm")
    return TokenVlm(language, tensors["codebook"], VlmConfig(**config)).eval().requires_grad_(False)


def _idefics(network: Any, config: VlmConfig) -> Any:
    """Idefics around the weights of a LLaMA network; everything of LLaMA frozen."""
    from transformers import IdeficsConfig, IdeficsForVisionText2Text

    llama = network.config
    settings = IdeficsConfig(
        vocab_size=llama.vocab_size, hidden_size=llama.hidden_size, intermediate_size=llama.intermediate_size,
        num_hidden_layers=llama.num_hidden_layers, num_attention_heads=llama.num_attention_heads,
        max_position_embeddings=llama.max_position_embeddings, rms_norm_eps=llama.rms_norm_eps,
        pad_token_id=llama.pad_token_id, bos_token_id=llama.bos_token_id, eos_token_id=llama.eos_token_id,
        tie_word_embeddings=False, cross_layer_interval=1, alpha_initializer="zeros",
        freeze_text_layers=True, freeze_lm_head=True, freeze_vision_layers=True, use_resampler=True,
        # The vision tower of the class is never called; this is its smallest form.
        vision_config={
            "embed_dim": config.width, "num_hidden_layers": 1, "image_size": 32, "patch_size": 32,
            "num_attention_heads": 1, "intermediate_size": 1,
        },
        perceiver_config={
            "use_resampler": True, "resampler_n_latents": config.latents, "resampler_depth": config.depth,
            "resampler_n_heads": config.heads, "resampler_head_dim": config.head_width,
        },
    )  # fmt: skip
    decoder = IdeficsForVisionText2Text(settings)
    weights = network.state_dict() | {"lm_head.weight": network.get_output_embeddings().weight}
    decoder.load_state_dict(weights, strict=False)
    kept = set(weights)
    for name, parameter in decoder.named_parameters():
        parameter.requires_grad_(name not in kept and ".vision_model." not in name)
    return decoder
