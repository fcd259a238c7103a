"""Landmarks: the 3D points of the map with covariances and the descriptors they were seen with.

On disk a folder of plain .npy arrays, so that a large twin is opened without reading it (memory-mapped).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from geometry import Observations, Structure, TwinDamagedError, position_of, refine_points, write_atomic
from perception import Features

Array = NDArray[np.float64]
Poses = Sequence[pycolmap.Rigid3d]
Cameras = Sequence[pycolmap.Camera]

SIGMA_BASE_PX, SIGMA_PER_SCALE = 0.05, 0.08
"""A keypoint's sigma is base + slope * scale: blobs are localized in proportion to their size."""
MIN_TRIANGULATION_ANGLE = np.radians(1.0)
MIN_VIEWS = 2
WEIGHTS_FILE = "weights.npy"


def keypoint_sigma_px(scales: NDArray[np.floating]) -> Array:
    """Return the standard deviation (N,) of keypoints, pixels a coordinate, from their scales (N,) in pixels."""
    return SIGMA_BASE_PX + SIGMA_PER_SCALE * np.asarray(scales, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Struct of arrays; observations are sorted by view.

    ids: (L,) int64, point ids of the COLMAP model; points: (L, 3) float64, site metres
    covariances: (L, 3, 3) float32, site metres squared, for keypoint_sigma_px and exact map poses
    landmark: (O,) int32, index of the landmark observed; pixels: (O, 2) float32; scales, orientations: (O,) float32
    descriptors: (O, D) int8 in units of ``descriptor_step``, or float16 in units of 1
    view_offsets: (V + 1,) int64, observations of view v are view_offsets[v]:[v + 1]
    views: V image names; kind: of the descriptors
    weights: (L,) float32, how probably each is still there; None where no update has asked yet: all are
    """

    ids: NDArray[np.int64]
    points: Array
    covariances: NDArray[np.float32]
    landmark: NDArray[np.int32]
    pixels: NDArray[np.float32]
    scales: NDArray[np.float32]
    orientations: NDArray[np.float32]
    descriptors: NDArray[np.int8] | NDArray[np.float16]
    view_offsets: NDArray[np.int64]
    views: tuple[str, ...]
    kind: str
    descriptor_step: float = 1.0
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n, o, v = len(self.ids), len(self.landmark), len(self.views)
        expected = {
            "points": (n, 3),
            "covariances": (n, 3, 3),
            "pixels": (o, 2),
            "scales": (o,),
            "orientations": (o,),
            "descriptors": (o, self.descriptors.shape[-1]),
            "view_offsets": (v + 1,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise TwinDamagedError(f"landmarks.{name}: expected {shape}, got {getattr(self, name).shape}")
        if self.weights is not None and self.weights.shape != (n,):
            raise TwinDamagedError(f"landmarks.weights: expected {(n,)}, got {self.weights.shape}")
        if o and (self.view_offsets[-1] != o or self.landmark.max() >= n):
            raise TwinDamagedError("landmarks: indices point outside the arrays")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def presence(self) -> NDArray[np.float32]:
        """How probably each landmark (L,) is still there."""
        return np.ones(len(self), np.float32) if self.weights is None else np.asarray(self.weights)

    def described(self, observations: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Return the descriptors (K, D) of some observations."""
        return np.asarray(self.descriptors[observations], dtype=np.float32) * np.float32(self.descriptor_step)

    def view_of_observation(self) -> NDArray[np.int64]:
        """Return the view (O,) of each observation."""
        return np.repeat(np.arange(len(self.views)), np.diff(self.view_offsets))

    def observations_of(self, views: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the indices of all observations of the given views."""
        starts, stops = self.view_offsets[views], self.view_offsets[np.asarray(views) + 1]
        return np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)] or [np.zeros(0, np.int64)])

    def without_view(self, view: int) -> "Landmarks":
        """Return the landmarks with a view removed that observes none of them."""
        names = [f.name for f in fields(self)]
        changed = {
            "view_offsets": np.delete(self.view_offsets, view + 1),
            "views": self.views[:view] + self.views[view + 1 :],
        }
        return Landmarks(**{name: getattr(self, name) for name in names} | changed)

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which must exist."""
        for name in _ARRAY_NAMES:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        if self.weights is not None:
            np.save(folder / WEIGHTS_FILE, self.weights, allow_pickle=False)
        index = {"views": self.views, "kind": self.kind, "descriptor_step": self.descriptor_step}
        write_atomic(folder / "index.json", json.dumps(index).encode())

    @classmethod
    def load(cls, folder: Path) -> "Landmarks":
        """Open the arrays of a folder memory-mapped. Raises ``TwinDamagedError`` for missing or wrong content."""
        try:
            index = json.loads((folder / "index.json").read_text("utf-8"))
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAY_NAMES}
            weighed = (folder / WEIGHTS_FILE).exists()
            weights = np.load(folder / WEIGHTS_FILE, mmap_mode="r", allow_pickle=False) if weighed else None
            return cls(
                **arrays,
                views=tuple(index["views"]),
                kind=index["kind"],
                descriptor_step=float(index.get("descriptor_step", 1.0)),
                weights=weights,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TwinDamagedError(f"unreadable landmarks ({error})", where=str(folder), remedy="Map again.") from error


_NOT_ARRAYS = ("views", "kind", "descriptor_step", "weights")
_ARRAY_NAMES = tuple(f.name for f in fields(Landmarks) if f.name not in _NOT_ARRAYS)


def landmarks_from(reconstruction: pycolmap.Reconstruction, features: dict[str, Features], kind: str) -> Landmarks:
    """Take the well-triangulated points of a map in site as landmarks, refined with all poses held fixed.

    ``features`` are by image name, in the order of the image's 2D points.
    """
    images = sorted((image for image in reconstruction.images.values() if image.has_pose), key=lambda i: i.name)
    point_ids, rows, counts = [], [], []
    for image in images:
        seen = [(k, p.point3D_id) for k, p in enumerate(image.points2D) if p.has_point3D()]
        rows.append(np.array([k for k, _ in seen], dtype=np.int64))
        point_ids.append(np.array([p for _, p in seen], dtype=np.int64))
        counts.append(len(seen))
    ids, landmark = np.unique(np.concatenate(point_ids), return_inverse=True)
    taken = [(features[image.name], r) for image, r in zip(images, rows, strict=True)]
    descriptors, step = quantized(np.concatenate([f.descriptors[r] for f, r in taken]))
    raw = Landmarks(
        ids=ids,
        points=np.array([reconstruction.points3D[i].xyz for i in ids]).reshape(-1, 3),
        covariances=np.zeros((len(ids), 3, 3), np.float32),
        landmark=landmark.astype(np.int32),
        pixels=np.concatenate([_pixels(i)[r] for i, r in zip(images, rows, strict=True)]).astype(np.float32),
        scales=np.concatenate([f.scales[r] for f, r in taken]),
        orientations=np.concatenate([f.orientations[r] for f, r in taken]),
        descriptors=descriptors,
        descriptor_step=step,
        view_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        views=tuple(image.name for image in images),
        kind=kind,
    )
    return refined(raw, [i.cam_from_world() for i in images], [i.camera for i in images])


def quantized(descriptors: NDArray[np.floating]) -> tuple[NDArray[np.int8], float]:
    """Return descriptors (O, D) as int8 and the step that they are in: half the bytes of float16.

    The error is some thousandth of a unit vector a dimension, far below what two photos of one thing differ by.
    """
    step = float(np.abs(descriptors).max(initial=0.0)) / 127.0 or 1.0
    return np.round(descriptors / step).astype(np.int8), step


def upright_orientations(landmarks: Landmarks, cams_from_site: Poses, down: ArrayLike | None) -> Array:
    """Return the orientation (O,) of every observation against the image of ``down`` (3,) where it is, radians.

    Lenses' distortion is left out, which turns it by less than a degree or two. With None the image's own y axis counts
    as down.
    """
    orientations = np.asarray(landmarks.orientations, dtype=np.float64)
    if down is None:
        return orientations - np.pi / 2
    view = landmarks.view_of_observation()
    rotations = np.array([pose.rotation.matrix() for pose in cams_from_site])[view]
    points = np.einsum("oij,oj->oi", rotations, landmarks.points[landmarks.landmark])
    points += np.array([pose.translation for pose in cams_from_site])[view]
    along = rotations @ np.asarray(down, dtype=np.float64)
    u, v = (along[:, k] * points[:, 2] - points[:, k] * along[:, 2] for k in (0, 1))
    return orientations - np.arctan2(v, u)


def described(landmarks: Landmarks, orientations: Array) -> tuple[NDArray[np.float32], Array]:
    """Return one descriptor (L, D) and one orientation (L,) for each landmark: means over what (O,) views saw."""
    count, observations = len(landmarks), len(landmarks.landmark)
    belongs = csr_array(
        (np.ones(observations, np.float32), (np.asarray(landmarks.landmark), np.arange(observations))),
        shape=(count, observations),
    )
    mean = belongs @ landmarks.described(slice(None))
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    return mean, np.angle(belongs @ np.exp(1j * orientations))


def refined(landmarks: Landmarks, cams_from_site: Poses, cameras: Cameras) -> Landmarks:
    """Triangulate all landmarks anew from their observations; weak ones are dropped.

    ``cams_from_site`` and ``cameras`` follow ``landmarks.views``. Weak is a landmark with fewer than two views or rays
    that meet at less than ``MIN_TRIANGULATION_ANGLE``.
    """
    everything = np.ones(len(landmarks.landmark), dtype=bool)
    structure, strong = _triangulated(landmarks, everything, cams_from_site, cameras)
    return _subset(landmarks, structure.points, structure.covariances, strong, strong[landmarks.landmark])


def left_out(landmarks: Landmarks, view: int, cams_from_site: Poses, cameras: Cameras) -> Landmarks:
    """Return the landmarks as they would be without a view: those it saw are triangulated anew from the others."""
    views = landmarks.view_of_observation()
    seen = np.zeros(len(landmarks), dtype=bool)
    seen[landmarks.landmark[views == view]] = True
    rows = seen[landmarks.landmark] & (views != view)
    structure, strong = _triangulated(landmarks, rows, cams_from_site, cameras)
    points = np.where(seen[:, None], structure.points, landmarks.points)
    covariances = np.where(seen[:, None, None], structure.covariances, landmarks.covariances)
    kept = ~seen | strong
    return _subset(landmarks, points, covariances, kept, kept[landmarks.landmark] & (views != view)).without_view(view)


def only(landmarks: Landmarks, chosen: NDArray[np.bool_]) -> Landmarks:
    """Return the chosen landmarks (L,) with their observations; views stay, also those that see none of them."""
    keep = chosen[landmarks.landmark]
    return _subset(landmarks, np.asarray(landmarks.points), np.asarray(landmarks.covariances), chosen, keep)


def of_views(landmarks: Landmarks, chosen: NDArray[np.bool_]) -> Landmarks:
    """Return all landmarks, seen by the chosen views (V,) alone; some may be seen by one of these or none."""
    keep = chosen[landmarks.view_of_observation()]
    everything = np.ones(len(landmarks), dtype=bool)
    rest = _subset(landmarks, np.asarray(landmarks.points), np.asarray(landmarks.covariances), everything, keep)
    views = tuple(name for name, stays in zip(landmarks.views, chosen, strict=True) if stays)
    return replace(rest, views=views, view_offsets=rest.view_offsets[np.concatenate([[True], chosen])])


def with_weights_of(landmarks: Landmarks, other: Landmarks) -> Landmarks:
    """Return the landmarks with the weights that ``other``, whose ids ascend, has for those of the same id, else 1."""
    weights = np.ones(len(landmarks), np.float32)
    at = np.minimum(np.searchsorted(other.ids, landmarks.ids), max(len(other) - 1, 0))
    if len(other):
        weights = np.where(other.ids[at] == landmarks.ids, other.presence[at], weights)
    return replace(landmarks, weights=weights.astype(np.float32))


def _triangulated(
    landmarks: Landmarks, rows: NDArray[np.bool_], cams_from_site: Poses, cameras: Cameras
) -> tuple[Structure, NDArray[np.bool_]]:
    """Refine the landmarks that the chosen observations see, and tell which landmarks (L,) these determine well.

    The structure has all L landmarks; those without a chosen observation are as they were, and not strong.
    """
    view, landmark = landmarks.view_of_observation()[rows], landmarks.landmark[rows].astype(np.int64)
    involved, index = np.unique(landmark, return_inverse=True)
    refined_ones = refine_points(
        np.array(landmarks.points[involved]),
        Observations(
            point=index,
            view=view,
            pixels=landmarks.pixels[rows].astype(np.float64),
            sigma_px=keypoint_sigma_px(landmarks.scales[rows]),
        ),
        cams_from_site,
        cameras,
    )
    points, covariances = np.array(landmarks.points), np.array(landmarks.covariances, dtype=np.float64)
    points[involved], covariances[involved] = refined_ones.points, refined_ones.covariances
    centres = np.array([position_of(pose) for pose in cams_from_site])
    angle = _ray_spread(points[landmark] - centres[view], landmark, len(landmarks))
    views = np.bincount(landmark, minlength=len(landmarks))
    strong = (views >= MIN_VIEWS) & (angle > MIN_TRIANGULATION_ANGLE) & np.isfinite(points).all(axis=1)
    return Structure(points=points, covariances=covariances, residuals=refined_ones.residuals), strong


def _ray_spread(rays: Array, point: NDArray[np.integer], count: int) -> Array:
    """Return (count,) twice the largest angle between a point's rays and their mean: about the triangulation angle."""
    directions = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    mean = np.stack([np.bincount(point, directions[:, k], minlength=count) for k in range(3)], axis=1)
    mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    angles = np.arccos(np.clip(np.einsum("ij,ij->i", directions, mean[point]), -1.0, 1.0))
    largest = np.zeros(count)
    np.maximum.at(largest, point, angles)
    return 2.0 * largest


def _subset(
    landmarks: Landmarks, points: Array, covariances: Array, strong: NDArray[np.bool_], keep: NDArray[np.bool_]
) -> Landmarks:
    new_index = np.cumsum(strong) - 1
    per_view = np.bincount(landmarks.view_of_observation()[keep], minlength=len(landmarks.views))
    return Landmarks(
        ids=landmarks.ids[strong],
        points=points[strong],
        covariances=covariances[strong].astype(np.float32),
        landmark=new_index[landmarks.landmark[keep]].astype(np.int32),
        pixels=landmarks.pixels[keep],
        scales=landmarks.scales[keep],
        orientations=landmarks.orientations[keep],
        descriptors=landmarks.descriptors[keep],
        view_offsets=np.concatenate([[0], np.cumsum(per_view)]).astype(np.int64),
        views=landmarks.views,
        kind=landmarks.kind,
        descriptor_step=landmarks.descriptor_step,
        weights=None if landmarks.weights is None else landmarks.weights[strong],
    )


def _pixels(image: pycolmap.Image) -> Array:
    return np.array([p.xy for p in image.points2D], dtype=np.float64).reshape(-1, 2)
