"""The shipped detector's network: a pretrained backbone, three grids, no anchors; ``OwnHead`` reads its answers."""

import torch
from torch import Tensor, nn

from training.backbone import Backbone

KINDS = ("car", "hatchback", "suv", "estate", "van", "pickup", "motorcycle")
FAMILIES = 2
FOOT = 2
STRIDES = (8, 16, 32)
BLOCKS, WIDTHS = (5, 11, 12), (40, 112, 192)
"""How many of the backbone's blocks come before each grid, and its channels there."""
NECK = 64


class Separable(nn.Sequential):
    """A depthwise and a pointwise convolution, normalised."""

    def __init__(self, before: int, after: int, stride: int = 1, size: int = 5) -> None:
        """Take channels before and after."""
        super().__init__(
            nn.Conv2d(before, before, size, stride, size // 2, groups=before, bias=False),
            nn.BatchNorm2d(before),
            nn.ReLU(inplace=True),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class Detector(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1], sides multiples of 32, to rows (N, A, 4 + 2 + K + 2)."""

    def __init__(self, kinds: int = len(KINDS), pretrained: bool = False) -> None:
        """Start at random, but for the backbone where it is pretrained."""
        super().__init__()
        self.backbone = Backbone(BLOCKS, pretrained=pretrained)
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in WIDTHS)
        self.down = nn.ModuleList(Separable(NECK, NECK) for _ in range(2))
        self.up = nn.ModuleList(Separable(NECK, NECK, 2) for _ in range(2))
        self.blend = nn.ModuleList(Separable(NECK, NECK) for _ in range(2))
        self.place = nn.ModuleList(nn.Sequential(Separable(NECK, NECK), Separable(NECK, NECK)) for _ in STRIDES)
        self.tell = nn.ModuleList(nn.Sequential(Separable(NECK, NECK), Separable(NECK, NECK)) for _ in STRIDES)
        self.out_place = nn.ModuleList(nn.Conv2d(NECK, 4 + FAMILIES, 1) for _ in STRIDES)
        self.out_kind = nn.ModuleList(nn.Conv2d(NECK, kinds, 1) for _ in STRIDES)
        self.out_foot = nn.ModuleList(nn.Conv2d(NECK, FOOT, 1) for _ in STRIDES)
        for layer in (*self.out_place, *self.out_kind, *self.out_foot):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            for layer in self.out_place:
                layer.bias[:4] = 0.5
                layer.bias[4:] = -4.6

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the rows of all grids, cell by cell."""
        p3, p4, p5 = (narrow(x) for narrow, x in zip(self.narrow, self.backbone(pictures), strict=True))
        p4 = self.down[0](p4 + nn.functional.interpolate(p5, scale_factor=2.0, mode="nearest"))
        p3 = self.down[1](p3 + nn.functional.interpolate(p4, scale_factor=2.0, mode="nearest"))
        p4 = self.blend[0](p4 + self.up[0](p3))
        p5 = self.blend[1](p5 + self.up[1](p4))
        rows = []
        for n, x in enumerate((p3, p4, p5)):
            placed = self.place[n](x)
            parts = self.out_place[n](placed), self.out_kind[n](self.tell[n](x)), self.out_foot[n](placed)
            rows.append(torch.cat(parts, dim=1).flatten(2).transpose(1, 2))
        return torch.cat(rows, dim=1)


def cells(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the middles of all cells (A, 2) px and their strides (A,), in the order of the rows."""
    middles, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        middles.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((len(middles[-1]),), float(stride)))
    return torch.cat(middles), torch.cat(strides)


def boxes_of(rows: Tensor, middles: Tensor, strides: Tensor) -> Tensor:
    """Return boxes (..., A, 4) x1 y1 x2 y2 px."""
    reach = rows[..., :4].clamp(max=5.0).exp() * strides[:, None]
    return torch.cat([middles - reach[..., :2], middles + reach[..., 2:]], dim=-1)


def feet_of(rows: Tensor, middles: Tensor, strides: Tensor) -> Tensor:
    """Return where objects' middles meet the ground (..., A, 2) px, hidden or not."""
    return middles + rows[..., -FOOT:] * strides[:, None]
