"""The patch discriminator of the adversarial term, and its hinge losses. Knows no tokenizer.

Isola et al. (2017): convolutions that judge overlapping patches; group normalisation in the place of batch
normalisation, so that a verdict on a picture does not depend on its batch. Synth2 does not describe its own.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


class PatchDiscriminator(nn.Module):
    """Pictures (N, height, width, 3) in [-1, 1] -> verdicts (N, 1, rows, columns), high for real ones.

    Args: ``base`` channels after the first of ``layers`` strided convolutions.
    """

    def __init__(self, base: int = 64, layers: int = 3) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Conv2d(3, base, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = base
        for level in range(1, layers + 1):
            wider = base * min(8, 2**level)
            stride = 2 if level < layers else 1
            blocks += [nn.Conv2d(width, wider, 4, stride, 1, bias=False), nn.GroupNorm(math.gcd(32, wider), wider),
                       nn.LeakyReLU(0.2)]
            width = wider
        self.judge = nn.Sequential(*blocks, nn.Conv2d(width, 1, 4, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Shapes as in the class."""
        verdicts: Tensor = self.judge(pictures.permute(0, 3, 1, 2))
        return verdicts


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """Hinge loss of verdicts (Lim and Ye 2017): zero when real ones are above 1 and made ones below -1."""
    return 0.5 * (functional.relu(1 - real).mean() + functional.relu(1 + made).mean())


def generator_loss(made: Tensor) -> Tensor:
    """What the tokenizer minimises: the verdicts on its pictures, negated."""
    return -made.mean()
