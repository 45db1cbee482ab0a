"""The convolutional VQ-GAN of Synth2: pixels <-> a grid of codebook ids, with a learned codebook.

Encoder and decoder of Esser et al. (2021) without the non-local blocks, as Synth2 A.1.1 has them, so that any side that
the stride divides goes through. Knows nothing about its discriminator, losses, text or training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

COMMITMENT = 0.25
_ROWS_AT_ONCE = 8192  # distances of this many vectors to every code are in memory together


@dataclass(frozen=True)
class VqGanConfig:
    """Sizes of a VQ-GAN; ``side`` in pixels, one resolution per multiplier of the base width.

    The defaults are Synth2's (Table 6 and A.1.1): 8192 codes, base width 128, two residual blocks in each resolution,
    256 px in 16 x 16 tokens. The paper is silent about the multipliers, the code width and the middle of the network:
    those are the f=16 ImageNet model of Esser et al. Where their decoder has one block more than their encoder, the
    paper's text says two in each.
    """

    side: int = 256
    base: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2
    decoder_base: int = 128
    decoder_blocks: int = 2
    code_width: int = 256
    codes: int = 8192

    @property
    def stride(self) -> int:
        """Pixels per token along a side."""
        return int(2 ** (len(self.multipliers) - 1))

    @property
    def grid(self) -> int:
        """Tokens per row and per column."""
        return self.side // self.stride

    @property
    def tokens(self) -> int:
        """Tokens per picture."""
        return self.grid**2

    @property
    def digits(self) -> tuple[int, ...]:
        """The codebook as digits of a code: one, since a learned codebook has no inner order."""
        return (self.codes,)


class ResBlock(nn.Module):
    """Twice (normalise, SiLU, 3x3 convolution), residual; (N, C, H, W) -> (N, D, H, W)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.norm_1 = _norm(width_in)
        self.conv_1 = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.norm_2 = _norm(width_out)
        self.conv_2 = nn.Conv2d(width_out, width_out, 3, padding=1)
        self.skip = nn.Identity() if width_in == width_out else nn.Conv2d(width_in, width_out, 1)

    def forward(self, grid: Tensor) -> Tensor:
        """Shapes as in the class."""
        hidden = self.conv_1(functional.silu(self.norm_1(grid)))
        hidden = self.conv_2(functional.silu(self.norm_2(hidden)))
        summed: Tensor = self.skip(grid) + hidden
        return summed


class Upsample(nn.Module):
    """Doubles height and width by repetition, then a 3x3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, grid: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        larger: Tensor = self.conv(functional.interpolate(grid, scale_factor=2.0, mode="nearest"))
        return larger


class Codebook(nn.Module):
    """A learned table of vectors, looked up by Euclidean distance with a straight-through gradient.

    ``use`` counts (as a running mean) how often each code was chosen in training, so that codes nobody uses can be
    given a new place; the paper does not say how it keeps its 8192 codes in use.
    """

    use: Tensor

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(codes, width).uniform_(-1 / codes, 1 / codes))
        self.register_buffer("use", torch.zeros(codes), persistent=False)

    def nearest(self, vectors: Tensor) -> Tensor:
        """Ids (...,) int64 of the nearest codes of vectors (..., width)."""
        flat = vectors.detach().flatten(0, -2)
        squares = self.table.square().sum(1)
        found = [torch.addmm(squares, rows, self.table.T, alpha=-2).argmin(1) for rows in flat.split(_ROWS_AT_ONCE)]
        return torch.cat(found).view(vectors.shape[:-1])

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantised vectors of the same shape, their ids, and codebook loss + 0.25 commitment loss (a scalar)."""
        with torch.no_grad():
            ids = self.nearest(vectors)
        chosen = functional.embedding(ids, self.table)
        loss = functional.mse_loss(chosen, vectors.detach()) + COMMITMENT * functional.mse_loss(
            vectors, chosen.detach()
        )
        return vectors + (chosen - vectors).detach(), ids, loss


class VqGan(nn.Module):
    """Encoder, codebook and decoder; the picture tokenizer at the paper's size.

    Args:
        config: sizes; ``side`` must be a multiple of the stride.
    """

    def __init__(self, config: VqGanConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.to_code = nn.Conv2d(config.base * config.multipliers[-1], config.code_width, 1)
        self.codebook_table = Codebook(config.codes, config.code_width)
        self.from_code = nn.Conv2d(config.code_width, config.decoder_base * config.multipliers[-1], 1)
        self.decoder = _decoder(config)

    def vectors(self, pictures: Tensor) -> Tensor:
        """What is looked up, (N, tokens, code_width), of pictures (N, side, side, 3) in [-1, 1]."""
        hidden = self.to_code(self.encoder(pictures.permute(0, 3, 1, 2)))
        return hidden.flatten(2).transpose(1, 2)

    def paint(self, quantised: Tensor) -> Tensor:
        """Pictures (N, side, side, 3), about [-1, 1], of quantised vectors (N, tokens, code_width)."""
        side = math.isqrt(quantised.shape[1])
        grid = quantised.transpose(1, 2).unflatten(2, (side, side))
        painted: Tensor = self.decoder(self.from_code(grid))
        return painted.permute(0, 2, 3, 1)

    def autoencode(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructed pictures, their ids (N, tokens), and the codebook's own loss."""
        quantised, ids, loss = self.codebook_table(self.vectors(pictures))
        return self.paint(quantised), ids, loss

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstructed pictures, same shape as the input."""
        return self.autoencode(pictures)[0]

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Token ids (N, tokens) int64, row-major, of uint8 pictures (N, side, side, 3)."""
        pictures = pixels.to(self.to_code.weight.device).float() / 127.5 - 1
        return self.codebook_table.nearest(self.vectors(pictures))

    @torch.no_grad()
    def decode(self, ids: Tensor) -> Tensor:
        """uint8 pictures (N, side, side, 3) of token ids (N, tokens)."""
        table = self.codebook_table.table
        pictures = self.paint(functional.embedding(ids.to(table.device), table))
        return ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def codebook(self) -> Tensor:
        """Soft embedding of every id, (codes, code_width): what the VLM reads."""
        return self.codebook_table.table.detach().clone()


def _encoder(config: VqGanConfig) -> nn.Sequential:
    widths = [config.base * m for m in config.multipliers]
    layers: list[nn.Module] = [nn.Conv2d(3, config.base, 3, padding=1)]
    width = config.base
    for level, wider in enumerate(widths):
        for _ in range(config.blocks):
            layers.append(ResBlock(width, wider))
            width = wider
        if level + 1 < len(widths):
            layers.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
    middle = [ResBlock(width, width), ResBlock(width, width)]
    return nn.Sequential(*layers, *middle, _norm(width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))


def _decoder(config: VqGanConfig) -> nn.Sequential:
    widths = [config.decoder_base * m for m in config.multipliers]
    width = widths[-1]
    layers: list[nn.Module] = [ResBlock(width, width), ResBlock(width, width)]
    for level, narrower in reversed(list(enumerate(widths))):
        for _ in range(config.decoder_blocks):
            layers.append(ResBlock(width, narrower))
            width = narrower
        if level:
            layers.append(Upsample(width))
    return nn.Sequential(*layers, _norm(width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(32, width), width)
