"""Which readings in different photos are of one text in the site: rays that meet, letters of one size, like strings.

Two boards that both say P1 are told apart by where their rays meet, and chance meetings of rays by the size that the
letters would have there: what is twice as far must look half as large. Where the map's landmarks tell how far away a
reading is, it is of no text elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCK_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class AssociationOptions:
    """When readings belong together.

    min_angle_deg, max_range: of two rays, for their meeting point to mean something; metres
    miss_heights: how far a ray may miss the text's middle, in heights of its letters
    max_size_ratio: of the letters' metric heights as two views have them
    min_similarity: of strings, as difflib's ratio: P1 and P2 have 0.5, as one may be misread for the other
    half_cone_deg: of the directions from which one face is read
    depth_share, depth_m: how far, of the distance and in metres, a text may be from where landmarks put a reading
    near: within how many letter heights meeting points support each other
    min_views: photos that a text must be read in
    """

    min_angle_deg: float = 1.5
    max_range: float = 40.0
    miss_heights: float = 0.35
    max_size_ratio: float = 1.45
    min_similarity: float = 0.5
    half_cone_deg: float = 85.0
    depth_share: float = 0.03
    depth_m: float = 0.1
    near: float = 1.0
    min_views: int = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Sightings:
    """N readings as rays.

    photos: (N,) index of the photo; origins, directions: (N, 3) in site, metres and unit
    angles: (N,) height of the letters as an angle, radians; texts: folded strings
    depths: (N,) distance by the map's landmarks, NaN where it is not known
    """

    photos: Indices
    origins: Array
    directions: Array
    angles: Array
    texts: Sequence[str]
    depths: Array

    def __len__(self) -> int:
        return len(self.photos)

    def may_be_at(self, rows: Indices, distances: Array, options: AssociationOptions) -> NDArray[np.bool_]:
        """Tell (R,) whether landmarks allow the readings ``rows`` (R,) to be at distances (R,)."""
        known = self.depths[rows]
        return np.asarray(~(np.abs(distances - known) > options.depth_share * known + options.depth_m))


def associate(sightings: Sightings, options: AssociationOptions | None = None) -> list[Indices]:
    """Return groups of readings, each of one text seen in two or more photos, best supported first.

    A reading is in one group at most, and a group has at most one reading of a photo. Meeting points of all pairs vote;
    the one with most support takes the readings whose rays pass it, and so on (sequential consensus).
    """
    options = options or AssociationOptions()
    strings = _Strings(sightings.texts, options.min_similarity)
    pairs, points = _meetings(sightings, strings, options)
    free = np.ones(len(sightings), dtype=bool)
    groups = []
    for seed in _by_support(sightings, pairs, points, options):
        if not free[pairs[seed]].all():
            continue
        likely = free & strings.like(pairs[seed]).any(axis=0)
        members = _members(sightings, likely, pairs[seed], points[seed], options)
        if len(members) >= options.min_views:
            free[members] = False
            groups.append(members)
    return sorted(groups, key=len, reverse=True)


def nearest_point(origins: Array, directions: Array, weights: Array) -> Array:
    """Return the point (3,) nearest to rays (N, 3), by least squares of distances with ``weights`` (N,)."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    weighted = across * weights[:, None, None]
    normal = weighted.sum(axis=0)
    return np.asarray(np.linalg.lstsq(normal, np.einsum("nij,nj->i", weighted, origins), rcond=None)[0])


class _Strings:
    """Which of N strings may be readings of one text; distinct strings are few, and compared once."""

    def __init__(self, texts: Sequence[str], min_similarity: float) -> None:
        distinct, self._index = np.unique(np.array(texts, dtype=str), return_inverse=True)
        self._similar = np.eye(len(distinct), dtype=bool)
        matcher = SequenceMatcher(autojunk=False)
        for row, text in enumerate(distinct.tolist()):
            matcher.set_seq2(text)
            for column, other in enumerate(distinct[:row].tolist()):
                matcher.set_seq1(other)
                close = matcher.real_quick_ratio() >= min_similarity and matcher.ratio() >= min_similarity
                self._similar[row, column] = self._similar[column, row] = close

    def like(self, rows: Indices) -> NDArray[np.bool_]:
        """Tell (R, N) which of all strings may be the same text as those of ``rows`` (R,)."""
        return np.asarray(self._similar[self._index[rows]][:, self._index])


def _meetings(sightings: Sightings, strings: _Strings, options: AssociationOptions) -> tuple[Indices, Array]:
    """Return pairs (M, 2) of readings whose rays meet, and where (M, 3); a block of rows at a time bounds memory."""
    numbers = np.arange(len(sightings))
    pairs, points = [np.zeros((0, 2), dtype=np.int64)], [np.zeros((0, 3))]
    for start in range(0, len(sightings), BLOCK_ROWS):
        rows = numbers[start : start + BLOCK_ROWS]
        later = (numbers > rows[:, None]) & (sightings.photos != sightings.photos[rows, None])
        first, second = np.nonzero(later & strings.like(rows))
        good, meeting = _meet(sightings, rows[first], second, options)
        pairs.append(np.column_stack([rows[first], second])[good])
        points.append(meeting[good])
    return np.concatenate(pairs), np.concatenate(points)


