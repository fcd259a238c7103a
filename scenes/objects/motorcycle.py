"""A motorcycle on its side stand: wheels, fork, tank, seat, engine, exhaust."""

import numpy as np

from scenes.objects.lofts import Patch, capsule, ellipsoid, tube

REFERENCE = (2.10, 0.80, 1.12)
"""Length, width and height, in metres, that the parts are drawn at."""
WHEEL_RADIUS, AXLES = 0.31, (-0.70, 0.73)


def motorcycle_patches() -> dict[str, list[Patch]]:
    """Return the parts by material: paint, trim (black), metal, glass; wheels not among them."""
    return {"paint": _paint(), "trim": _trim(), "metal": _metal(), "glass": [_lamp(), _lamp_back()]}


def _paint() -> list[Patch]:
    tank = capsule(
        [(-0.02, 0, 0.80), (0.12, 0, 0.84), (0.30, 0, 0.85)], [(0.09, 0.08), (0.14, 0.14), (0.13, 0.13)], up=(0, 0, 1)
    )
    tail = capsule(
        [(-0.78, 0, 0.84), (-0.6, 0, 0.78), (-0.4, 0, 0.72)], [(0.05, 0.07), (0.07, 0.1), (0.06, 0.1)], up=(0, 0, 1)
    )
    return [tank, tail, _mudguard(AXLES[1], 0.35, 2.5), _cowl()]


def _cowl() -> Patch:
    return ellipsoid((0.50, 0, 0.86), (0.14, 0.13, 0.13))


def _mudguard(x: float, first: float, last: float) -> Patch:
    turns = np.linspace(first, last, 8)
    path = np.column_stack([x + 0.345 * np.cos(turns), 0 * turns, WHEEL_RADIUS + 0.345 * np.sin(turns)])
    return tube(path, np.tile([0.075, 0.012], (8, 1)), sides=8)


def _trim() -> list[Patch]:
    seat = capsule(
        [(-0.62, 0, 0.82), (-0.35, 0, 0.79), (-0.08, 0, 0.80)], [(0.04, 0.11), (0.05, 0.14), (0.06, 0.09)], up=(0, 0, 1)
    )
    engine = ellipsoid((0.06, 0, 0.45), (0.27, 0.19, 0.24))
    grips = [capsule([(0.36, y, 1.04), (0.40, 1.5 * y, 1.03)], [0.02, 0.02], up=(0, 0, 1)) for y in (-0.24, 0.24)]
    mirrors = [ellipsoid((0.42, y, 1.07), (0.02, 0.06, 0.045), rings=4, sides=8) for y in (-0.33, 0.33)]
    stand = tube([(-0.02, 0.12, 0.35), (-0.12, 0.28, 0.0)], [0.014, 0.014], sides=6, up=(1, 0, 0))
    guard = _mudguard(AXLES[0], 0.9, 2.3)
    return [seat, engine, *grips, *mirrors, stand, guard]


def _metal() -> list[Patch]:
    forks = [tube([(0.46, y, 1.0), (AXLES[1], y, WHEEL_RADIUS)], [0.028, 0.025], sides=8) for y in (-0.10, 0.10)]
    arms = [tube([(0.0, y, 0.40), (AXLES[0], y, WHEEL_RADIUS)], [0.03, 0.025], sides=8) for y in (-0.11, 0.11)]
    bar = tube(
        [(0.37, -0.36, 1.04), (0.45, -0.12, 1.03), (0.45, 0.12, 1.03), (0.37, 0.36, 1.04)],
        [0.014] * 4,
        sides=6,
        up=(0, 0, 1),
    )
    exhaust = capsule([(0.15, -0.16, 0.28), (-0.25, -0.19, 0.27), (-0.78, -0.22, 0.40)], [0.025, 0.04, 0.055])
    frame = tube([(0.42, 0, 0.88), (0.05, 0, 0.66), (-0.45, 0, 0.70)], [0.04, 0.04, 0.03], sides=8)
    return [*forks, *arms, bar, exhaust, frame]


def _lamp() -> Patch:
    return ellipsoid((0.60, 0, 0.86), (0.06, 0.09, 0.09))


def _lamp_back() -> Patch:
    return ellipsoid((-0.85, 0, 0.85), (0.03, 0.07, 0.035), rings=4, sides=8)
