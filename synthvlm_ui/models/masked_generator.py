"""The masked-token generator: predicts hidden picture tokens from visible ones and a text.

A MUSE-style bidirectional transformer. Two by two tokens share one position, so that a
256-token picture costs 64 positions; every token is still masked and predicted on its own.
Knows nothing about pixels, sampling order or training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthvlm_ui.models.language import EncodedText


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator; `grid` tokens per row and column, folded `fold` by `fold`.

    `levels` are the digits of a code: one for a codebook without inner order. `neighbours` lets cells see the cells
    beside them through a convolution; `activation` of the MLPs is "relu2" (squared ReLU) or "gelu".
    """

    levels: tuple[int, ...] = (8, 5, 5, 5)
    grid: int = 16
    fold: int = 2
    width: int = 192
    code_width: int = 96
    layers: int = 6
    heads: int = 4
    text_width: int = 320
    text_length: int = 28
    dropout: float = 0.0
    activation: str = "relu2"
    neighbours: bool = True

    @property
    def codes(self) -> int:
        """Size of the codebook."""
        return math.prod(self.levels)

    @property
    def tokens(self) -> int:
        """Tokens per picture."""
        return self.grid**2

    @property
    def mask_id(self) -> int:
        """Input id that stands for a hidden token."""
        return self.codes


class CodeTable(nn.Module):
    """One vector per code: the sum of one vector per digit of the code, plus a learned own part.

    Codes that differ in one level look alike, so what is learned about one serves the others;
    a plain table has to see each of a thousand codes many times. With a single digit it is a plain table.

    Args:
        levels: number of values per digit of the quantiser.
        width: of the vectors.
    """

    places: Tensor

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        codes = torch.arange(math.prod(levels))
        places, below, start = [], 1, 0
        for level in levels:
            places.append(torch.div(codes, below, rounding_mode="floor") % level + start)
            below, start = below * level, start + level
        self.register_buffer("places", torch.stack(places, 1), persistent=False)
        self.digit = nn.Parameter(torch.randn(start, width) * (len(levels) * width) ** -0.5)
        self.own = nn.Parameter(torch.zeros(len(codes), width)) if len(levels) > 1 else None

    def forward(self) -> Tensor:
        """(codes, width)."""
        if self.own is None:
            return self.digit
        # embedding, not indexing: its gradient adds up in a fixed order on every thread count.
        return functional.embedding(self.places, self.digit).sum(1) + self.own


