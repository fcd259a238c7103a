"""Is the truth of renders exact? Known corners found in pictures, depth and ids against a ray cast written anew.

A corner is found where two edges meet. Along each edge near the corner, on the curve that the true camera makes of it,
the picture's step is looked for across the edge; the median of these offsets is the edge's, and two of them are
the corner's. All in linear light, since gamma makes what is bright look wider. OpenCV's ``cornerSubPix`` is given
beside it: it pulls the outer corners of a blurred area inwards.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import open3d as o3d
import pycolmap
from numpy.typing import NDArray

from benchmarks.protocol import spread
from benchmarks.scenes_site import Site
from geometry import camera_from_params, pixels_from_opencv, pixels_to_opencv, position_of, project, transform_points
from scenes.captures import look
from scenes.rendering import NO_OBJECT, cast, render

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

LENSES = {
    "PINHOLE": [430.0, 430.0, 320.0, 240.0],
    "SIMPLE_RADIAL": [360.0, 320.0, 240.0, -0.12],
    "OPENCV": [430.0, 426.0, 322.0, 238.0, -0.11, 0.02, 0.001, -0.0008],
    "OPENCV_FISHEYE": [225.0, 225.0, 320.0, 240.0, 0.02, -0.01, 0.0, 0.0],
}
SIGN_M, LINE_M, EYE_M = 3.0, 1.1, 1.6
"""How far from signs and from the ends of stall lines the camera stands at a focal length of 430 px, and its height."""
ASIDE = {"signs": np.radians(9.0), "stall lines": np.radians(25.0)}
"""How far the camera stands aside; from further aside a sign's rim would be seen beside its edge."""
WINDOW_PX, MIN_EDGE_PX, MARGIN_PX = 4, 14.0, 12.0
ALONG, ACROSS = np.linspace(0.15, 0.7, 24), np.linspace(-1.0, 1.0, 25)
"""Where an edge is looked at: shares of its way to the next corner, at most ``MAX_ALONG_PX``, and across it."""
REACH_PX = {"signs": 2.0, "stall lines": 3.5}
"""How far across: a sign's border is near its edge; paint on a floor is as blurred as the floor's texels are large."""
MAX_ALONG_PX = 50.0
MIN_CONTRAST = 0.04
"""Light, of 1 for white, between the two sides of an edge; the paint is worn off a fainter one."""
MIN_FACING = 0.4
LOST_PX = 3.0
"""A corner that is not found this near counts as lost."""


def corner_errors(site: Site, *, places: int) -> dict[str, Any]:
    """Return by lens and kind how far corners are found from where the true camera projects them, px.

    places: signs, and ends of stall lines, looked at with each lens
    """
    return {model: _of_lens(site, camera_from_params(model, 640, 480, LENSES[model]), places) for model in LENSES}


def differing_pixels(site: Site, *, cameras: int) -> dict[str, int]:
    """Return of how many pixels depth or id differ from Open3D's ray caster, asked by code of the benchmark's own."""
    mesh = site.world.mesh
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor.from_numpy(mesh.vertices), o3d.core.Tensor.from_numpy(mesh.triangles))
    counts = {"pixels": 0, "depth": 0, "ids": 0}
    for fixed in site.cameras[:cameras]:
        camera, pose = fixed.camera(), fixed.pose()
        ours = cast(site.world, camera, pose)
        pixels = np.stack(np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5), -1).reshape(-1, 2)
        rays = np.column_stack([camera.cam_from_img(pixels), np.ones(len(pixels))]).astype(np.float32)
        rays = rays @ pose.rotation.matrix().astype(np.float32)
        starts = np.broadcast_to(position_of(pose).astype(np.float32), rays.shape)
        hits = scene.cast_rays(o3d.core.Tensor.from_numpy(np.hstack([starts, rays])))
        depth, triangle = hits["t_hit"].numpy(), hits["primitive_ids"].numpy()
        hit, known = np.isfinite(depth), ~np.isnan(ours.depth.ravel())
        ids = np.where(hit, mesh.object_ids[np.where(hit, triangle, 0)], NO_OBJECT)
        counts["pixels"] += int(known.sum())
        counts["depth"] += int((known & (depth != ours.depth.ravel())).sum())
        counts["ids"] += int((known & (ids != ours.instance_id.ravel())).sum())
    return counts


