"""What is painted on a body: seams, handles, lamps, grille, plastic parts, and a firm's lettering."""

import numpy as np

from scenes.objects.body import BodySize
from scenes.objects.lofts import Array
from scenes.objects.paintwork import LENS, PLASTIC, RED, SEAM, Brush, Rgb, View

SIDES: tuple[View, View] = ("left", "right")
AMBER: Rgb = (204, 120, 30)
CHROME: Rgb = (168, 170, 174)


def paint_flanks(brush: Brush, size: BodySize, colour: Rgb, rng: np.random.Generator) -> None:
    """Draw arches, sills, door seams, handles and the fuel flap on both sides."""
    line, sill = size.silhouette, size.sill
    half = size.length / 2
    plastic = max(line.cladding * size.height, sill + 0.05)
    brush.polygon(SIDES, _upright((-half, half), (0, plastic)), PLASTIC if line.cladding else _darker(colour, 0.45))
    for axle in size.axles:
        reach = size.arch_radius * (1.16 if line.cladding else 1.035)
        brush.disc(SIDES, (axle, 0, size.wheel_radius), reach, PLASTIC if line.cladding else SEAM)
    for seam in _door_seams(size):
        brush.line(SIDES, seam)
    for x in _handles(size):
        brush.polygon(SIDES, _upright((x, x + 0.19), (size.belt - 0.13, size.belt - 0.095)), _darker(colour, 0.6), SEAM)
    flap = size.axles[0] + 0.05
    brush.polygon(("right",), _upright((flap, flap + 0.17), (size.belt - 0.20, size.belt - 0.04)), colour, SEAM)
    crease = size.belt - rng.uniform(0.17, 0.24)
    brush.line(SIDES, [(-0.42 * size.length, 0, crease), (0.36 * size.length, 0, crease - 0.05)],
               fill=_darker(colour, 0.8), width=0.016)  # fmt: skip


def paint_front(brush: Brush, size: BodySize, colour: Rgb, rng: np.random.Generator) -> None:
    """Draw headlamps around the corners, grille, lower intake, emblem and the bumper's seam."""
    half, nose, low = size.width / 2, size.deck(0.965), size.sill + 0.06
    top, bottom = nose - 0.035, nose - rng.uniform(0.15, 0.19)
    inner = rng.uniform(0.50, 0.58) * half
    lamp = [(0, inner, bottom + 0.03), (0, half, bottom), (0, half, top), (0, inner + 0.05, top - 0.02)]
    _both_sides(brush, ("front",), lamp, LENS, SEAM)
    brush.polygon(SIDES, _upright((0.5 * size.length - 0.42, 0.5 * size.length), (bottom, top), slant=0.22), LENS, SEAM)
    for y in (inner + 0.16, inner - 2 * inner - 0.16):
        brush.disc(("front",), (0, y, (top + bottom) / 2), 0.04, (120, 126, 132))
    grille = 0.9 * inner
    brush.polygon(("front",), [(0, -grille, top - 0.02), (0, grille, top - 0.02), (0, 0.85 * grille, bottom - 0.08),
                               (0, -0.85 * grille, bottom - 0.08)], (20, 20, 22), CHROME)  # fmt: skip
    for z in np.linspace(bottom - 0.05, top - 0.05, 5):
        brush.line(("front",), [(0, -0.88 * grille, z), (0, 0.88 * grille, z)], fill=(74, 75, 78), width=0.012)
    brush.disc(("front",), (0, 0, (top + bottom) / 2), 0.05, CHROME)
    brush.polygon(("front",), _facing((-0.72 * half, 0.72 * half), (low, low + 0.13)), (26, 26, 28))
    brush.polygon(("front",), _facing((-half, half), (0, low - 0.01)), PLASTIC)
    brush.line(("front",), [(0, -half, bottom - 0.11), (0, half, bottom - 0.11)], fill=_darker(colour, 0.6), width=0.01)


def paint_back(brush: Brush, size: BodySize, colour: Rgb, rng: np.random.Generator) -> None:
    """Draw tail lamps around the corners, the tailgate's seam, and the bumper."""
    half, top = size.width / 2, min(size.deck(0.03), size.belt) - 0.05
    tall = rng.uniform(0.13, 0.20) * (1.6 if size.silhouette.height[0] > 1.5 else 1.0)
    bottom, inner = top - tall, rng.uniform(0.52, 0.66) * half
    _both_sides(brush, ("back",), [(0, inner, bottom + 0.02), (0, half, bottom), (0, half, top), (0, inner, top)],
                RED, SEAM)  # fmt: skip
    _both_sides(brush, ("back",), [(0, inner + 0.1, bottom + 0.04), (0, half, bottom + 0.04), (0, half, bottom + 0.09),
                                   (0, inner + 0.1, bottom + 0.09)], AMBER)  # fmt: skip
    brush.polygon(
        SIDES, _upright((-0.5 * size.length, 0.26 - 0.5 * size.length), (bottom, top), slant=-0.10), RED, SEAM
    )
    bumper = bottom - 0.17
    for y in (-0.93 * half, 0.93 * half):
        brush.line(("back",), [(0, y, bumper), (0, y, bottom)], width=0.01)
    brush.line(("back",), [(0, -half, bumper), (0, half, bumper)], width=0.012)
    brush.polygon(("back",), _facing((-half, half), (0, size.sill + 0.12)), PLASTIC)
    brush.polygon(("back",), _facing((-0.31, 0.31), (top - 0.34, top - 0.18)), _darker(colour, 0.7), SEAM)
    for y in (-0.6 * half, 0.6 * half):
        brush.polygon(("back",), _facing((y - 0.09, y + 0.09), (size.sill + 0.14, size.sill + 0.18)), RED)


