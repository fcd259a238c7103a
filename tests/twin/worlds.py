"""A synthetic world for the localizer: landmarks on the walls of a room, with random descriptors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry import camera_from_params, project, transform_points
from perception import Features
from retrieval import train_vocabulary
from twin.landmarks import Landmarks, keypoint_sigma_px, refined
from twin.localizer import Localizer
from twin.localizer_options import LocalizerOptions
from twin.telltales import Telltale
from twin.textures import Textures

Array = NDArray[np.float64]

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
DIMENSION = 32
DOWN = (0.0, 0.0, -1.0)


@dataclass(frozen=True)
class World:
    """True points (N, 3) with descriptors (N, D), and what to add to true pixels, in sigmas of the keypoint."""

    points: Array
    descriptors: NDArray[np.float32]
    noise: float

    def see(self, pose: pycolmap.Rigid3d, rng: np.random.Generator) -> tuple[Features, NDArray[np.int64]]:
        """Return the features of a view in random order, and the true point of each."""
        pixels, valid = project(CAMERA, transform_points(pose, self.points))
        inside = valid & (pixels > 0).all(axis=1) & (pixels < (CAMERA.width, CAMERA.height)).all(axis=1)
        seen = rng.permutation(np.flatnonzero(inside))
        scales = rng.uniform(1.0, 4.0, len(seen)).astype(np.float32)
        sigma = self.noise * keypoint_sigma_px(scales)
        keypoints = pixels[seen] + sigma[:, None] * rng.standard_normal((len(seen), 2))
        described = self.descriptors[seen] + 0.02 * rng.standard_normal((len(seen), DIMENSION)).astype(np.float32)
        features = Features(
            keypoints=keypoints.astype(np.float32),
            scales=scales,
            orientations=np.zeros(len(seen), np.float32),
            scores=np.ones(len(seen), np.float32),
            descriptors=unit(described),
            image_size=(CAMERA.width, CAMERA.height),
            kind="synthetic",
        )
        return features, seen


def room(rng: np.random.Generator, *, count: int = 1500, noise: float = 1.0) -> World:
    """Return points on the four walls of a room of 10 x 8 x 3 m."""
    along, height, wall = rng.uniform(-1, 1, count), rng.uniform(0, 3, count), rng.integers(4, size=count)
    x = np.where(wall < 2, 5.0 * along, np.where(wall == 2, 5.0, -5.0))
    y = np.where(wall >= 2, 4.0 * along, np.where(wall == 0, 4.0, -4.0))
    points = np.stack([x, y, height], axis=1) + 0.2 * rng.standard_normal((count, 3))
    return World(points, unit(rng.standard_normal((count, DIMENSION))), noise)


def moved(world: World, offset: tuple[float, float, float]) -> World:
    """Return an identical copy of a world elsewhere, as another level of a garage is."""
    return World(world.points + np.array(offset), world.descriptors, world.noise)


def looking(position: tuple[float, float, float], yaw: float) -> pycolmap.Rigid3d:
    """Return cam_from_site of an upright camera that looks along ``yaw`` (radians from +x)."""
    site_from_cam = np.array(
        [[np.sin(yaw), 0.0, np.cos(yaw)], [-np.cos(yaw), 0.0, np.sin(yaw)], [0.0, -1.0, 0.0]], dtype=np.float64
    )
    cam_from_site = Rotation.from_matrix(site_from_cam.T)
    quat = pycolmap.Rotation3d(cam_from_site.as_quat())
    return pycolmap.Rigid3d(quat, -cam_from_site.apply(np.array(position)))


def walk(count: int = 16, centre: tuple[float, float, float] = (0.0, 0.0, 1.6)) -> list[pycolmap.Rigid3d]:
    """Return poses on a circle of 1.5 m that look outwards and sideways."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y, z = centre
    return [looking((x + 1.5 * np.cos(a), y + 1.5 * np.sin(a), z), a + 0.8 * (-1) ** i) for i, a in enumerate(angles)]


@dataclass(frozen=True)
class Mapped:
    """A map of a world: its landmarks, the poses of its views and the features they saw."""

    landmarks: Landmarks
    poses: list[pycolmap.Rigid3d]
    features: list[Features]

    def localizer(
        self,
        options: LocalizerOptions | None = None,
        storeys: tuple[float, ...] = (),
        telltales: Sequence[Telltale] = (),
        textures: Textures | None = None,
    ) -> Localizer:
        """Return a localizer in this map, whose floors are at ``storeys``."""
        rng = np.random.default_rng(0)
        vocabulary = train_vocabulary(np.concatenate([f.descriptors for f in self.features]), 16, rng)
        return Localizer(
            self.landmarks,
            vocabulary,
            self.poses,
            down=DOWN,
            storeys=storeys,
            telltales=telltales,
            textures=textures,
            options=options,
        )


def mapped(world: World, poses: list[pycolmap.Rigid3d], rng: np.random.Generator) -> Mapped:
    """Map a world from views of known pose, triangulating every point that two of them see."""
    seen = [world.see(pose, rng) for pose in poses]
    counts = np.bincount(np.concatenate([points for _, points in seen]), minlength=len(world.points))
    index = np.cumsum(counts >= 2) - 1
    rows = [np.flatnonzero(counts[points] >= 2) for _, points in seen]
    features = [f for f, _ in seen]
    count = int((counts >= 2).sum())
    raw = Landmarks(
        ids=np.arange(count),
        points=world.points[counts >= 2],
        covariances=np.zeros((count, 3, 3), np.float32),
        landmark=np.concatenate([index[p[r]] for (_, p), r in zip(seen, rows, strict=True)]).astype(np.int32),
        pixels=np.concatenate([f.keypoints[r] for f, r in zip(features, rows, strict=True)]),
        scales=np.concatenate([f.scales[r] for f, r in zip(features, rows, strict=True)]),
        orientations=np.concatenate([f.orientations[r] for f, r in zip(features, rows, strict=True)]),
        descriptors=np.concatenate([f.descriptors[r] for f, r in zip(features, rows, strict=True)]).astype(np.float16),
        view_offsets=np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        views=tuple(f"{i:03}.jpg" for i in range(len(poses))),
        kind="synthetic",
    )
    return Mapped(refined(raw, poses, [CAMERA] * len(poses)), poses, features)


def joined(maps: list[Mapped]) -> Mapped:
    """Return one map of several that share no landmark."""
    parts = [m.landmarks for m in maps]
    shift = np.cumsum([0] + [len(p) for p in parts[:-1]])
    observations = np.cumsum([0] + [len(p.landmark) for p in parts[:-1]])
    landmarks = Landmarks(
        ids=np.arange(sum(len(p) for p in parts)),
        points=np.concatenate([p.points for p in parts]),
        covariances=np.concatenate([p.covariances for p in parts]),
        landmark=np.concatenate([p.landmark + s for p, s in zip(parts, shift, strict=True)]).astype(np.int32),
        pixels=np.concatenate([p.pixels for p in parts]),
        scales=np.concatenate([p.scales for p in parts]),
        orientations=np.concatenate([p.orientations for p in parts]),
        descriptors=np.concatenate([p.descriptors for p in parts]),
        view_offsets=np.concatenate(
            [[0], *[p.view_offsets[1:] + o for p, o in zip(parts, observations, strict=True)]]
        ).astype(np.int64),
        views=tuple(f"{i:03}.jpg" for i in range(sum(len(p.views) for p in parts))),
        kind="synthetic",
    )
    return Mapped(landmarks, [x for m in maps for x in m.poses], [x for m in maps for x in m.features])


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return rows scaled to unit length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