def _of_lens(site: Site, camera: pycolmap.Camera, places: int) -> dict[str, Any]:
    found: dict[str, list[Array]] = {"signs": [], "stall lines": []}
    for kind, corners, pose in _looks(site, camera, places):
        found[kind].append(_errors_in(site, camera, pose, corners, REACH_PX[kind]))
    kinds = {kind: np.concatenate([np.zeros((0, 2, 2)), *parts]) for kind, parts in found.items()}
    everything = np.concatenate(list(kinds.values()))
    return {
        **_figures(everything[:, 0]),
        "kinds": {kind: _figures(errors[:, 0]) for kind, errors in kinds.items()},
        "opencv": _figures(everything[:, 1]),
    }


def _figures(errors: Array) -> dict[str, Any]:
    """Describe errors (K, 2) px; NaN is a corner whose edges are too faint."""
    length = np.linalg.norm(errors, axis=1)
    kept = length < LOST_PX
    return {
        "found": int(kept.sum()),
        "lost": int((~kept).sum()),
        "mean_px": float(length[kept].mean()),
        "px": spread(length[kept]),
        "bias_px": errors[kept].mean(axis=0).tolist(),
        "bias_sigma_px": (errors[kept].std(axis=0) / np.sqrt(max(kept.sum(), 1))).tolist(),
    }


def _looks(site: Site, camera: pycolmap.Camera, places: int) -> list[tuple[str, Array, pycolmap.Rigid3d]]:
    """Return corners (4, 3) and a pose that looks at them, of signs and of stall lines, evenly chosen."""
    nearer = camera.mean_focal_length() / 430.0
    signs = list(site.building.sign_corners.values())
    lines = [line for row in site.building.line_corners.values() for line in row]
    looks = []
    for number, corners in enumerate(_evenly(signs, places)):
        normal = np.cross(corners[3] - corners[0], corners[1] - corners[0])
        turn = np.arctan2(normal[1], normal[0]) + ASIDE["signs"] * (-1) ** number
        eye = corners.mean(axis=0) + SIGN_M * nearer * np.array([np.cos(turn), np.sin(turn), 0.0])
        looks.append(("signs", corners, _towards(eye, corners.mean(axis=0), 0.05 * (number % 3 - 1))))
    for number, corners in enumerate(_evenly(lines, places)):
        end = corners[:2].mean(axis=0)
        ahead = end - corners[2:].mean(axis=0)
        turn = np.arctan2(ahead[1], ahead[0]) + ASIDE["stall lines"] * (-1) ** number
        eye = end + nearer * np.array([LINE_M * np.cos(turn), LINE_M * np.sin(turn), EYE_M])
        looks.append(("stall lines", corners, _towards(eye, end, 0.05 * (number % 3 - 1))))
    return looks


def _evenly(things: Sequence[Array], count: int) -> list[Array]:
    return [things[i] for i in np.linspace(0, len(things) - 1, min(count, len(things))).astype(int)]


def _towards(eye: Array, target: Array, roll: float) -> pycolmap.Rigid3d:
    dx, dy, dz = target - eye
    return look(eye, float(np.arctan2(dy, dx)), float(np.arctan2(dz, np.hypot(dx, dy))), roll)


