"""The shipped network for appearance: a vector, kinds and colours of a crop."""

import torch
from torch import Tensor, nn

from training.backbone import Backbone
from training.colours import COLOURS
from training.detector_network import KINDS

DIMENSION = 128
BLOCKS, WIDTH = 11, 112


class Appearance(nn.Module):
    """Crops (N, 3, 96, 96) in [0, 1] to vectors (N, 128) of unit length, logits of kinds and of colours."""

    def __init__(self, pretrained: bool = False) -> None:
        """Start at random, but for the backbone where it is pretrained."""
        super().__init__()
        self.backbone = Backbone((BLOCKS,), pretrained=pretrained)
        self.vector = nn.Linear(2 * WIDTH, DIMENSION, bias=False)
        self.kinds = nn.Linear(2 * WIDTH, len(KINDS) + 1)
        self.colours = nn.Linear(2 * WIDTH, len(COLOURS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return vectors, kinds and colours."""
        (maps,) = self.backbone(crops)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        return nn.functional.normalize(self.vector(pooled)), self.kinds(pooled), self.colours(pooled)