def paint_top(brush: Brush, size: BodySize, colour: Rgb, rng: np.random.Generator) -> None:
    """Draw the hood's seams, the cowl under the windscreen, and a sunroof or a load bed's cover."""
    line, half = size.silhouette, size.width / 2
    cowl, nose = size.x(line.cabin[1]), size.x(0.985)
    for side in (-1, 1):
        brush.line(("top",), [(cowl, side * 0.80 * half, 0), (nose, side * 0.62 * half, 0)], width=0.012)
        brush.line(("top",), [(cowl, side * 0.35 * half, 0), (nose, side * 0.28 * half, 0)],
                   fill=_darker(colour, 0.85), width=0.02)  # fmt: skip
    brush.polygon(("top",), _flat((cowl - 0.05, cowl + 0.07), 0.80 * half), (26, 26, 28))
    if line.cabin[0] > 0.3:
        brush.polygon(("top",), _flat((size.x(0.02), size.x(line.cabin[0]) - 0.06), 0.72 * half), (28, 28, 30), SEAM)
    elif line.windows == 0 and rng.random() < 0.3:
        brush.polygon(("top",), _flat((size.x(line.roof[0]) + 0.35, size.x(line.roof[1]) - 0.12), 0.44 * half),
                      (24, 26, 30), SEAM)  # fmt: skip


def paint_firm(brush: Brush, size: BodySize, text: str, stripe: Rgb | None) -> None:
    """Draw a stripe along both flanks, and a firm's name on them and on the back."""
    belt, tall = size.belt, size.silhouette.windows > 0
    lettering = (28, 38, 70) if sum(brush.colour) > 330 else (236, 236, 232)
    if stripe is not None:
        top = belt - 0.02 if tall else belt - 0.24
        for x0, x1 in ((size.x(0.02), size.x(0.40)), (size.x(0.42), size.x(0.46))):
            brush.polygon(SIDES, _upright((x0, x1), (top - 0.14, top), slant=0.12), stripe)
    if text:
        band = (belt + 0.16, belt + 0.62) if tall else (belt - 0.42, belt - 0.27)
        first, last = (size.x(0.06), size.x(0.45)) if tall else (size.x(0.40), size.x(0.62))
        for view in SIDES:
            brush.text(view, [(first, 0, band[0]), (last, 0, band[1])], text, lettering)
        if tall:
            brush.text(
                "back", [(0, -0.33 * size.width, belt + 0.12), (0, 0.33 * size.width, belt + 0.34)], text, lettering
            )
            brush.line(("back",), [(0, 0, size.sill + 0.2), (0, 0, size.height)], width=0.014)


def _door_seams(size: BodySize) -> list[Array]:
    """Return the outlines of the doors, lines (N, 3) in the side view."""
    line, low, belt = size.silhouette, size.sill + 0.07, size.belt
    rear, front = size.x(line.cabin[0]), size.x(line.cabin[1])
    posts = [rear + share * (front - rear) for share in line.pillars]
    hinge = front - 0.12
    seams = [np.array([(hinge, 0, belt), (hinge + 0.04, 0, belt - 0.35), (hinge - 0.02, 0, low)])]
    seams += [np.array([(x, 0, belt + 0.02), (x, 0, low)]) for x in posts]
    seams.append(np.array([(posts[0], 0, low), (hinge - 0.02, 0, low)]))
    back = max(rear + 0.1, size.axles[0] + 0.1)
    arch = [(back, 0, belt), (back, 0, size.wheel_radius + size.arch_radius + 0.06),
            (size.axles[0] + size.arch_radius + 0.05, 0, low + 0.1),
            (size.axles[0] + size.arch_radius + 0.10, 0, low), (posts[0], 0, low)]  # fmt: skip
    return [*seams, np.array(arch)] if line.windows == 0 and line.cabin[0] < 0.3 else seams


def _handles(size: BodySize) -> list[float]:
    line = size.silhouette
    rear, front = size.x(line.cabin[0]), size.x(line.cabin[1])
    posts = [rear + share * (front - rear) for share in line.pillars]
    own = [posts[-1] + 0.06]
    return own if line.cabin[0] > 0.3 else [max(posts[0] - 0.75, size.axles[0] + 0.2), *own]


def _both_sides(brush: Brush, views: tuple[View, ...], corners: list, fill: Rgb, outline: Rgb | None = None) -> None:
    for side in (1, -1):
        brush.polygon(views, np.array(corners) * [1, side, 1], fill, outline)


def _upright(xs: tuple[float, float], zs: tuple[float, float], slant: float = 0.0) -> Array:
    """Return a parallelogram in the side view, its upper edge moved forward by ``slant`` metres at the rear."""
    first, last = (slant, 0.0) if slant > 0 else (0.0, slant)
    return np.array([(xs[0], 0, zs[0]), (xs[1], 0, zs[0]), (xs[1] + last, 0, zs[1]), (xs[0] + first, 0, zs[1])])


def _facing(ys: tuple[float, float], zs: tuple[float, float]) -> Array:
    return np.array([(0, ys[0], zs[0]), (0, ys[1], zs[0]), (0, ys[1], zs[1]), (0, ys[0], zs[1])])


def _flat(xs: tuple[float, float], half: float) -> Array:
    return np.array([(xs[0], -half, 0), (xs[1], -half, 0), (xs[1], half, 0), (xs[0], half, 0)])


def _darker(colour: Rgb, factor: float) -> Rgb:
    return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
