"""The network that tells a vehicle's kind and colour, from a crop of what is seen of it."""

import torch
from torch import Tensor, nn

from perception.detection.vehicle_look import NUMBERS, SHAPE
from training.backbone import Backbone
from training.colours import COLOURS
from training.detector_network import KINDS, NECK, Separable

BLOCKS, WIDTHS = (5, 11), (40, 112)
"""How many of the backbone's blocks come before its grids of strides 8 and 16, and its channels there."""
CELLS = (SHAPE.height // 16) * (SHAPE.width // 16)
EACH_CELL, HIDDEN = 24, 192


class VehicleNetwork(nn.Module):
    """Crops (N, 3, H, W) in [0, 1] and ``numbers_of`` them (N, NUMBERS) to log-odds (N, K + C) of kinds and of colours.

    Where in the crop something is seen is kept: kinds differ by proportions, not by what parts they have.
    """

    def __init__(self) -> None:
        """Start at random."""
        super().__init__()
        self.backbone = Backbone(BLOCKS, pretrained=False)
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in WIDTHS)
        self.look = nn.Sequential(Separable(NECK, NECK), Separable(NECK, NECK, 2), Separable(NECK, NECK))
        self.keep = nn.Sequential(nn.Conv2d(NECK, EACH_CELL, 1), nn.ReLU(inplace=True))
        self.tell = nn.Sequential(
            nn.Linear(EACH_CELL * CELLS + 2 * NECK + NUMBERS, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(0.2),
            nn.Linear(HIDDEN, len(KINDS) + len(COLOURS)),
        )

    def forward(self, crops: Tensor, numbers: Tensor) -> Tensor:
        """Return the log-odds of a batch."""
        near, far = (narrow(x) for narrow, x in zip(self.narrow, self.backbone(crops), strict=True))
        seen = self.look(near + nn.functional.interpolate(far, scale_factor=2.0, mode="nearest"))
        places = self.keep(seen).flatten(1)
        return self.tell(torch.cat([places, seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), numbers], dim=1))