def _errors_in(site: Site, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, corners: Array, reach_px: float) -> Array:
    """Return found minus true (K, 2, 2) px, by edges and by OpenCV, of corners in plain view."""
    rendering = render(site.world, camera, pose)
    true, known = project(camera, transform_points(pose, corners))
    edges = np.linalg.norm(true - np.roll(true, 1, axis=0), axis=1)
    large = np.minimum(edges, np.roll(edges, -1)) >= MIN_EDGE_PX
    inside = ((true > MARGIN_PX) & (true < np.array([camera.width, camera.height]) - MARGIN_PX)).all(axis=1)
    rays = position_of(pose) - corners
    normal = np.cross(corners[3] - corners[0], corners[1] - corners[0])
    facing = np.abs(rays @ normal) / np.linalg.norm(rays, axis=1) / np.linalg.norm(normal)
    depth = transform_points(pose, corners)[:, 2]
    chosen = [
        i
        for i in np.flatnonzero(known & large & inside & (facing > MIN_FACING)).tolist()
        if _in_plain_view(rendering.depth, true[i], depth[i])
    ]
    grey = cv2.cvtColor(rendering.image, cv2.COLOR_RGB2GRAY)
    light = np.float32(rendering.exposure) * rendering.radiance
    errors = [
        [_by_edges(light, camera, pose, corners, i, reach_px), _by_opencv(grey, true[i]) - true[i]] for i in chosen
    ]
    return np.array(errors).reshape(-1, 2, 2)


def _by_edges(
    light: FloatArray, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, corners: Array, index: int, reach_px: float
) -> Array:
    """Return found minus true (2,) px of one of the corners (4, 3), where its two edges meet."""
    normals, offsets = [], []
    for neighbour in (index - 1, (index + 1) % 4):
        normal, offset = _edge_offset(light, camera, pose, corners[[index, neighbour]], reach_px)
        normals.append(normal)
        offsets.append(offset)
    return np.asarray(np.linalg.solve(np.array(normals), np.array(offsets)))


def _edge_offset(
    light: FloatArray, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, edge: Array, reach_px: float
) -> tuple[Array, float]:
    """Return the normal (2,) of an ``edge`` (2, 3), and how far along it the picture's edge is from the true one."""
    across = reach_px * ACROSS
    ends, _ = project(camera, transform_points(pose, edge))
    share = min(1.0, MAX_ALONG_PX / float(np.linalg.norm(ends[1] - ends[0])))
    spots, _ = project(camera, transform_points(pose, edge[0] + share * ALONG[:, None] * (edge[1] - edge[0])))
    tangents = np.gradient(spots, axis=0)
    normals = np.column_stack([-tangents[:, 1], tangents[:, 0]]) / np.linalg.norm(tangents, axis=1, keepdims=True)
    where = pixels_to_opencv(spots[:, None] + across[:, None] * normals[:, None]).astype(np.float32)
    profile = cv2.remap(light, where, None, cv2.INTER_LINEAR)  # along, across, colour
    third = len(across) // 3
    contrast = profile[:, -third:].mean(axis=1) - profile[:, :third].mean(axis=1)
    step = (np.maximum(np.diff(profile, axis=1) * np.sign(contrast)[:, None], 0) ** 2).sum(axis=2)
    middle = (across[1:] + across[:-1]) / 2
    clear = np.abs(contrast).max(axis=1) > MIN_CONTRAST
    offsets = (step[clear] @ middle) / step[clear].sum(axis=1)
    return normals[0], float(np.median(offsets)) if clear.mean() > 0.5 else np.nan


def _by_opencv(grey: NDArray[np.uint8], pixel: Array) -> Array:
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 60, 1e-3)
    start = pixels_to_opencv(pixel).astype(np.float32).reshape(1, 1, 2)
    found = cv2.cornerSubPix(grey, start, (WINDOW_PX, WINDOW_PX), (-1, -1), stop)
    return np.asarray(pixels_from_opencv(found.reshape(2)))


def _in_plain_view(depth: NDArray[np.float32], pixel: Array, expected: float) -> bool:
    """Tell whether a corner is seen, and nothing stands before what is around it."""
    column, row = int(pixel[0]), int(pixel[1])
    window = depth[row - WINDOW_PX : row + WINDOW_PX + 1, column - WINDOW_PX : column + WINDOW_PX + 1]
    return bool(window.min() > 0.9 * expected and np.abs(window - expected).min() < 0.02 * expected)