class GeneratorBlock(nn.Module):
    """Attention from positions to positions and text, then a convolved MLP; pre-norm, residual."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout, self.activation = config.heads, config.dropout, config.activation
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.text_key_value = nn.Linear(width, 2 * width)
        self.merge = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        # Neighbouring cells of a sprite constrain each other most; attention alone learns
        # that slowly.
        self.mix = nn.Conv2d(width, width, 3, padding=1, groups=width) if config.neighbours else None
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)
        nn.init.zeros_(self.merge.weight)
        nn.init.zeros_(self.fall.weight)

    def read_text(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Unit keys and values of a text (N, T, C), each (N, heads, T, C / heads); the same for every picture."""
        key, value = self.text_key_value(text).chunk(2, -1)
        return functional.normalize(self._split(key), dim=-1), self._split(value)

    def forward(self, cells: Tensor, text: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """cells (N, P, C), text as `read_text` gives it, mask (N, 1, 1, P + T) bool -> (N, P, C)."""
        query, key, value = map(self._split, self.query_key_value(self.norm_attention(cells)).chunk(3, -1))
        # Unit-length queries and keys keep the logits bounded at high learning rates.
        query = functional.normalize(query, dim=-1) * 8
        key = torch.cat([functional.normalize(key, dim=-1), text[0]], 2)
        value = torch.cat([value, text[1]], 2)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        cells = cells + self._drop(self.merge(seen.transpose(1, 2).flatten(2)))
        hidden = self.norm_mlp(cells)
        if self.mix is not None:
            side = math.isqrt(cells.shape[1])
            grid = hidden.transpose(1, 2).unflatten(2, (side, side))
            hidden = hidden + self.mix(grid).flatten(2).transpose(1, 2)
        return cells + self._drop(self.fall(_activate(self.rise(hidden), self.activation)))

    def _drop(self, states: Tensor) -> Tensor:
        return functional.dropout(states, self.dropout, self.training)

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class TextBlock(nn.Module):
    """Lets every word see the words after it too, which the causal language model does not; pre-norm, residual."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.activation = config.heads, config.activation
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.rise = nn.Linear(width, 2 * width)
        self.fall = nn.Linear(2 * width, width)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """words (N, T, C), mask (N, T) bool -> (N, T, C)."""
        states = self.query_key_value(self.norm_attention(words)).unflatten(-1, (3, self.heads, -1))
        query, key, value = states.permute(2, 0, 3, 1, 4)
        query, key = functional.normalize(query, dim=-1) * 8, functional.normalize(key, dim=-1)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None], scale=1.0)
        words = words + self.merge(seen.transpose(1, 2).flatten(2))
        return words + self.fall(_activate(self.rise(self.norm_mlp(words)), self.activation))


@dataclass(frozen=True)
class TextPrefix:
    """What every layer reads of a text: it does not change while a picture is drawn.

    Attributes:
        layers: keys and values per block, each (N, heads, T, C / heads).
        mask: (N, T) bool, False on padding.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    mask: Tensor

    def with_empty(self, empty: TextPrefix) -> TextPrefix:
        """These N texts, then one empty text N times."""
        size = len(self.mask)
        layers = tuple(
            (torch.cat([key, other.expand(size, -1, -1, -1)]), torch.cat([value, blank.expand(size, -1, -1, -1)]))
            for (key, value), (other, blank) in zip(self.layers, empty.layers, strict=True)
        )
        return TextPrefix(layers, torch.cat([self.mask, empty.mask.expand(size, -1)]))


class MaskedGenerator(nn.Module):
    """Transformer over folded picture tokens with a text prefix in every attention layer.

    Args:
        config: sizes; `grid` must be a multiple of `fold`.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width, folded = config.width, config.fold**2
        self.code_in = CodeTable(config.levels, width // folded)
        self.hidden = nn.Parameter(torch.zeros(1, width // folded))
        self.cell_in = nn.Linear(width, width)
        side = config.grid // config.fold
        self.position = nn.Parameter(0.3 * sincos_positions(side, width))
        self.text_in = nn.Linear(config.text_width, width)
        self.text_norm = nn.LayerNorm(width)
        self.text_position = nn.Parameter(torch.randn(config.text_length, width) * 0.1)
        self.text_block = TextBlock(config)
        self.blocks = nn.ModuleList(GeneratorBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        # One head for all corners of a cell: every code is seen four times as often.
        self.corners = nn.Linear(width, folded * config.code_width)
        self.code_out = CodeTable(config.levels, config.code_width)
        self.code_bias = nn.Parameter(torch.zeros(config.codes))

    def forward(self, tokens: Tensor, text: EncodedText) -> Tensor:
        """Logits (N, tokens, codes), row-major, for token ids (N, tokens) with `mask_id` where hidden."""
        return self.unfold(self.logits(self.corner_states(tokens, text)))

    def corner_states(self, tokens: Tensor, text: EncodedText) -> Tensor:
        """Final states of every folded token, (N, positions, fold * fold, code_width)."""
        return self.states_under(tokens, self.read_text(text))

    def read_text(self, text: EncodedText) -> TextPrefix:
        """What the layers read of N texts; a sampler needs it once for all its steps."""
        words = self.text_in(text.states) + self.text_position
        prefix = self.text_norm(self.text_block(words, text.mask))
        return TextPrefix(tuple(cast(GeneratorBlock, block).read_text(prefix) for block in self.blocks), text.mask)

    def states_under(self, tokens: Tensor, prefix: TextPrefix) -> Tensor:
        """`corner_states` of token ids (N, tokens) under texts already read."""
        table = torch.cat([self.code_in(), self.hidden])
        cells = self.cell_in(functional.embedding(self.fold(tokens), table).flatten(2)) + self.position
        seen = torch.cat([torch.ones_like(cells[:, :, 0], dtype=torch.bool), prefix.mask], 1)
        for block, text in zip(self.blocks, prefix.layers, strict=True):
            cells = block(cells, text, seen[:, None, None])
        return self.corners(self.norm(cells)).unflatten(-1, (-1, self.config.code_width))

    def logits(self, states: Tensor) -> Tensor:
        """Logits (..., codes) of corner states (..., code_width)."""
        return functional.linear(states, self.code_out(), self.code_bias)

    def fold(self, tokens: Tensor) -> Tensor:
        """(N, tokens) row-major -> (N, positions, fold * fold)."""
        side, fold = self.config.grid // self.config.fold, self.config.fold
        split = tokens.reshape(-1, side, fold, side, fold).transpose(2, 3)
        return split.reshape(len(tokens), side * side, fold * fold)

    def folded_order(self) -> Tensor:
        """Where each row-major token stands among the folded ones, (tokens,) int64."""
        return self.fold(torch.arange(self.config.tokens, device=self.position.device)[None]).flatten().argsort()

    def unfold(self, folded: Tensor) -> Tensor:
        """(N, positions, fold * fold, C) -> (N, tokens, C) row-major; inverse of `fold`."""
        side, fold = self.config.grid // self.config.fold, self.config.fold
        split = folded.reshape(-1, side, side, fold, fold, folded.shape[-1]).transpose(2, 3)
        return split.reshape(len(folded), self.config.tokens, folded.shape[-1])


def _activate(states: Tensor, activation: str) -> Tensor:
    return functional.gelu(states) if activation == "gelu" else functional.relu(states).square()


def sincos_positions(side: int, width: int) -> Tensor:
    """Two-dimensional sine-cosine positions, (side * side, width)."""
    rates = 1 / 100 ** (torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side).unsqueeze(1) * rates
    wave = torch.cat([angles.sin(), angles.cos()], 1)
    rows = wave[:, None].expand(side, side, -1)
    columns = wave[None].expand(side, side, -1)
    return torch.cat([rows, columns], -1).reshape(side * side, width)
