"""What is painted on floors: stencils of arrows and symbols, stall lines, zebra stripes, and how paint wears."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from scenes.materials.lettering import text_mask
from scenes.materials.patterns import Mask, ragged
from scenes.materials.plots import Plot, paint_polygon, stamp, strip

Array = NDArray[np.float64]

LINE_WIDTH_M = 0.10
STENCIL_PX = 256
"""Side of a stencil before it is scaled to the floor."""
WHITE, YELLOW, BLUE, GREEN = (0.88, 0.88, 0.86), (0.90, 0.73, 0.16), (0.10, 0.28, 0.58), (0.16, 0.48, 0.28)
SYMBOLS = {"disabled": "wheelchair", "electric": "bolt", "family": "family", "motorcycle": "MOTO", "reserved": "RES."}
"""What is painted into the stalls of a kind: a stencil, or letters."""
FIELD_COLOURS = {"disabled": BLUE, "electric": GREEN}
"""Kinds of stall whose symbol stands on a coloured field."""


def stall_lines(polygons: Array) -> Array:
    """Return the strips (count + 1, 4, 2) of paint along the sides of a row's stalls (count, 4, 2), lane end first.

    The first edge of a stall is its open, lane-side edge; neighbours share a line.
    """
    starts = np.vstack([polygons[:, 0], polygons[-1:, 1]])
    ends = np.vstack([polygons[:, 3], polygons[-1:, 2]])
    return np.stack([strip(start, end, LINE_WIDTH_M) for start, end in zip(starts, ends, strict=True)])


def paint_number(plot: Plot, mask: Mask, polygon: Array, text: str, height: float = 0.32) -> None:
    """Write ``text`` at a stall's open end, upright for who drives in."""
    middle, up, inward = _stall_axis(polygon)
    size = (0.62 * height * len(text), height)
    shape = round(STENCIL_PX * 0.5), round(STENCIL_PX * 0.5 * size[0] / height)
    stamp(plot, mask, text_mask(shape, text), middle + 0.45 * inward, up, size)


