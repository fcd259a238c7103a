"""The network that tells a vehicle's kind and colour, from a crop of what is seen of it."""

import torch
from torch import Tensor, nn

from perception.detection.vehicle_look import SHAPE
from perception.detection.vehicle_numbers import count_numbers
from training.backbone import Backbone
from training.colours import COLOURS
from training.detector_network import KINDS, NECK, Separable

BLOCKS, WIDTHS = (5, 11), (40, 112)
"""How many of the backbone's blocks come before its grids of strides 8 and 16, and its channels there."""
CELLS = (SHAPE.height // 16) * (SHAPE.width // 16)
EACH_CELL, SEEN, BESIDE, HIDDEN = 24, 192, 64, 128
SIZES = 3
"""Length, width and height, learned beside kinds and not exported."""


class VehicleNetwork(nn.Module):
    """Crops (N, 3, H, W) in [0, 1] and the numbers beside them to log-odds (N, K + C) of kinds and of colours.

    Where in the crop something is seen is kept: kinds differ by proportions, not by what parts they have.
    """

    def __init__(self) -> None:
        """Start at random."""
        super().__init__()
        self.backbone = Backbone(BLOCKS, pretrained=False).fold()
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in WIDTHS)
        self.look = nn.Sequential(Separable(NECK, NECK), Separable(NECK, NECK, 2), Separable(NECK, NECK))
        self.keep = nn.Sequential(nn.Conv2d(NECK, EACH_CELL, 1), nn.ReLU(inplace=True))
        self.see = nn.Sequential(nn.Linear(EACH_CELL * CELLS + 2 * NECK, SEEN), nn.ReLU(inplace=True), nn.Dropout(0.2))
        self.beside = nn.Sequential(nn.Linear(count_numbers(len(KINDS)), BESIDE), nn.ReLU(inplace=True))
        self.weigh = nn.Sequential(nn.Linear(SEEN + BESIDE, HIDDEN), nn.ReLU(inplace=True))
        self.tell = nn.Linear(HIDDEN, len(KINDS) + len(COLOURS))
        self.measure = nn.Linear(HIDDEN, SIZES)

    def forward(self, crops: Tensor, numbers: Tensor) -> Tensor:
        """Return the log-odds of a batch."""
        told: Tensor = self.tell(self.weighed(crops, numbers))
        return told

    def weighed(self, crops: Tensor, numbers: Tensor) -> Tensor:
        """Return (N, HIDDEN), of which all that is told is made."""
        near, far = (narrow(x) for narrow, x in zip(self.narrow, self.backbone(crops), strict=True))
        seen = self.look(near + nn.functional.interpolate(far, scale_factor=2.0, mode="nearest"))
        parts = [self.keep(seen).flatten(1), seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))]
        weighed: Tensor = self.weigh(torch.cat([self.see(torch.cat(parts, dim=1)), self.beside(numbers)], dim=1))
        return weighed
