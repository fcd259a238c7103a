"""The shipped detector's network: slim, depthwise, anchor-free, three grids; what it answers is read by ``OwnHead``."""

import torch
from torch import Tensor, nn

KINDS = ("car", "hatchback", "suv", "estate", "van", "pickup", "motorcycle")
FAMILIES = 2
STRIDES = (8, 16, 32)
WIDTHS = (16, 32, 64, 96, 128)
NECK = 64


class Separable(nn.Sequential):
    """A depthwise and a pointwise convolution, normalised."""

    def __init__(self, before: int, after: int, stride: int = 1, size: int = 3) -> None:
        """Take channels before and after."""
        super().__init__(
            nn.Conv2d(before, before, size, stride, size // 2, groups=before, bias=False),
            nn.BatchNorm2d(before),
            nn.ReLU(inplace=True),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two separable convolutions beside a short cut."""

    def __init__(self, channels: int, size: int = 3) -> None:
        """Keep the channels."""
        super().__init__()
        self.body = nn.Sequential(Separable(channels, channels, size=size), Separable(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x + self.body(x)


class Detector(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1], sides multiples of 32, to rows (N, A, 4 + 2 + K)."""

    def __init__(self, kinds: int = len(KINDS)) -> None:
        """Start at random."""
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.stem = nn.Sequential(
            nn.Conv2d(3, a, 3, 2, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True), Separable(a, b, 2)
        )
        self.at8 = nn.Sequential(Separable(b, c, 2), Residual(c), Residual(c))
        self.at16 = nn.Sequential(Separable(c, d, 2), Residual(d, 5), Residual(d, 5))
        self.at32 = nn.Sequential(Separable(d, e, 2), Residual(e, 5), Residual(e, 5))
        self.narrow = nn.ModuleList(nn.Conv2d(width, NECK, 1) for width in (c, d, e))
        self.down = nn.ModuleList(Separable(NECK, NECK, size=5) for _ in range(2))
        self.up = nn.ModuleList(Separable(NECK, NECK, 2, size=5) for _ in range(2))
        self.blend = nn.ModuleList(Separable(NECK, NECK, size=5) for _ in range(2))
        self.heads = nn.ModuleList(
            nn.Sequential(Separable(NECK, NECK, size=5), Separable(NECK, NECK, size=5)) for _ in STRIDES
        )
        self.out = nn.ModuleList(nn.Conv2d(NECK, 4 + FAMILIES + kinds, 1) for _ in STRIDES)
        for layer in self.out:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.bias[:4] = 0.5
                layer.bias[4 : 4 + FAMILIES] = -4.6

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the rows of all grids, cell by cell."""
        fine = self.at8(self.stem(pictures))
        middle = self.at16(fine)
        coarse = self.at32(middle)
        p3, p4, p5 = (narrow(x) for narrow, x in zip(self.narrow, (fine, middle, coarse), strict=True))
        p4 = self.down[0](p4 + nn.functional.interpolate(p5, scale_factor=2.0, mode="nearest"))
        p3 = self.down[1](p3 + nn.functional.interpolate(p4, scale_factor=2.0, mode="nearest"))
        p4 = self.blend[0](p4 + self.up[0](p3))
        p5 = self.blend[1](p5 + self.up[1](p4))
        rows = [
            out(head(x)).flatten(2).transpose(1, 2)
            for out, head, x in zip(self.out, self.heads, (p3, p4, p5), strict=True)
        ]
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
