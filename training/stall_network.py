"""The network that tells whether a stall is taken, from a crop and where in the stall each of its pixels looks."""

import torch
from torch import Tensor, nn

from perception.occupancy.stall_crops import CHANNELS
from training.backbone import Backbone
from training.detector_network import NECK, Separable

COLOURS = 3
BLOCKS, WIDTHS = (5, 11), (40, 112)
"""How many of the backbone's blocks come before its grids of strides 8 and 16, and its channels there."""
STRIDE = 8


class StallNetwork(nn.Module):
    """Crops (N, 7, H, W) of ``network_input`` to log-odds (N, 1) of the stall being taken."""

    def __init__(self) -> None:
        """Start at random."""
        super().__init__()
        self.backbone = Backbone(BLOCKS, pretrained=False)
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in WIDTHS)
        self.place = nn.Conv2d(CHANNELS - COLOURS, NECK, STRIDE, STRIDE)
        self.look = nn.Sequential(
            nn.Conv2d(2 * NECK, NECK, 1, bias=False),
            nn.BatchNorm2d(NECK),
            nn.ReLU(inplace=True),
            Separable(NECK, NECK),
            Separable(NECK, NECK),
        )
        self.tell = nn.Sequential(nn.Linear(2 * NECK, NECK), nn.ReLU(inplace=True), nn.Linear(NECK, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """Return the log-odds of a batch."""
        near, far = (narrow(x) for narrow, x in zip(self.narrow, self.backbone(crops[:, :COLOURS]), strict=True))
        shows = near + nn.functional.interpolate(far, scale_factor=2.0, mode="nearest")
        seen = self.look(torch.cat([shows, self.place(crops[:, COLOURS:])], dim=1))
        return self.tell(torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1))