def _meet(
    sightings: Sightings, first: Indices, second: Indices, options: AssociationOptions
) -> tuple[NDArray[np.bool_], Array]:
    """Tell (M,) which pairs of readings are of one text as far as two can tell, and where it would be (M, 3)."""
    o1, o2 = sightings.origins[first], sightings.origins[second]
    d1, d2 = sightings.directions[first], sightings.directions[second]
    cosine, between = (d1 * d2).sum(axis=1), o2 - o1
    sine2 = np.maximum(1 - cosine**2, 1e-12)
    along1, along2 = (d1 * between).sum(axis=1), (d2 * between).sum(axis=1)
    t1, t2 = (along1 - cosine * along2) / sine2, (cosine * along1 - along2) / sine2
    p1, p2 = o1 + t1[:, None] * d1, o2 + t2[:, None] * d2
    size1, size2 = t1 * sightings.angles[first], t2 * sightings.angles[second]
    good = (sine2 > np.sin(np.radians(options.min_angle_deg)) ** 2) & (np.minimum(t1, t2) > 0)
    good &= (np.maximum(t1, t2) < options.max_range) & (cosine > np.cos(np.radians(2 * options.half_cone_deg)))
    good &= np.maximum(size1, size2) < options.max_size_ratio * np.minimum(size1, size2)
    good &= np.linalg.norm(p1 - p2, axis=1) < options.miss_heights * (size1 + size2)
    good &= sightings.may_be_at(first, t1, options) & sightings.may_be_at(second, t2, options)
    return good, (p1 + p2) / 2


def _by_support(sightings: Sightings, pairs: Indices, points: Array, options: AssociationOptions) -> list[int]:
    """Order meeting points by how many others are near, the first of equals first."""
    if not len(points):
        return []
    distance = np.linalg.norm(points - sightings.origins[pairs[:, 0]], axis=1)
    size = distance * sightings.angles[pairs[:, 0]]
    votes = cKDTree(points).query_ball_point(points, options.near * size, return_length=True)
    return np.argsort(-votes, kind="stable").tolist()


def _members(
    sightings: Sightings,
    likely: NDArray[np.bool_],
    seed: Indices,
    point: Array,
    options: AssociationOptions,
) -> Indices:
    """Return the likely readings that agree on a text at ``point``, moving it to where their rays meet best."""
    size = _sizes(sightings, point)[seed].mean()
    facing = -sightings.directions[seed].sum(axis=0)
    members = seed
    for _ in range(3):
        members = _passing(sightings, likely, point, size, facing, options)
        if len(members) < 2:
            return members
        weights = 1.0 / np.linalg.norm(sightings.origins[members] - point, axis=1) ** 2
        point = nearest_point(sightings.origins[members], sightings.directions[members], weights)
        size = float(np.median(_sizes(sightings, point)[members]))
        facing = -sightings.directions[members].sum(axis=0)
    return members


def _sizes(sightings: Sightings, point: Array) -> Array:
    """Return the metric height (N,) of each reading's letters if they were at ``point``."""
    return np.asarray(np.linalg.norm(point - sightings.origins, axis=1) * sightings.angles)


def _passing(
    sightings: Sightings,
    likely: NDArray[np.bool_],
    point: Array,
    size: float,
    facing: Array,
    options: AssociationOptions,
) -> Indices:
    """Return the readings whose ray passes the point with letters of the right size; of a photo, the nearest."""
    offset = point - sightings.origins
    ahead = (offset * sightings.directions).sum(axis=1)
    miss = np.linalg.norm(offset - ahead[:, None] * sightings.directions, axis=1)
    ratio = _sizes(sightings, point) / max(size, 1e-9)
    towards = -(sightings.directions @ facing) / max(float(np.linalg.norm(facing)), 1e-9)
    good = likely & (ahead > 0) & (ahead < options.max_range) & (miss < options.miss_heights * size)
    good &= (ratio < options.max_size_ratio) & (ratio > 1 / options.max_size_ratio)
    good &= towards > np.cos(np.radians(options.half_cone_deg))
    good &= sightings.may_be_at(np.arange(len(sightings)), ahead, options)
    chosen = np.flatnonzero(good)
    chosen = chosen[np.lexsort([miss[chosen], sightings.photos[chosen]])]
    first = np.diff(sightings.photos[chosen], prepend=-1) != 0
    return np.asarray(chosen[first])
