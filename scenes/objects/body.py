"""The body of a four-wheeled vehicle, lofted: cross-sections along it below the belt, rings of the cabin above."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from scenes.objects.lofts import Array, Patch, grid, merged
from scenes.objects.silhouettes import Silhouette

ARCH_CLEARANCE = 1.13
"""Radius of a wheel arch against that of its wheel."""
FLANK = PchipInterpolator([0.0, 0.3, 0.55, 0.85, 1.0], [0.955, 0.99, 1.0, 0.98, 0.95])
"""Half width of the flank against the body's, from the sill (0) to the belt (1)."""
WINDOW_ROWS = np.array([-0.06, 0.06, 0.35, 0.65, 0.90, 1.0])
"""Heights of the cabin's rings between belt and roof; glass fills all but the first and the last row."""


@dataclass(frozen=True, kw_only=True)
class BodySize:
    """Length, width and height in metres, with what the silhouette makes of them."""

    length: float
    width: float
    height: float
    silhouette: Silhouette

    @property
    def wheel_radius(self) -> float:
        """Radius of the tyres, metres."""
        return self.silhouette.wheel * self.height / 2

    @property
    def arch_radius(self) -> float:
        """Radius of the wheel arches, metres."""
        return ARCH_CLEARANCE * self.wheel_radius

    @property
    def axles(self) -> tuple[float, float]:
        """The x of the rear and of the front axle."""
        rear, front = self.silhouette.axles
        return self.x(rear), self.x(front)

    @property
    def sill(self) -> float:
        """Height of the sill."""
        return self.silhouette.clearance * self.height

    @property
    def belt(self) -> float:
        """Height of the windows' lower edge."""
        return self.silhouette.belt * self.height

    def x(self, share: float) -> float:
        """Return the x of a share of the length, 0 at the rear."""
        return (share - 0.5) * self.length

    def deck(self, share: float) -> float:
        """Return the height of trunk lid, belt or hood at a share of the length."""
        at, heights = np.array(self.silhouette.deck).T
        return float(PchipInterpolator(at, heights)(share)) * self.height


def lower_body(size: BodySize) -> tuple[Patch, Patch]:
    """Return the painted shell up to the belt, and the dark underside with the wheel arches."""
    stations = _stations(size)
    sections = np.stack([_section(size, x, bottom) for x, bottom in stations])
    shell = grid(np.concatenate([_collapsed(sections[0]), sections, _collapsed(sections[-1])]))
    left, right = sections[:, 0], sections[:, -1]
    across = np.linspace(0, 1, 4)[None, :, None]
    underside = grid(right[:, None] + across * (left - right)[:, None])
    return shell, underside


def _stations(size: BodySize) -> list[tuple[float, float]]:
    """Return (x, height of the lower edge) of the cross-sections, rear to front; dense at ends and wheel arches."""
    ends = np.array([0, 0.006, 0.02, 0.05, 0.09, 0.13])
    plain = [size.x(t) for t in (*ends, 0.33, 0.42, 0.5, 0.58, 0.67, *(1 - ends))]
    radius, hub = size.arch_radius, size.wheel_radius
    outside = [x for x in plain if all(abs(x - axle) > radius + 0.02 for axle in size.axles)]
    stations = [(x, _sill(size, x)) for x in outside]
    for axle in size.axles:
        turns = np.linspace(0, np.pi, 11)
        stations += [(axle + radius * np.cos(t), hub + radius * np.sin(t)) for t in turns]
        stations += [(x, _sill(size, x)) for x in (axle - radius - 1e-3, axle + radius + 1e-3)]
    return sorted(stations)


def _sill(size: BodySize, x: float) -> float:
    overhang = max(0.0, abs(x) / size.length - 0.38) / 0.12
    return size.sill + 0.045 * overhang**2


def _section(size: BodySize, x: float, bottom: float) -> Array:
    """Return the cross-section (23, 3) at ``x``: from the left flank's lower edge over the deck to the right one's."""
    share = x / size.length + 0.5
    half, top = _half_width(size, share), size.deck(share)
    corner = min(0.085, 0.35 * (top - bottom))
    heights = np.linspace(bottom, top - corner, 6)
    flank = np.stack([half * FLANK(np.clip((heights - size.sill) / (size.belt - size.sill), 0, 1)), heights], axis=1)
    turns = np.radians([25.0, 50.0, 72.0])
    inset = 0.16 * half
    shoulder = flank[-1] + np.stack([inset * (np.cos(turns) - 1), corner * np.sin(turns)], axis=1)
    inner = shoulder[-1, 0] * np.array([0.75, 0.4, 0.0])
    crown = top + 0.02 * (1 - (inner / half) ** 2)
    side = np.concatenate([flank, shoulder, np.stack([inner, crown], axis=1)])
    other = side[-2::-1] * [-1.0, 1.0]
    outline = np.concatenate([side, other])
    return np.column_stack([np.full(len(outline), x), outline])


