"""The detector's second stage: looks at each box again, enlarged, and says what it is and where exactly it ends."""

import torch
from torch import Tensor, nn

from perception.detection.close_crops import CLOSE, ENDS, NUMBERS
from training.backbone import Backbone
from training.detector_network import FAMILIES, KINDS, NECK, Separable

BLOCKS, WIDTHS = (5, 11), (40, 112)
"""How many of the backbone's blocks come before its grids of strides 8 and 16, and its channels there."""
CELLS = (CLOSE.height // 8) * (CLOSE.width // 8)
EACH_CELL, HIDDEN, TOLD = 16, 128, 32


class RefinerNetwork(nn.Module):
    """Crops (N, 3, H, W) in [0, 1] and ``numbers_of`` them (N, NUMBERS) to rows (N, 2 + K + ENDS + ENDS).

    A row has the log-odds of showing a vehicle and a person there, those of kinds, ends in ``UNIT_PX``, and the
    logarithm of how far off each of them is on average.
    """

    def __init__(self) -> None:
        """Start at random."""
        super().__init__()
        self.backbone = Backbone(BLOCKS, pretrained=False)
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in WIDTHS)
        self.look = nn.Sequential(Separable(NECK, NECK), Separable(NECK, NECK))
        self.keep = nn.Sequential(nn.Conv2d(NECK, EACH_CELL, 1), nn.ReLU(inplace=True))
        self.told = nn.Sequential(nn.Linear(NUMBERS, TOLD), nn.ReLU(inplace=True))
        self.where = nn.Sequential(
            nn.Linear(EACH_CELL * CELLS + TOLD, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, 2 * ENDS)
        )
        self.what = nn.Sequential(
            nn.Linear(HIDDEN + 2 * NECK + TOLD, HIDDEN), nn.ReLU(inplace=True), nn.Linear(HIDDEN, FAMILIES + len(KINDS))
        )

    def forward(self, crops: Tensor, numbers: Tensor) -> Tensor:
        """Return the rows of a batch."""
        near, far = (narrow(x) for narrow, x in zip(self.narrow, self.backbone(crops), strict=True))
        seen = self.look(near + nn.functional.interpolate(far, scale_factor=2.0, mode="nearest"))
        told = self.told(numbers)
        hidden = self.where[1](self.where[0](torch.cat([self.keep(seen).flatten(1), told], dim=1)))
        pooled = torch.cat([hidden, seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), told], dim=1)
        return torch.cat([self.what(pooled), self.where[2](hidden)], dim=1)
