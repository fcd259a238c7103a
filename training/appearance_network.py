"""The shipped network for appearance: slim, depthwise; a vector, kinds and colours of a crop."""

import torch
from torch import Tensor, nn

from training.colours import COLOURS
from training.detector_network import KINDS, Residual, Separable

DIMENSION = 128


class Appearance(nn.Module):
    """Crops (N, 3, 96, 96) in [0, 1] to vectors (N, 128) of unit length, logits of kinds and of colours."""

    def __init__(self, identities: int) -> None:
        """Start at random; ``identities`` are told apart while it is trained, by ``classifier``."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True),
            Separable(24, 48, 2), Residual(48),
            Separable(48, 96, 2), Residual(96), Residual(96),
            Separable(96, 160, 2), Residual(160, 5), Residual(160, 5),
        )  # fmt: skip
        self.vector = nn.Linear(2 * 160, DIMENSION, bias=False)
        self.kinds = nn.Linear(2 * 160, len(KINDS) + 1)
        self.colours = nn.Linear(2 * 160, len(COLOURS))
        self.classifier = nn.Parameter(torch.randn(identities, DIMENSION))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return vectors, kinds and colours."""
        maps = self.body(crops)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        return nn.functional.normalize(self.vector(pooled)), self.kinds(pooled), self.colours(pooled)

    def likeness(self, vectors: Tensor) -> Tensor:
        """Return the cosine (N, I) of vectors with each identity's own."""
        return vectors @ nn.functional.normalize(self.classifier).T
