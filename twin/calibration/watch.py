"""Whether a camera still hangs where it was calibrated: patches of its own background, found again in a frame.

What is learned: which patches are found again in other frames, as parked cars and shadows are not, and how far they
seem to shift then. The shifts of a frame are turned into a motion of the camera by their places in the site.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, InputError, pose_difference, transform_points, unproject
from geometry.camera_fit import CameraFit, Seen, fit_camera
from perception.background import background
from perception.camera_condition import Detail, detail
from perception.images import Pixels
from perception.patch_shifts import patch_shifts, smoothed, spread_patches, structure
from twin.calibration.evidence import cells_of

Array = NDArray[np.float64]

HALF = 7
CELL_PX = 20
MAX_PATCHES = 260
MIN_SCORE = 0.7
SEARCH_PX = 32
MIN_FOUND = 12
"""Fewer patches found again tell nothing."""
STABLE_SHARE = 0.4
"""Of the reference frames in which a patch has to be found again."""
BASE_SIGMA_PX = 0.1
FAR_M = 12.0
"""Depth of what the twin knows no surface for; only shifts of the camera feel it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Watch:
    """What a calibrated camera is compared with.

    picture: (H, W) float32, its smoothed background; patches: (N, 2) px; points: (N, 3) in site metres
    spread_px: (N,) how far each seemed to shift in reference frames; detail: how sharp it was
    usual_px: largest motion, in pixels, that a reference frame seemed to show
    """

    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d
    picture: NDArray[np.float32]
    patches: Array
    points: Array
    spread_px: Array
    detail: Detail
    usual_px: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """How a camera seems to have moved since it was calibrated.

    xi: (6,), current pose = Exp(xi) * calibrated; covariance: (6, 6)
    turned_deg, shifted_m: sizes; moved_px: root mean square by which it moves the patches in the picture
    found, tried: patches; agree: share of the found ones that agree with the motion; chi2: of no motion
    """

    xi: Array
    covariance: Array
    cam_from_site: pycolmap.Rigid3d
    turned_deg: float
    shifted_m: float
    moved_px: float
    found: int
    tried: int
    agree: float
    chi2: float


def watch(
    camera: pycolmap.Camera,
    cam_from_site: pycolmap.Rigid3d,
    frames: Sequence[Pixels],
    depth: NDArray[np.floating] | None = None,
) -> Watch:
    """Learn what a camera sees from RGB frames (H, W, 3) taken while its calibration held.

    depth: (H, W) metres along z of what is static, where known; inf or NaN elsewhere
    Raises ``InputError`` for frames of another size, ``DegenerateError`` where the picture has nothing to hold on to.
    """
    if not frames or frames[0].shape[:2] != (camera.height, camera.width):
        raise InputError("the frames to watch from must be of the camera's size, and there must be some")
    gray = np.asarray(cv2.cvtColor(background(frames), cv2.COLOR_RGB2GRAY), np.uint8)
    picture = smoothed(gray)
    strong, weak = structure(picture, HALF)
    margin = np.zeros(picture.shape, bool)
    margin[2 * HALF : -2 * HALF, 2 * HALF : -2 * HALF] = True
    patches = spread_patches(strong, margin & (strong > 4.0), CELL_PX)
    rows = np.floor(patches).astype(int)
    order = np.argsort(-weak[rows[:, 1], rows[:, 0]], kind="stable")[:MAX_PATCHES]
    patches = patches[order]
    if len(patches) < MIN_FOUND:
        raise DegenerateError(f"the picture has {len(patches)} places to hold on to", remedy="It may be dark or plain.")
    state = Watch(
        camera=camera,
        cam_from_site=cam_from_site,
        picture=picture,
        patches=patches,
        points=_points(camera, cam_from_site, patches, depth),
        spread_px=np.full(len(patches), BASE_SIGMA_PX),
        detail=detail(gray),
        usual_px=0.0,
    )
    return _learned(state, frames)


def _points(
    camera: pycolmap.Camera, pose: pycolmap.Rigid3d, patches: Array, depth: NDArray[np.floating] | None
) -> Array:
    rays = unproject(camera, patches)
    rows = np.floor(patches).astype(int)
    z = np.full(len(patches), FAR_M)
    if depth is not None:
        known = depth[rows[:, 1], rows[:, 0]].astype(np.float64)
        z = np.where(np.isfinite(known) & (known > 0.1), known, FAR_M)
    forward = np.maximum(rays[:, 2], 0.05)
    return transform_points(pose.inverse(), rays * (z / forward)[:, None])


