"""Pose and lens of one camera from points of the site it shows: robust, and with a covariance that holds.

Points may be seen well in one direction only, as anything on a line is, and several may share one error, as all that
lies on one board does. So residuals are split along the axes of their own covariance, every kind of evidence gets the
scale that its residuals ask for, and the covariance grows where residuals of one cluster go together.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.cameras import project, projection_jacobian
from geometry.errors import DegenerateError, InputError
from geometry.frames import perturb, pose_difference, skew, transform_points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Groups = tuple[tuple[int, ...], ...]

CAUCHY_WIDTH_1D = 2.385
"""In sigmas: 95 % efficient for Gaussian noise (Holland and Welsch 1977)."""
GATE = 4.0
"""Residuals beyond so many scaled sigmas are no inliers."""
MAX_SIGMA_PX = 12.0
"""Along a direction less certain than this an observation says nothing."""
SCALE_PRIOR_DOF = 8.0
"""How much the belief 'the claimed sigmas are right' counts, in residuals."""
ITERATIONS, SCALE_ITERATIONS, STEP_TOLERANCE = 40, 15, 1e-7
MAX_CONDITION = 1e14


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Points of the site and where a camera saw them.

    pixels: (N, 2); points: (N, 3) in site metres; pixel_covariances: (N, 2, 2); point_covariances: (N, 3, 3)
    kind: (N,) index of the kind of evidence; cluster: (N,) what may share an error has one number
    """

    pixels: Array
    points: Array
    pixel_covariances: Array
    point_covariances: Array
    kind: Indices
    cluster: Indices

    def __post_init__(self) -> None:
        n = len(self.pixels)
        shapes = {
            "pixels": (n, 2),
            "points": (n, 3),
            "pixel_covariances": (n, 2, 2),
            "point_covariances": (n, 3, 3),
            "kind": (n,),
            "cluster": (n,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"{name}: expected {shape}, got {getattr(self, name).shape}")

    def __len__(self) -> int:
        return len(self.pixels)

    def subset(self, rows: NDArray) -> "Seen":
        """Return some of the points."""
        return Seen(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def seen_points(
    pixels: Array, points: Array, *, sigma_px: float | Array, sigma_m: float | Array, kind: int = 0
) -> Seen:
    """Return points whose errors are alike in all directions and go their own ways."""
    n = len(pixels)
    px, m = np.broadcast_to(sigma_px, n), np.broadcast_to(sigma_m, n)
    return Seen(
        pixels=np.asarray(pixels, dtype=np.float64).reshape(-1, 2),
        points=np.asarray(points, dtype=np.float64).reshape(-1, 3),
        pixel_covariances=np.eye(2) * (px**2)[:, None, None],
        point_covariances=np.eye(3) * (m**2)[:, None, None],
        kind=np.full(n, kind, dtype=np.int64),
        cluster=np.arange(n, dtype=np.int64),
    )


def joined(parts: Sequence[Seen]) -> Seen:
    """Return all points of several sets; clusters of different sets stay apart."""
    if not parts:
        return seen_points(np.empty((0, 2)), np.empty((0, 3)), sigma_px=1.0, sigma_m=0.0)
    offset, clusters = 0, []
    for part in parts:
        clusters.append(part.cluster + offset)
        offset += int(part.cluster.max(initial=-1)) + 1
    whole = {n: np.concatenate([getattr(p, n) for p in parts]) for n in parts[0].__dataclass_fields__}
    return Seen(**(whole | {"cluster": np.concatenate(clusters)}))


@dataclass(frozen=True, kw_only=True, eq=False)
class LensFreedom:
    """Which parameters of a lens are adjusted.

    groups: indices of parameters that change by the same amount, as fx and fy of square pixels do
    sigmas: (K,) how far each group may be from its start before it needs evidence
    """

    groups: Groups = ()
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraFit:
    """A camera that was adjusted.

    covariance: (6 + K, 6 + K): the pose in the tangent of geometry.frames, then the free groups of the lens
    inliers: (N,); residuals_px: (N, 2), NaN where a point does not project
    scales: by kind, how many times larger residuals are than claimed; inflation: of the variances, by clusters
    information: (kinds, 6 + K, 6 + K), what each kind of evidence contributes to the inverse of the covariance
    """

    cam_from_site: pycolmap.Rigid3d
    camera: pycolmap.Camera
    covariance: Array
    inliers: NDArray[np.bool_]
    residuals_px: Array
    scales: Array
    inflation: float
    information: Array


def fit_camera(
    cam_from_site: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    seen: Seen,
    *,
    lens: LensFreedom | None = None,
    prior: tuple[pycolmap.Rigid3d, Array] | None = None,
) -> CameraFit:
    """Adjust a camera that is right to some pixels by iteratively reweighted least squares with a Cauchy loss.

    prior: a pose and its covariance (6, 6), which counts as evidence
    Raises ``DegenerateError`` where the points do not determine what is free.
    """
    lens = lens or LensFreedom()
    pose, current = cam_from_site, camera
    kinds = int(seen.kind.max(initial=0)) + 1
    scales = np.ones(kinds)
    start = np.array([camera.params[group[0]] for group in lens.groups])
    damping = 1e-6
    for iteration in range(ITERATIONS):
        parts = _components(pose, current, seen, lens)
        if iteration < SCALE_ITERATIONS:
            scales = _scales(parts, seen.kind, kinds, 6 + len(lens.groups))
        normal, gradient, _ = _normal(parts, seen.kind, scales, kinds)
        normal, gradient = _with_priors(normal.sum(axis=0), gradient, pose, current, lens, start, prior)
        step = _solved(normal + damping * np.diag(np.diag(normal)), gradient)
        pose, current = perturb(pose, step[:6]), _moved(current, lens, step[6:])
        if np.abs(step).max() < STEP_TOLERANCE and iteration >= SCALE_ITERATIONS:
            break
    return _summary(pose, current, seen, lens, scales, kinds, start, prior)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Components:
    """Whitened residuals along one axis each.

    residual: (M,); jacobian: (M, P); owner: (M,) row of the observation; valid: (N,)
    """

    residual: Array
    jacobian: Array
    owner: Indices


def _components(pose: pycolmap.Rigid3d, camera: pycolmap.Camera, seen: Seen, lens: LensFreedom) -> _Components:
    in_cam = transform_points(pose, seen.points)
    predicted, by_point, valid = projection_jacobian(camera, in_cam)
    rows = np.flatnonzero(valid)
    if len(rows) < 3:
        raise DegenerateError(f"only {len(rows)} points project into the picture")
    by_site = by_point[rows] @ pose.rotation.matrix()
    noise = seen.pixel_covariances[rows] + by_site @ seen.point_covariances[rows] @ by_site.transpose(0, 2, 1)
    variance, axes = np.linalg.eigh(noise)
    jacobian = np.concatenate([-by_point[rows] @ skew(in_cam[rows]), by_point[rows]], axis=2)
    if lens.groups:
        jacobian = np.concatenate([jacobian, _by_lens(camera, in_cam[rows], lens)], axis=2)
    off = seen.pixels[rows] - predicted[rows]
    sigma = np.sqrt(np.maximum(variance, 1e-12))
    residual = np.einsum("nik,ni->nk", axes, off) / sigma
    turned = np.einsum("nik,nij->nkj", axes, jacobian) / sigma[:, :, None]
    told = (sigma < MAX_SIGMA_PX) & np.isfinite(residual) & np.isfinite(turned).all(axis=2)
    return _Components(residual=residual[told], jacobian=turned[told], owner=rows[np.nonzero(told)[0]])


def _by_lens(camera: pycolmap.Camera, in_cam: Array, lens: LensFreedom) -> Array:
    columns = []
    for group in lens.groups:
        value = float(camera.params[group[0]])
        step = 1e-4 * abs(value) if abs(value) > 10 else 1e-5
        ends = [project_raw(_shifted(camera, group, sign * step), in_cam) for sign in (1, -1)]
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, axis=2)


def project_raw(camera: pycolmap.Camera, in_cam: Array) -> Array:
    """Return pixels (N, 2) without asking whether the lens model folds there."""
    return np.asarray(camera.img_from_cam(in_cam, False))


def _shifted(camera: pycolmap.Camera, group: tuple[int, ...], by: float) -> pycolmap.Camera:
    moved = copy.deepcopy(camera)
    params = np.array(moved.params)
    params[list(group)] += by
    moved.params = params
    return moved


def _moved(camera: pycolmap.Camera, lens: LensFreedom, step: Array) -> pycolmap.Camera:
    for group, by in zip(lens.groups, step.tolist(), strict=True):
        value = float(camera.params[group[0]])
        limit = 0.2 * value if value > 10 else 0.2
        camera = _shifted(camera, group, float(np.clip(by, -abs(limit), abs(limit))))
    return camera


def _scales(parts: _Components, kind: Indices, kinds: int, free: int) -> Array:
    """Return the robust size of residuals by kind, about 1 where the claimed sigmas are right."""
    of = kind[parts.owner]
    share = max(0.1, 1.0 - free / max(len(parts.residual), 1))
    scales = np.ones(kinds)
    for k in range(kinds):
        own = np.abs(parts.residual[of == k])
        if len(own):
            squared = (np.median(own) / 0.6745) ** 2 / share
            scales[k] = np.sqrt((SCALE_PRIOR_DOF + len(own) * squared) / (SCALE_PRIOR_DOF + len(own)))
    return scales


def _weights(parts: _Components, kind: Indices, scales: Array) -> Array:
    """Return Cauchy's weights (M,); the components of one observation share that of their mean square."""
    z2 = (parts.residual / scales[kind[parts.owner]]) ** 2
    number = np.bincount(parts.owner, minlength=len(kind))
    mean = np.bincount(parts.owner, z2, minlength=len(kind)) / np.maximum(number, 1)
    return np.asarray(1.0 / (1.0 + mean[parts.owner] / CAUCHY_WIDTH_1D**2))


def _normal(parts: _Components, kind: Indices, scales: Array, kinds: int) -> tuple[Array, Array, Array]:
    of = kind[parts.owner]
    weight = _weights(parts, kind, scales) / scales[of] ** 2
    weighted = parts.jacobian * weight[:, None]
    normal = np.stack([weighted[of == k].T @ parts.jacobian[of == k] for k in range(kinds)])
    return normal, weighted.T @ parts.residual, weight


def _with_priors(
    normal: Array,
    gradient: Array,
    pose: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    lens: LensFreedom,
    start: Array,
    prior: tuple[pycolmap.Rigid3d, Array] | None,
) -> tuple[Array, Array]:
    normal, gradient = normal.copy(), gradient.copy()
    for k, (group, sigma) in enumerate(zip(lens.groups, lens.sigmas, strict=True)):
        normal[6 + k, 6 + k] += sigma**-2
        gradient[6 + k] += (start[k] - camera.params[group[0]]) / sigma**2
    if prior is not None:
        information = np.linalg.inv(prior[1])
        normal[:6, :6] += information
        gradient[:6] += information @ pose_difference(prior[0], pose)
    return normal, gradient


def _solved(normal: Array, gradient: Array) -> Array:
    diagonal = np.sqrt(np.maximum(np.diag(normal), 0.0))
    if not np.isfinite(normal).all() or not (diagonal > 0).all():
        raise DegenerateError("the points do not determine the camera")
    scaled = normal / np.outer(diagonal, diagonal)
    if np.linalg.cond(scaled) > MAX_CONDITION:
        raise DegenerateError(
            "the points do not determine the camera", remedy="They may lie on one line or in one spot of the picture."
        )
    return np.asarray(np.linalg.solve(scaled, gradient / diagonal) / diagonal)


def _summary(
    pose: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    seen: Seen,
    lens: LensFreedom,
    scales: Array,
    kinds: int,
    start: Array,
    prior: tuple[pycolmap.Rigid3d, Array] | None,
) -> CameraFit:
    """Return the fit with its covariance: psi' of Cauchy's loss in the bread, psi by clusters in the meat."""
    parts = _components(pose, camera, seen, lens)
    of = seen.kind[parts.owner]
    z = parts.residual / scales[of]
    weight = _weights(parts, seen.kind, scales)
    slope = weight**2 / scales[of] ** 2
    information = np.stack([(parts.jacobian * (slope * (of == k))[:, None]).T @ parts.jacobian for k in range(kinds)])
    total, _ = _with_priors(information.sum(axis=0), np.zeros(information.shape[1]), pose, camera, lens, start, prior)
    size = len(total)
    inverse = _solved_matrix(total)
    score = parts.jacobian * (weight * z / scales[of])[:, None]
    inflation = _inflation(score, seen.cluster[parts.owner], inverse, size)
    predicted, valid = project(camera, transform_points(pose, seen.points))
    residuals = np.where(valid[:, None], seen.pixels - predicted, np.nan)
    worst = np.zeros(len(seen))
    np.maximum.at(worst, parts.owner, np.abs(z))
    told = np.bincount(parts.owner, minlength=len(seen)) > 0
    return CameraFit(
        cam_from_site=pose,
        camera=camera,
        covariance=inverse * inflation,
        inliers=valid & told & (worst < GATE),
        residuals_px=residuals,
        scales=scales,
        inflation=inflation,
        information=information,
    )


def _solved_matrix(normal: Array) -> Array:
    return np.stack([_solved(normal, column) for column in np.eye(len(normal))], axis=1)


def _inflation(score: Array, cluster: Indices, inverse: Array, size: int) -> float:
    """Return by how much residuals that go together in clusters widen the variances, at least 1."""
    names, index = np.unique(cluster, return_inverse=True)
    count = len(names)
    if count <= size + 2:
        return 4.0 if count <= size // 2 else 2.0
    sums = np.zeros((count, size))
    np.add.at(sums, index, score)
    meat = sums.T @ sums
    return float(max(1.0, np.trace(inverse @ meat) / size / (1.0 - size / count)))
