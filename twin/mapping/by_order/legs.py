"""Legs of a walk: runs of photos that hold together by themselves.

On a straight way each photo shows what several before it showed, and what is built of neighbours alone is right to a
centimetre. Where the walker turns on the spot nothing is seen from three places: the direction goes on, the scale does
not. So a walk falls into legs there, each in a scale of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from twin.mapping.reconstruction import placed_images

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

MAX_GAP = 5
"""Photos further apart in the walk are no neighbours."""
MIN_HELD = 30
"""Points that two photos before and two after see, without which nothing carries the scale on."""
MIN_VIEWS = 3
"""Photos of a leg that must see a point for it to be one of the leg's."""
MIN_PHOTOS = 3
LEAST_STEP = 0.02
"""Of the distance to what is seen: who stands takes no steps to measure by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leg:
    """Photos in the order of the walk, in a frame of their own in which a step from one to the next is 1 long.

    rows: (N,) of the capture; rotations: (N, 3, 3) cam_from_leg; centres: (N, 3); points: (P, 3)
    point_of: for each photo (K,), which point each of its keypoints shows, or -1
    part: legs of one part of the walk have parallel axes, as far as their photos tell

    A single photo is a leg too, without points, and its scale means nothing.
    """

    rows: Rows
    rotations: Array
    centres: Array
    points: Array
    point_of: tuple[Rows, ...]
    part: int

    @property
    def has_shape(self) -> bool:
        """Whether it has points."""
        return len(self.points) > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """Observations (O,), sorted by point, then row: which point, which row of the capture, which keypoint."""

    point: Rows
    row: Rows
    keypoint: Rows
    xyz: Array

    def of(self, rows: Rows) -> "_Seen":
        """Return what some rows of the capture saw."""
        mine = np.isin(self.row, rows)
        return _Seen(point=self.point[mine], row=self.row[mine], keypoint=self.keypoint[mine], xyz=self.xyz)

    def common(self, rows: Rows) -> Rows:
        """Return the points that enough of some rows see to be a leg's."""
        views = np.bincount(self.of(rows).point, minlength=len(self.xyz))
        return np.flatnonzero(views >= MIN_VIEWS)


def legs_of(models: Sequence[pycolmap.Reconstruction]) -> list[Leg]:
    """Cut reconstructions of neighbours into legs, in the order of the walk; image ids are the capture's rows + 1.

    Photos that no leg holds are legs of their own. A photo that several models hold is taken from the first.
    """
    found: list[Leg] = []
    taken: set[int] = set()
    for part, model in enumerate(models):
        images = [image for image in placed_images(model) if image.image_id - 1 not in taken]
        rows = np.array([image.image_id - 1 for image in images], dtype=np.int64)
        taken |= set(rows.tolist())
        seen = _seen(model)
        runs = [np.flatnonzero(np.isin(rows, run)) for run in _runs(rows, seen.of(rows))]
        found += [_leg([images[k] for k in run], seen, part) for run in runs]
    return sorted(found, key=lambda leg: int(leg.rows[0]))


def held_across(point: Rows, row: Rows, count: int) -> Rows:
    """Return (count - 1,), how many points carry the scale from each row to the next: seen twice before, twice after.

    Observations (O,) are sorted by point, then row; those of a point that are more than ``MAX_GAP`` rows apart are of
    two visits.
    """
    new = np.ones(len(point), dtype=bool)
    new[1:] = (np.diff(point) != 0) | (np.diff(row) > MAX_GAP)
    first = np.flatnonzero(new)
    length = np.diff(np.append(first, len(point)))
    first, length = first[length >= 4], length[length >= 4]
    change = np.zeros(count + 1, dtype=np.int64)
    np.add.at(change, row[first + 1], 1)
    np.add.at(change, row[first + length - 2], -1)
    return np.cumsum(change)[: count - 1]


def _seen(model: pycolmap.Reconstruction) -> _Seen:
    points = list(model.points3D.values())
    rows = [
        (number, seen.image_id - 1, seen.point2D_idx)
        for number, point in enumerate(points)
        for seen in sorted(point.track.elements, key=lambda seen: seen.image_id)
    ]
    point, row, keypoint = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return _Seen(point=point, row=row, keypoint=keypoint, xyz=np.array([p.xyz for p in points]).reshape(-1, 3))


def _runs(rows: Rows, seen: _Seen) -> list[Rows]:
    """Cut sorted rows of the capture where nothing carries the scale on; runs that are too short fall into photos."""
    if len(rows) == 0:
        return []
    held = held_across(seen.point, seen.row, int(rows[-1]) + 1)
    cut = np.flatnonzero((np.diff(rows) > 1) | (held[rows[:-1]] < MIN_HELD)) + 1
    runs = np.split(rows, cut)
    is_leg = [len(run) >= MIN_PHOTOS and len(seen.common(run)) > 0 for run in runs]
    alone = [np.split(run, np.arange(1, len(run))) for run in runs]
    return [
        part for run, whole, photos in zip(runs, is_leg, alone, strict=True) for part in ([run] if whole else photos)
    ]


def _leg(images: Sequence[pycolmap.Image], seen: _Seen, part: int) -> Leg:
    rows = np.array([image.image_id - 1 for image in images], dtype=np.int64)
    centres = np.array([image.projection_center() for image in images])
    rotations = np.array([image.cam_from_world().rotation.matrix() for image in images])
    sizes = [image.num_points2D() for image in images]
    if len(rows) < MIN_PHOTOS:
        nothing = tuple(np.full(size, -1, dtype=np.int64) for size in sizes)
        return Leg(
            rows=rows, rotations=rotations, centres=0.0 * centres, points=np.zeros((0, 3)), point_of=nothing, part=part
        )
    kept = seen.common(rows)
    number = np.full(len(seen.xyz), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    point_of = []
    for row, size in zip(rows.tolist(), sizes, strict=True):
        of_photo = np.full(size, -1, dtype=np.int64)
        mine = seen.row == row
        of_photo[seen.keypoint[mine]] = number[seen.point[mine]]
        point_of.append(of_photo)
    middle, step = centres.mean(axis=0), np.median(np.linalg.norm(np.diff(centres, axis=0), axis=1))
    step = max(float(step), LEAST_STEP * float(np.median(np.linalg.norm(seen.xyz[kept] - middle, axis=1))))
    return Leg(
        rows=rows,
        rotations=rotations,
        centres=(centres - middle) / step,
        points=(seen.xyz[kept] - middle) / step,
        point_of=tuple(point_of),
        part=part,
    )
