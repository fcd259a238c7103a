"""A walk through two storeys that look alike: drawn points, what each photo sees of them, and a matcher by looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import camera_from_params, position_of, project, transform_points
from perception import Features, Matches
from scenes import look
from twin.mapping.capture import Capture
from twin.mapping.correspondence import MIN_PAIR_MATCHES, PairMatches

Array = NDArray[np.float64]

CAMERA = camera_from_params("PINHOLE", 640, 480, [400.0, 400.0, 320.0, 240.0])
CAMERA.camera_id = 1
STEP_M, TURN_DEG, EYE_M, STOREY_M = 1.5, 30.0, 1.6, 4.0
SIGHT_M, MOST = 11.0, 260
POINTS = 9000
SIDE = np.cos(np.radians(60.0))
"""A point looks the same from within so much of its own side alone."""
RING = [(0.0, 0.0), (21.0, 0.0), (21.0, 13.5), (0.0, 13.5), (0.0, 0.0), (21.0, 0.0)]


@dataclass(frozen=True)
class Walk:
    """Poses of the photos, and their features, whose only descriptor is the look of a point.

    places: where each look is, on the first storey if on both
    """

    poses: list[pycolmap.Rigid3d]
    features: list[Features]
    places: Array

    @property
    def centres(self) -> Array:
        return np.array([position_of(pose) for pose in self.poses])

    def capture(self, folder: Path) -> Capture:
        names = tuple(f"{row:04d}.jpg" for row in range(len(self.poses)))
        return Capture(
            folder=folder,
            names=names,
            digests=names,
            camera_of=(1,) * len(names),
            cameras={1: CAMERA},
            given_cameras=frozenset({1}),
            lenses={1: ""},
        )

    def matches(self, pairs: list[tuple[int, int]]) -> PairMatches:
        found = {(a, b): ByLooks().match(self.features[a], self.features[b]).indices for a, b in pairs}
        return {pair: each.astype(np.uint32) for pair, each in found.items() if len(each) >= MIN_PAIR_MATCHES}


class ByLooks:
    """Matches what looks the same: all that is right, and look-alikes."""

    def match(self, a: Features, b: Features) -> Matches:
        _, first, second = np.intersect1d(a.descriptors[:, 0], b.descriptors[:, 0], return_indices=True)
        return Matches(
            indices=np.column_stack([first, second]).astype(np.int32), scores=np.ones(len(first), np.float32)
        )


def two_storeys(
    alike: float, noise_px: float = 0.3, seed: int = 0, corners: Sequence[tuple[float, float]] = RING
) -> Walk:
    """Return a walk around a storey, up a ramp and around the one above, of whose points a share looks the same."""
    rng = np.random.default_rng(seed)
    first = rng.uniform((-6, -6, 0), (27, 20, 3), (POINTS, 3))
    above = np.where(rng.random((POINTS, 1)) < alike, first, rng.uniform((-6, -6, 0), (27, 20, 3), (POINTS, 3)))
    faces = rng.uniform(0, 2 * np.pi, 2 * POINTS)
    faces[POINTS:] = np.where((above == first).all(axis=1), faces[:POINTS], faces[POINTS:])
    looks = np.arange(2 * POINTS)
    looks[POINTS:] = np.where((above == first).all(axis=1), looks[:POINTS], looks[POINTS:])
    points = np.concatenate([first, above + np.array([0, 0, STOREY_M])])
    storey = np.repeat([0, 1], POINTS)
    ring = around(corners, 0.0)
    ramp = [((21.0, y, EYE_M + STOREY_M * y / 13.5), 90.0) for y in np.arange(STEP_M, 13.5, STEP_M)]
    upstairs = around(corners, STOREY_M)
    poses = [look(at, np.radians(heading), -0.05, 0.0) for at, heading in [*ring, *ramp, *upstairs]]
    features = [_seen(pose, points, faces, storey, looks, noise_px, rng) for pose in poses]
    return Walk(poses, features, points)


def around(corners: Sequence[tuple[float, float]], height: float) -> list[tuple[tuple[float, float, float], float]]:
    """Return places and headings, degrees, along corners, turning on the spot at each."""
    found: list[tuple[tuple[float, float, float], float]] = []
    for a, b in zip(np.array(corners[:-1]), np.array(corners[1:]), strict=True):
        length, heading = float(np.linalg.norm(b - a)), float(np.degrees(np.arctan2(*(b - a)[::-1])))
        if found:
            last, turn = found[-1][1], (heading - found[-1][1] + 180.0) % 360.0 - 180.0
            corner = (float(a[0]), float(a[1]), EYE_M + height)
            found += [(corner, last + step) for step in np.sign(turn) * np.arange(TURN_DEG, abs(turn), TURN_DEG)]
        found += [
            ((*(a + (b - a) * way / length), EYE_M + height), heading) for way in np.arange(0.0, length - 0.5, STEP_M)
        ]
    return found


def _seen(
    pose: pycolmap.Rigid3d,
    points: Array,
    faces: Array,
    storey: NDArray,
    looks: NDArray,
    noise_px: float,
    rng: np.random.Generator,
) -> Features:
    eye = position_of(pose)
    mine = (eye[2] > STOREY_M) == (storey == 1)
    # On a ramp both storeys are seen.
    mine |= (eye[2] > EYE_M + 0.1) & (eye[2] < EYE_M + STOREY_M - 0.1)
    pixels, valid = project(CAMERA, transform_points(pose, points))
    inside = valid & (pixels > 0).all(axis=1) & (pixels < (CAMERA.width, CAMERA.height)).all(axis=1)
    away = eye[:2] - points[:, :2]
    far = np.linalg.norm(away, axis=1)
    fronts = (away * np.column_stack([np.cos(faces), np.sin(faces)])).sum(axis=1) > SIDE * far
    seen = np.flatnonzero(inside & (far < SIGHT_M) & fronts & mine)
    _, once = np.unique(looks[seen], return_index=True)
    seen = rng.permutation(seen[once])[:MOST]
    return Features(
        keypoints=(pixels[seen] + noise_px * rng.standard_normal((len(seen), 2))).astype(np.float32),
        scales=np.ones(len(seen), np.float32),
        orientations=np.zeros(len(seen), np.float32),
        scores=np.ones(len(seen), np.float32),
        descriptors=looks[seen, None].astype(np.float32),
        image_size=(CAMERA.width, CAMERA.height),
        kind="synthetic",
    )