def _learned(state: Watch, frames: Sequence[Pixels]) -> Watch:
    """Keep patches that other frames show too, and learn how much they seem to shift there."""
    if len(frames) < 3:
        return state
    shifts, good = [], []
    for frame in frames:
        gray = smoothed(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
        found = patch_shifts(state.picture, gray, state.patches, half=HALF)
        shifts.append(np.linalg.norm(found.shifts, axis=1))
        good.append(found.scores > MIN_SCORE)
    seen, size = np.array(good), np.array(shifts)
    stable = seen.mean(axis=0) >= STABLE_SHARE
    if stable.sum() < MIN_FOUND:
        stable = np.argsort(np.argsort(-seen.mean(axis=0), kind="stable")) < MIN_FOUND
    squares = np.where(seen, np.minimum(size, 3.0) ** 2, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    spread = np.sqrt(squares / 2 + BASE_SIGMA_PX**2)
    state = replace(state, patches=state.patches[stable], points=state.points[stable], spread_px=spread[stable])
    usual = []
    for frame in frames:
        try:
            usual.append(motion(state, frame).moved_px)
        except DegenerateError:
            continue
    return replace(state, usual_px=max(usual, default=0.0))


def motion(state: Watch, frame: Pixels) -> Motion:
    """Return how a camera seems to have moved, by one RGB frame; that it has is for the one who watches to decide.

    Patches are first looked for where they were; where most are not found, they are searched around, and the motion
    that more of them agree with is taken. Raises ``DegenerateError`` where too few are found.
    """
    gray = smoothed(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    near = _moved(state, gray, 0)
    if near is not None and near.agree * near.found > 0.5 * near.tried:
        return near
    far = _moved(state, gray, SEARCH_PX)
    both = [each for each in (near, far) if each is not None]
    if not both:
        raise DegenerateError("too little of what the camera showed is found again")
    return max(both, key=lambda each: each.agree * each.found)


def _moved(state: Watch, gray: NDArray[np.float32], search: int) -> Motion | None:
    found = patch_shifts(state.picture, gray, state.patches, half=HALF, search=search)
    good = found.scores > MIN_SCORE
    if good.sum() < MIN_FOUND:
        return None
    pixels = state.patches[good] + found.shifts[good]
    spread = state.spread_px[good] ** 2
    seen = Seen(
        pixels=pixels,
        points=state.points[good],
        pixel_covariances=found.covariances[good] + np.eye(2) * spread[:, None, None],
        point_covariances=np.zeros((len(pixels), 3, 3)),
        kind=np.zeros(len(pixels), dtype=np.int64),
        cluster=cells_of(state.patches[good], state.camera),
    )
    prior = (state.cam_from_site, np.diag(np.repeat([np.radians(5.0) ** 2, 0.3**2], 3)))
    try:
        start = _turned(state, seen) if search else state.cam_from_site
        fit = fit_camera(start, state.camera, seen, prior=prior)
    except (DegenerateError, np.linalg.LinAlgError):
        return None
    return _motion(state, fit, seen, len(state.patches))


def _turned(state: Watch, seen: Seen) -> pycolmap.Rigid3d:
    """Return the pose turned by what most patches say together: a start that no wrong shifts bend."""
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = 3.0
    options.ransac.random_seed = 0
    options.ransac.max_num_trials = 500
    found = pycolmap.estimate_absolute_pose(seen.pixels, seen.points, state.camera, options)
    return state.cam_from_site if found is None else found["cam_from_world"]


def _motion(state: Watch, fit: CameraFit, seen: Seen, tried: int) -> Motion:
    xi = pose_difference(fit.cam_from_site, state.cam_from_site)
    centre = fit.cam_from_site.tgt_origin_in_src() - state.cam_from_site.tgt_origin_in_src()
    before = np.asarray(state.camera.img_from_cam(transform_points(state.cam_from_site, state.points)))
    after = np.asarray(state.camera.img_from_cam(transform_points(fit.cam_from_site, state.points)))
    step = np.linalg.norm(after - before, axis=1)
    step = step[np.isfinite(step)]
    return Motion(
        xi=xi,
        covariance=fit.covariance,
        cam_from_site=fit.cam_from_site,
        turned_deg=float(np.degrees(np.linalg.norm(xi[:3]))),
        shifted_m=float(np.linalg.norm(centre)),
        moved_px=float(np.sqrt(np.median(step**2))) if len(step) else 0.0,
        found=len(seen),
        tried=tried,
        agree=float(fit.inliers.mean()),
        chi2=float(xi @ np.linalg.solve(fit.covariance, xi)),
    )
