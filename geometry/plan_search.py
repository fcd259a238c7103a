"""Where a set of points fits a set of segments best in the plane: all headings and shifts, then robust refinement.

The search correlates the points' histogram with a field around the segments by FFT, for every heading, so that no
start is needed; peaks are refined as in iterative closest points, point to line, with a shrinking Tukey width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import distance_transform_edt, maximum_filter

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

GRID_M, FIELD_M = 0.5, 0.6
"""Of the search; a heading in its steps moves the ends of a site by less than the field's sigma."""
HEADING_STEP = np.radians(2.0)
STARTS, APART_M, APART, HIGH = 24, 1.5, np.radians(5.0), 0.6
"""So many peaks are refined, no two of them nearer than this, none lower than this share of their heading's highest."""
WIDTHS_M = (1.5, 1.0, 0.6, 0.4, 0.25, 0.25, 0.15, 0.15, 0.15)
"""Tukey widths of the refinement, each for ``STEPS`` steps."""
STEPS = 4
TABLE_M, FAR_M = 0.2, 1e6
"""Cells of the table of nearest segments, and the distance of points that are off it."""
NEAR_M = 0.15
"""Evidence this near to its segment is explained."""
BLOCK_M = 2.0
"""Evidence of one block is not independent."""
MAX_POINTS = 4000
"""Of one kind, for comparing peaks."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Points (N, 2) in site with weights (N,) that should lie on segments (K, 2, 2) of the plan."""

    points: Array
    weights: Array
    segments: Array

    @cached_property
    def nearby(self) -> "_Nearby | None":
        """The segments' table of which one is nearest, None without segments."""
        return _Nearby.of(self.segments) if len(self.segments) else None


@dataclass(frozen=True, kw_only=True)
class _Nearby:
    """Cells of ``TABLE_M``, each with the index of its nearest segment; ``low`` (2,) is the corner of the first."""

    low: Array
    index: Indices

    @classmethod
    def of(cls, segments: Array) -> "_Nearby":
        points, index = shapely.get_coordinates(
            shapely.segmentize(shapely.linestrings(segments), TABLE_M / 2), return_index=True
        )
        low = points.min(axis=0) - WIDTHS_M[0] - TABLE_M
        shape = np.ceil((points.max(axis=0) - low + WIDTHS_M[0]) / TABLE_M).astype(np.int64) + 2
        table = np.full(shape, -1, dtype=np.int64)
        table[tuple(np.floor((points - low) / TABLE_M).astype(np.int64).T)] = index
        row, column = distance_transform_edt(table < 0, return_distances=False, return_indices=True)
        return cls(low=low, index=table[row, column])

    def segment(self, points: Array) -> Indices:
        """Return the nearest segment (N,) of points (N, 2), -1 far from all of them."""
        cell = np.floor((points - self.low) / TABLE_M).astype(np.int64)
        inside = ((cell >= 0) & (cell < self.index.shape)).all(axis=1)
        found = np.full(len(points), -1, dtype=np.int64)
        found[inside] = self.index[tuple(cell[inside].T)]
        return found


@dataclass(frozen=True, kw_only=True)
class Placement:
    """site_from_plan in the plane: p_site = R(yaw) p_plan + shift. explained: weight share of points near a segment."""

    yaw: float
    shift: Array
    explained: float

    def to_plan(self, points: Array) -> Array:
        """Return site points (N, 2) in the plan."""
        return (points - self.shift) @ rotation(self.yaw)


def rotation(yaw: float) -> Array:
    """Return the (2, 2) rotation matrix."""
    return np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])


