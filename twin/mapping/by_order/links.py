"""Where legs of a walk may show the same place, and whether they do: matches must be as many as one place would give.

Of two storeys alike, or two bays, a tenth to a sixth of the points is found again from the same side and distance; of
one place a quarter and more. So a link counts by what should have been found, too. From another side little can be
expected, and what is found there says much: look-alikes hardly agree from many sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import project
from twin.mapping.by_order.layout import MAX_SCALE, Link
from twin.mapping.by_order.legs import MAX_GAP, Leg

Array = NDArray[np.float64]
Pair = tuple[int, int]

MAX_OFF = 0.2
"""Steps by which points of two legs may differ."""
MIN_POINTS, MIN_PAIRS, MIN_PAIR_POINTS = 12, 3, 3
MIN_PLACING = 15
"""Points of a leg that place a single photo."""
MIN_SHARE, MIN_SHARE_OF_PHOTO = 0.25, 0.4
"""Of what one place would show that must be found, by many pairs of photos, or by those of a single one."""
MIN_SAME_VIEW = 100
"""Matches of two photos alone from which on they were taken at one place."""
ROTATION_SIGMA, PHOTO_SIGMA = np.radians(1.0), np.radians(3.0)
POINT_SIGMA, CENTRE_SIGMA, NEAR_SIGMA = 0.1, 0.2, 1.0
"""Steps: of a point, of a photo's place in another leg, and of two photos of one place."""
ALIKE_ANGLE, ALIKE_SCALE = np.radians(25.0), 1.6
"""Points are found again from so nearly the same side and distance."""
RANSAC_TRIALS = (2000, 20_000)
MAX_ERROR_PX = 4.0
MAX_STEP = 1.5
"""Steps from a photo to the next."""
TRIES = 2
"""Places of a leg that may look like places of another in several ways."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photos:
    """Cameras (N) and keypoints (K, 2) px of the photos of a walk."""

    cameras: Sequence[pycolmap.Camera]
    keypoints: Sequence[Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Common:
    """Matches (M,) between two legs: photo of each, by its number in the leg, and keypoint of each."""

    photo_a: NDArray[np.int64]
    photo_b: NDArray[np.int64]
    keypoint_a: NDArray[np.int64]
    keypoint_b: NDArray[np.int64]

    def take(self, rows: NDArray) -> "_Common":
        """Return some of them."""
        return _Common(
            photo_a=self.photo_a[rows],
            photo_b=self.photo_b[rows],
            keypoint_a=self.keypoint_a[rows],
            keypoint_b=self.keypoint_b[rows],
        )

    def swapped(self) -> "_Common":
        """Return them as of leg b and leg a."""
        return _Common(
            photo_a=self.photo_b, photo_b=self.photo_a, keypoint_a=self.keypoint_b, keypoint_b=self.keypoint_a
        )


def find_links(
    legs: Sequence[Leg], photos: Photos, matches: Mapping[Pair, NDArray], moves: Mapping[Pair, pycolmap.Rigid3d]
) -> list[Link]:
    """Return the links that verified ``matches`` (M, 2) of pairs of rows support, strongest first.

    moves: second_from_first of the same pairs by their two views alone
    """
    found: list[Link] = []
    for (a, b), common in _grouped(legs, matches).items():
        leg_a, leg_b = legs[a], legs[b]
        if leg_a.has_shape and leg_b.has_shape:
            found += _shape_links(a, b, legs, photos, common)
        elif leg_a.has_shape or leg_b.has_shape:
            first, second, mine = (a, b, common) if leg_a.has_shape else (b, a, common.swapped())
            found += _photo_links(first, second, legs, photos, mine)
        else:
            pair = int(leg_a.rows[0]), int(leg_b.rows[0])
            if len(common.photo_a) >= MIN_SAME_VIEW and pair[1] - pair[0] > MAX_GAP and pair in moves:
                rotation = leg_b.rotations[0].T @ moves[pair].rotation.matrix() @ leg_a.rotations[0]
                nothing = np.zeros((1, 3))
                found.append(
                    Link(
                        a=a, b=b, rotation=rotation, rotation_sigma=PHOTO_SIGMA, in_a=nothing, in_b=nothing,
                        sigma=NEAR_SIGMA, support=len(common.photo_a) // 2,
                    )
                )  # fmt: skip
    return sorted(found, key=lambda link: -link.support)


def _grouped(legs: Sequence[Leg], matches: Mapping[Pair, NDArray]) -> dict[Pair, _Common]:
    """Return matches by pairs of legs, the earlier leg first."""
    of_row = {int(row): (number, k) for number, leg in enumerate(legs) for k, row in enumerate(leg.rows)}
    parts: dict[Pair, list[Array]] = {}
    for (i, j), indices in matches.items():
        if i not in of_row or j not in of_row:
            continue
        (a, photo_a), (b, photo_b) = of_row[i], of_row[j]
        if a != b:
            rows = np.column_stack([np.full(len(indices), photo_a), np.full(len(indices), photo_b), indices])
            parts.setdefault((min(a, b), max(a, b)), []).append(rows if a < b else rows[:, [1, 0, 3, 2]])
    return {
        pair: _Common(photo_a=rows[:, 0], photo_b=rows[:, 1], keypoint_a=rows[:, 2], keypoint_b=rows[:, 3])
        for pair, found in sorted(parts.items())
        for rows in [np.concatenate(found).astype(np.int64)]
    }


def _shape_links(a: int, b: int, legs: Sequence[Leg], photos: Photos, common: _Common) -> list[Link]:
    """Return links of legs that both have points: similarities by which points of one are points of the other."""
    leg_a, leg_b = legs[a], legs[b]
    point_a, point_b = (
        _points(leg_a, common.photo_a, common.keypoint_a),
        _points(leg_b, common.photo_b, common.keypoint_b),
    )
    both = (point_a >= 0) & (point_b >= 0)
    common, point_a, point_b = common.take(both), point_a[both], point_b[both]
    found = []
    for _ in range(TRIES):
        pairs, row = np.unique(np.column_stack([point_a, point_b]), axis=0, return_inverse=True)
        if len(pairs) < MIN_POINTS:
            break
        in_a, in_b = leg_a.points[pairs[:, 0]], leg_b.points[pairs[:, 1]]
        answer = pycolmap.estimate_sim3d_robust(in_a, in_b, _ransac(MAX_OFF))
        if answer is None:
            break
        agree = np.asarray(answer["inlier_mask"], dtype=bool)
        b_from_a = answer["tgt_from_src"]
        if agree.sum() < MIN_POINTS:
            break
        mine = common.take(agree[row.ravel()])
        is_scale = 1 / MAX_SCALE < b_from_a.scale < MAX_SCALE
        if is_scale and _is_one_place(leg_a, leg_b, photos, mine, b_from_a):
            chosen = np.flatnonzero(agree)
            found.append(
                Link(
                    a=a, b=b, rotation=b_from_a.rotation.matrix(), rotation_sigma=_rotation_sigma(in_b[chosen]),
                    in_a=in_a[chosen], in_b=in_b[chosen], sigma=POINT_SIGMA, support=len(chosen),
                )
            )  # fmt: skip
        rest = ~agree[row.ravel()]
        common, point_a, point_b = common.take(rest), point_a[rest], point_b[rest]
    return found


def _photo_links(a: int, b: int, legs: Sequence[Leg], photos: Photos, common: _Common) -> list[Link]:
    """Return the link of a leg with points and a single photo, which it places."""
    leg, photo = legs[a], legs[b]
    point = _points(leg, common.photo_a, common.keypoint_a)
    common, point = common.take(point >= 0), point[point >= 0]
    pairs, row = np.unique(np.column_stack([point, common.keypoint_b]), axis=0, return_inverse=True)
    if len(pairs) < MIN_POINTS:
        return []
    index = int(photo.rows[0])
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac = _ransac(MAX_ERROR_PX)
    answer = pycolmap.estimate_and_refine_absolute_pose(
        photos.keypoints[index][pairs[:, 1]], leg.points[pairs[:, 0]], photos.cameras[index], options
    )
    if answer is None:
        return []
    agree = np.asarray(answer["inlier_mask"], dtype=bool)
    if agree.sum() < MIN_PLACING:
        return []
    cam_from_leg = answer["cam_from_world"]
    rotation = photo.rotations[0].T @ cam_from_leg.rotation.matrix()
    centre = -cam_from_leg.rotation.matrix().T @ cam_from_leg.translation
    b_from_a = pycolmap.Sim3d(1.0, pycolmap.Rotation3d(rotation), -rotation @ centre)
    gap, end = min((abs(int(leg.rows[end]) - index), end) for end in (0, -1))
    is_next = gap <= MAX_GAP and np.linalg.norm(centre - leg.centres[end]) <= MAX_STEP * gap
    if not is_next and not _is_one_place(leg, photo, photos, common.take(agree[row.ravel()]), b_from_a, pairs=2):
        return []
    return [
        Link(
            a=a, b=b, rotation=rotation, rotation_sigma=ROTATION_SIGMA, in_a=centre[None], in_b=np.zeros((1, 3)),
            sigma=CENTRE_SIGMA, support=int(agree.sum()),
        )
    ]  # fmt: skip


def _is_one_place(
    leg_a: Leg, leg_b: Leg, photos: Photos, agreeing: _Common, b_from_a: pycolmap.Sim3d, pairs: int = MIN_PAIRS
) -> bool:
    """Tell whether matches that agree with a similarity are as many as one place would show, by pairs of photos."""
    views, count = np.unique(np.column_stack([agreeing.photo_a, agreeing.photo_b]), axis=0, return_counts=True)
    views, count = views[count >= MIN_PAIR_POINTS], count[count >= MIN_PAIR_POINTS]
    if len(views) < pairs:
        return False
    to_show = [_to_show(leg_a, leg_b, photos, views, b_from_a)]
    if leg_b.has_shape:
        to_show.append(_to_show(leg_b, leg_a, photos, views[:, ::-1], b_from_a.inverse()))
    least = MIN_SHARE if leg_b.has_shape else MIN_SHARE_OF_PHOTO
    return bool(count.sum() >= least * min(to_show))


def _to_show(a: Leg, b: Leg, photos: Photos, views: NDArray, b_from_a: pycolmap.Sim3d) -> int:
    """Return how many points of photos of leg ``a`` photos of leg ``b`` should show as they do, summed over pairs."""
    total = 0
    for first, second in views.tolist():
        seen = np.unique(a.point_of[first])
        points = _moved(b_from_a, a.points[seen[seen >= 0]])
        camera = photos.cameras[int(b.rows[second])]
        pixels, valid = project(camera, (points - b.centres[second]) @ b.rotations[second].T)
        inside = valid & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
        own, other = points - _moved(b_from_a, a.centres[first][None]), points - b.centres[second]
        far, near = np.linalg.norm(own, axis=1), np.linalg.norm(other, axis=1)
        same_side = (own * other).sum(axis=1) > np.cos(ALIKE_ANGLE) * far * near
        total += int((inside & same_side & (near < ALIKE_SCALE * far) & (far < ALIKE_SCALE * near)).sum())
    return total


def _rotation_sigma(points: Array) -> float:
    """Return how well points (M, 3) tell a rotation, radians: less about the axis along which they lie."""
    across = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)).clip(0.0)[1])
    return float(np.hypot(ROTATION_SIGMA, np.arctan2(POINT_SIGMA, across)))


def _moved(b_from_a: pycolmap.Sim3d, points: Array) -> Array:
    return np.asarray(b_from_a.scale * points @ b_from_a.rotation.matrix().T + b_from_a.translation)


def _points(leg: Leg, photo: NDArray[np.int64], keypoint: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the points (M,) of a leg that keypoints of its photos show, or -1."""
    starts = np.cumsum([0, *(len(each) for each in leg.point_of)])
    return np.concatenate(leg.point_of)[starts[photo] + keypoint]


def _ransac(max_error: float) -> pycolmap.RANSACOptions:
    options = pycolmap.RANSACOptions()
    options.max_error = max_error
    options.random_seed = 0
    options.min_num_trials, options.max_num_trials = RANSAC_TRIALS
    return options