def _half_width(size: BodySize, share: float) -> float:
    """Return the plan view's half width: drawn in at both ends."""
    front, rear = max(0.0, (share - 0.86) / 0.14), max(0.0, (0.10 - share) / 0.10)
    return size.width / 2 * (1 - 0.22 * front**2.4 - 0.13 * rear**2.4)


def _collapsed(section: Array) -> Array:
    """Return the section drawn together to the middle of its lower edge, which closes an end."""
    return np.broadcast_to((section[0] + section[-1]) / 2, section.shape)[None]


def cabin(size: BodySize) -> tuple[Patch, Patch, Patch]:
    """Return roof and pillars (painted), windows, and the dark pillars between side windows."""
    columns, kinds = _ring_columns(size.silhouette)
    rings = np.stack([_ring(size, columns, row) for row in WINDOW_ROWS])
    walls = grid(rings)
    window_row = np.zeros(len(WINDOW_ROWS) - 1, dtype=bool)
    window_row[1:-1] = True
    cells = np.where(window_row[:, None], kinds[None], "paint")
    labels = np.repeat(cells.reshape(-1), 2)
    glass, trim = (walls.chosen(labels == kind) for kind in ("glass", "trim"))
    return merged([walls.chosen(labels == "paint"), _roof(size, rings[-1])]), glass, trim


def _ring_columns(silhouette: Silhouette) -> tuple[Array, np.ndarray]:
    """Return points (C, 2) around the cabin, (along, across) in [-1, 1], and what the C-1 cells between them are.

    Counter-clockwise seen from above, from the middle of the rear to the right side.
    """
    shares, cells = [0.0, 0.09], ["paint"]
    for pillar in silhouette.pillars:
        shares += [pillar - 0.02, pillar + 0.02]
        cells += ["glass" if shares[-3] >= silhouette.windows else "paint", "trim"]
    shares += [0.955, 1.0]
    cells += ["glass", "paint"]
    cells = ["paint" if c == "trim" and s < silhouette.windows else c for c, s in zip(cells, shares, strict=False)]
    side = 2 * np.array(shares) - 1
    face = np.array([-1.0, -0.90, -0.5, 0.0, 0.5, 0.90, 1.0])
    right = np.column_stack([side, np.full(len(side), -1.0)])
    front = np.column_stack([np.full(len(face), 2.0), face])
    left = np.column_stack([side[::-1], np.ones(len(side))])
    rear = np.column_stack([np.full(len(face), -2.0), face[::-1]])
    screen = ["paint", "glass", "glass", "glass", "glass", "paint"]
    back = ["paint"] * 6 if silhouette.windows > 0 else screen
    kinds = [*back[3:], "paint", *cells, "paint", *screen, "paint", *cells[::-1], "paint", *back[:3]]
    return np.concatenate([rear[3:], right, front, left, rear[:4]]), np.array(kinds)


def _ring(size: BodySize, columns: Array, row: float) -> Array:
    """Return the cabin's outline (C, 3) at ``row``, 0 the belt and 1 the roof's edge."""
    line = size.silhouette
    edge, corner = size.height - 0.075, 0.09
    rear, front = (size.x(a) + row * (size.x(b) - size.x(a)) for a, b in zip(line.cabin, line.roof, strict=True))
    bulge = 0.035 * np.sin(np.pi * np.clip(row, 0, 1))
    half = size.width / 2 * 0.885 * (1 + row * (line.roof_width - 1)) + bulge
    along, across = columns.T
    on_face = np.abs(along) == 2.0
    bow = np.where(on_face, (0.10 if line.windows == 0 else 0.16) * (1 - across**2) + corner * 0.75, 0.0)
    middle, reach = (rear + front) / 2, (front - rear) / 2 - corner
    x = middle + np.where(on_face, np.sign(along) * (reach + bow), along * reach)
    y = across * np.where(on_face, half - 0.055, half - 0.02 * along**2)
    lift = 0.02 * row * np.where(on_face, 1 - across**2, 0.0)
    return np.column_stack([x, y, size.belt + row * (edge - size.belt) + lift])


def _roof(size: BodySize, edge: Array) -> Patch:
    """Return the crowned roof inside its edge (C, 3)."""
    middle = edge.mean(axis=0)
    scales = np.array([1.0, 0.975, 0.92, 0.75, 0.45, 0.0])[:, None, None]
    rings = middle + scales * (edge - middle)
    rings[..., 2] += (size.height - middle[2]) * (1 - scales[..., 0] ** 4) ** 0.7
    rings[..., 2] = np.minimum(rings[..., 2], size.height)
    return grid(rings)