def search(channels: Sequence[Channel]) -> list[Placement]:
    """Return the refined placements, best first, no two alike."""
    thin = [_thinned(channel) for channel in channels]
    starts = _starts(thin)
    coarse = [refined(thin, yaw, shift, WIDTHS_M[:4]) for yaw, shift in starts]
    coarse.sort(key=lambda placement: -placement.explained)
    found: list[Placement] = []
    for placement in coarse[: STARTS // 2]:
        fine = refined(thin, placement.yaw, placement.shift, WIDTHS_M[4:])
        if not any(alike(fine, other, thin) for other in found):
            found.append(fine)
    return sorted(found, key=lambda placement: -placement.explained)


def refined(channels: Sequence[Channel], yaw: float, shift: Array, widths: Sequence[float]) -> Placement:
    """Refine a placement by Gauss-Newton on the distances to the nearest segments."""
    centre = _centre(channels)
    for width in np.repeat(widths, STEPS):
        normal, right = np.diag([1e-6, 1e-9, 1e-9]), np.zeros(3)
        for channel in channels:
            distance, outward = nearest(channel, Placement(yaw=yaw, shift=shift, explained=0.0))
            jacobian = _jacobian(channel.points - centre, outward @ rotation(yaw).T)
            weight = channel.weights * np.where(distance < width, (1 - (distance / width) ** 2) ** 2, 0.0)
            normal += (jacobian * weight[:, None]).T @ jacobian
            right -= jacobian.T @ (weight * distance)
        turn, *move = np.linalg.solve(normal, right)
        # The step moves the points; the placement moves the other way.
        turned = rotation(-turn)
        yaw, shift = yaw - turn, turned @ (shift - centre - np.array(move)) + centre
    placement = Placement(yaw=float(np.arctan2(np.sin(yaw), np.cos(yaw))), shift=shift, explained=0.0)
    return Placement(yaw=placement.yaw, shift=shift, explained=explained_share(channels, placement))


def nearest(channel: Channel, placement: Placement) -> tuple[Array, Array]:
    """Return the distance (N,) of each point from the nearest segment and the unit vector (N, 2) from it, in plan."""
    points = placement.to_plan(channel.points)
    distance, outward = np.full(len(points), FAR_M), np.zeros((len(points), 2))
    if channel.nearby is None:
        return distance, outward
    index = channel.nearby.segment(points)
    near = np.flatnonzero(index >= 0)
    start, end = channel.segments[index[near], 0], channel.segments[index[near], 1]
    way, offset = end - start, points[near] - start
    along = np.clip(np.sum(offset * way, axis=1) / np.sum(way**2, axis=1), 0.0, 1.0)
    offset = offset - along[:, None] * way
    distance[near] = np.linalg.norm(offset, axis=1)
    outward[near] = offset / np.maximum(distance[near], 1e-12)[:, None]
    return distance, outward


def explained(channel: Channel, placement: Placement) -> Array:
    """Return (N,) how well each point is explained, from 1 on a segment to 0 from twice ``NEAR_M`` on."""
    return np.asarray(np.clip(2.0 - nearest(channel, placement)[0] / NEAR_M, 0.0, 1.0))


def explained_share(channels: Sequence[Channel], placement: Placement) -> float:
    """Return the weight share of points that lie near a segment."""
    total = sum(float(channel.weights.sum()) for channel in channels)
    near = sum(float(channel.weights @ explained(channel, placement)) for channel in channels)
    return near / max(total, 1e-12)


def advantage(
    channels: Sequence[Channel], best: Placement, others: Sequence[Channel], other: Placement
) -> tuple[float, float]:
    """Return by how much a placement explains more than another, as share of what it explains, and in sigmas.

    ``channels`` and ``others`` hold the same points in the same order; their segments may differ. Differences within a
    block of ``BLOCK_M`` count as one, as a sign test for paired samples does (McNemar 1947).
    """
    here = [channel.weights * explained(channel, best) for channel in channels]
    there = [channel.weights * explained(channel, other) for channel in others]
    block = [
        np.column_stack([np.floor(channel.points / BLOCK_M), np.full(len(channel.points), number)])
        for number, channel in enumerate(channels)
    ]
    index = np.unique(np.vstack(block), axis=0, return_inverse=True)[1].ravel()
    by_block = np.bincount(index, np.concatenate(here) - np.concatenate(there))
    gain, mine = float(by_block.sum()), float(np.concatenate(here).sum())
    return gain / max(mine, 1e-12), gain / max(float(np.sqrt(np.sum(by_block**2))), 1e-12)


def alike(a: Placement, b: Placement, channels: Sequence[Channel]) -> bool:
    """Tell whether two placements put the points in about the same place of the plan."""
    corners = np.vstack([channel.points for channel in channels])
    box = np.array([corners.min(axis=0), corners.max(axis=0)])
    ends = np.array([[box[i, 0], box[j, 1]] for i in (0, 1) for j in (0, 1)])
    return bool(np.linalg.norm(a.to_plan(ends) - b.to_plan(ends), axis=1).max() < APART_M)


def _starts(channels: Sequence[Channel]) -> list[tuple[float, Array]]:
    """Return (yaw, shift) of the highest peaks of the correlation over all headings."""
    segments = np.concatenate([channel.segments for channel in channels]).reshape(-1, 2)
    centre = _centre(channels)
    reach = max(float(np.linalg.norm(c.points - centre, axis=1).max(initial=0.0)) for c in channels)
    low = segments.min(axis=0) - reach - 2 * GRID_M
    shape = tuple(fft.next_fast_len(int(n)) for n in np.ceil((np.ptp(segments, axis=0) + 2 * reach) / GRID_M) + 5)
    fields = [fft.rfft2(_field(channel.segments, low, shape)) for channel in channels]
    peaks = []
    for yaw in np.arange(0.0, 2 * np.pi, HEADING_STEP):
        total = np.zeros(1)
        for channel, field in zip(channels, fields, strict=True):
            cell = np.round((channel.points - centre) @ rotation(yaw) / GRID_M).astype(np.int64) % shape
            histogram = np.zeros(shape)
            np.add.at(histogram, (cell[:, 0], cell[:, 1]), channel.weights)
            total = total + field * np.conj(fft.rfft2(histogram))
        score = fft.irfft2(total, s=shape)
        summit = (score > HIGH * score.max()) & (score == maximum_filter(score, size=2 * round(APART_M / GRID_M) + 1))
        peaks += [(float(score[tuple(cell)]), float(yaw), cell) for cell in np.argwhere(summit)]
    peaks.sort(key=lambda peak: -peak[0])
    chosen: list[tuple[float, Array]] = []
    for _, yaw, cell in peaks:
        in_plan = low + GRID_M * (cell + 0.5)  # where the centre of the points comes to lie
        shift = centre - rotation(yaw) @ in_plan
        if all(abs(np.angle(np.exp(1j * (yaw - y)))) > APART or np.linalg.norm(shift - s) > APART_M for y, s in chosen):
            chosen.append((yaw, shift))
        if len(chosen) == STARTS:
            break
    return chosen


def _field(segments: Array, low: Array, shape: tuple[int, ...]) -> Array:
    """Return a field that is 1 on the segments and falls off like a Gaussian."""
    empty = np.ones(shape, dtype=bool)
    if len(segments):
        points = shapely.get_coordinates(shapely.segmentize(shapely.linestrings(segments), GRID_M / 2))
        cell = np.floor((points - low) / GRID_M).astype(np.int64)
        empty[cell[:, 0], cell[:, 1]] = False
    else:
        return np.zeros(shape)
    return np.asarray(np.exp(-0.5 * (GRID_M * distance_transform_edt(empty) / FIELD_M) ** 2))


def _jacobian(offsets: Array, outward: Array) -> Array:
    """Return d distance / d (turn, move) (N, 3) of points turned about the centre and moved, in site."""
    turned = np.column_stack([-offsets[:, 1], offsets[:, 0]])
    return np.column_stack([np.sum(turned * outward, axis=1), outward])


def _centre(channels: Sequence[Channel]) -> Array:
    points = np.vstack([channel.points for channel in channels])
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2)


def _thinned(channel: Channel) -> Channel:
    """Return at most ``MAX_POINTS`` of the points, evenly in their order."""
    step = max(1, -(-len(channel.points) // MAX_POINTS))
    return Channel(points=channel.points[::step], weights=channel.weights[::step] * step, segments=channel.segments)