def paint_symbol(plot: Plot, mask: Mask, polygon: Array, kind: str, size_m: float = 1.1) -> None:
    """Paint the symbol of a special ``kind`` of stall into its middle."""
    symbol = SYMBOLS[kind]
    middle, up, inward = _stall_axis(polygon)
    deep = float(np.linalg.norm((polygon[3] - polygon[0] + polygon[2] - polygon[1]) / 2))
    if symbol in STENCILS:
        stamp(plot, mask, STENCILS[symbol], middle + 0.45 * deep * inward, up, (size_m, size_m))
    else:
        lettering = text_mask((STENCIL_PX // 3, STENCIL_PX), symbol)
        stamp(plot, mask, lettering, middle + 0.45 * deep * inward, up, (1.2 * size_m, 0.4 * size_m))


def paint_field(plot: Plot, mask: Mask, polygon: Array, side_m: float = 1.4) -> None:
    """Paint the square a symbol stands on."""
    middle, _, inward = _stall_axis(polygon)
    deep = float(np.linalg.norm((polygon[3] - polygon[0] + polygon[2] - polygon[1]) / 2))
    centre = middle + 0.45 * deep * inward
    paint_polygon(plot, mask, strip(centre - side_m / 2 * inward, centre + side_m / 2 * inward, side_m))


def paint_arrows(plot: Plot, mask: Mask, line: ArrayLike, spacing: float = 9.0) -> None:
    """Paint arrows in driving direction along ``line`` (N, 2), about ``spacing`` metres apart."""
    points = np.asarray(line, dtype=np.float64)
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = max(1, int(run[-1] // spacing))
    for s in (np.arange(count) + 0.5) * run[-1] / count:
        here, ahead = (np.array([np.interp(v, run, points[:, i]) for i in (0, 1)]) for v in (s - 0.05, s + 0.05))
        stamp(plot, mask, STENCILS["arrow"], here, float(np.arctan2(*(ahead - here)[::-1])), (0.75, 2.2))


def paint_zebra(plot: Plot, mask: Mask, polygon: ArrayLike, stripe_m: float = 0.5) -> None:
    """Paint stripes along the first edge of ``polygon`` (4, 2), as wide as the gaps between them."""
    corners = np.asarray(polygon, dtype=np.float64)
    across = (corners[3] - corners[0], corners[2] - corners[1])
    count = max(1, round((np.linalg.norm(across[0]) / stripe_m + 1) / 2))
    for near in np.arange(count) * 2:
        first, last = near / (2 * count - 1), (near + 1) / (2 * count - 1)
        ends = [corners[0] + first * across[0], corners[1] + first * across[1]]
        paint_polygon(plot, mask, [*ends, corners[1] + last * across[1], corners[0] + last * across[0]])


def worn(plot: Plot, mask: Mask, rng: np.random.Generator, gone: float = 0.07) -> Mask:
    """Return paint after years of wheels: about the share ``gone`` of it is missing in specks and patches."""
    return ragged(mask, 0.5 * plot.px_per_m, gone, rng)


def _stall_axis(polygon: Array) -> tuple[Array, float, Array]:
    """Return the middle of a stall's open edge, the angle into the stall, and the unit vector into it."""
    into = (polygon[3] - polygon[0] + polygon[2] - polygon[1]) / 2
    return (polygon[0] + polygon[1]) / 2, float(np.arctan2(into[1], into[0])), into / np.linalg.norm(into)


def _arrow(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.rectangle((0.38 * s, 0.36 * s, 0.62 * s, s), fill=255)
    draw.polygon([(0.5 * s, 0), (s, 0.40 * s), (0, 0.40 * s)], fill=255)


def _bolt(draw: ImageDraw.ImageDraw, s: int) -> None:
    corners = [(0.60, 0.02), (0.22, 0.56), (0.46, 0.56), (0.36, 0.98), (0.78, 0.40), (0.53, 0.40)]
    draw.polygon([(x * s, y * s) for x, y in corners], fill=255)


def _wheelchair(draw: ImageDraw.ImageDraw, s: int) -> None:
    """Head, back and legs, and the wheel: the international symbol of access."""
    bar = int(0.09 * s)
    draw.circle((0.42 * s, 0.10 * s), 0.085 * s, fill=255)
    body = [(0.42, 0.22), (0.44, 0.54), (0.66, 0.54), (0.76, 0.82), (0.86, 0.79)]
    draw.line([(x * s, y * s) for x, y in body], fill=255, width=bar, joint="curve")
    draw.line([(0.43 * s, 0.36 * s), (0.64 * s, 0.36 * s)], fill=255, width=bar)
    draw.arc((0.16 * s, 0.40 * s, 0.70 * s, 0.94 * s), 20, 245, fill=255, width=bar)


def _family(draw: ImageDraw.ImageDraw, s: int) -> None:
    """A grown-up and a child hand in hand."""
    for x, top, size in ((0.34, 0.06, 1.0), (0.70, 0.42, 0.6)):
        draw.circle((x * s, (top + 0.09 * size) * s), 0.09 * size * s, fill=255)
        trunk = [(x - 0.13 * size, top + 0.22 * size), (x + 0.13 * size, top + 0.22 * size)]
        hem = [(x + 0.10 * size, top + 0.9 * size), (x - 0.10 * size, top + 0.9 * size)]
        draw.polygon([(px * s, py * s) for px, py in trunk + hem], fill=255)
    draw.line([(0.45 * s, 0.34 * s), (0.66 * s, 0.58 * s)], fill=255, width=int(0.06 * s))


def _stencil(paint: Callable[[ImageDraw.ImageDraw, int], None]) -> Mask:
    """Draw a stencil at four times its size and shrink it, for smooth edges."""
    picture = Image.new("L", (4 * STENCIL_PX, 4 * STENCIL_PX))
    paint(ImageDraw.Draw(picture), 4 * STENCIL_PX)
    return np.array(picture.resize((STENCIL_PX, STENCIL_PX), Image.Resampling.BOX))


STENCILS = {
    name: _stencil(paint)
    for name, paint in (("arrow", _arrow), ("bolt", _bolt), ("wheelchair", _wheelchair), ("family", _family))
}
"""Masks of the shapes that are painted: their top points forward, or into the stall."""
