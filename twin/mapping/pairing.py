"""Which photos are worth matching: those that look alike, follow each other, or must see the same by their priors."""

import itertools

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of, project, transform_points
from perception import Features
from retrieval import PlaceIndex, Vocabulary, aggregate
from twin.mapping.capture import Capture, PoseKnowledge

Array = NDArray[np.float64]
Pair = tuple[int, int]

EXHAUSTIVE_LIMIT = 80
"""Up to this many images every pair is matched: 3160 pairs at 30 ms each."""
RETRIEVED_NEIGHBOURS = 20
SEQUENCE_NEIGHBOURS = 5
VIEW_NEIGHBOURS = 24
MIN_OVERLAP = 0.15
"""Share of two photos' probes that the other must show."""
PROBE_DEPTHS_M = (2.0, 5.0, 10.0)
PROBES_ACROSS = 4
MAX_ANGLE = np.radians(60.0)
"""Features are hardly found again from more different directions,"""
MAX_SCALE = 3.0
"""or at more different sizes."""
MAX_RISE_M = 1.0
"""Photos of one storey are no further apart in height; those of two storeys are, and see none of the same."""
MAX_STEP_M = 10.0
"""Neighbours in sequence that are further apart belong to two walks."""
GATE_SIGMAS = 2.0


def choose_pairs(features: list[Features], vocabulary: Vocabulary | None, capture: Capture) -> list[Pair]:
    """Return the image pairs worth matching.

    Where all priors are poses, these are the pairs that they let see the same, and no others: in a place that repeats
    itself most of what looks alike is elsewhere. Else look-alikes and neighbours in sequence. Of a small set all pairs
    are, but those of two storeys. The vocabulary is needed but for poses.
    """
    n = len(capture.names)
    poses = capture.prior_poses()
    if capture.pose_knowledge is PoseKnowledge.APPROXIMATE and len(poses) == n:
        return _pairs_in_view(capture, [poses[i] for i in range(n)])
    if n <= EXHAUSTIVE_LIMIT:
        return list(itertools.combinations(range(n), 2))
    assert vocabulary is not None
    places = np.stack([aggregate(vocabulary, f.descriptors) for f in features])
    nearest, _ = PlaceIndex(places).search(places, RETRIEVED_NEIGHBOURS + 1)
    similar = {(min(i, int(j)), max(i, int(j))) for i, row in enumerate(nearest) for j in row if j >= 0 and j != i}
    return sorted(similar | _sequential(n))


def _sequential(n: int) -> set[Pair]:
    return {(i, j) for i in range(n) for j in range(i + 1, min(i + 1 + SEQUENCE_NEIGHBOURS, n))}


def _pairs_in_view(capture: Capture, poses: list[pycolmap.Rigid3d]) -> list[Pair]:
    """Return each photo's ``VIEW_NEIGHBOURS`` with the largest overlap, and its neighbours in sequence if near."""
    n = len(poses)
    cameras = [capture.camera(i) for i in range(n)]
    sigmas = capture.prior_sigmas()
    centres = np.array([position_of(pose) for pose in poses])
    apart = centres[:, None] - centres
    along, rise = (GATE_SIGMAS * np.hypot.outer(sigma, sigma) for sigma in (sigmas.max(axis=1), sigmas[:, 2]))
    one_storey = np.abs(apart[..., 2]) <= MAX_RISE_M + rise
    near = one_storey & (np.linalg.norm(apart, axis=2) <= MAX_STEP_M + along)
    if n <= EXHAUSTIVE_LIMIT:
        return [(i, j) for i, j in itertools.combinations(range(n), 2) if one_storey[i, j]]
    overlap = view_overlap(cameras, poses)
    overlap = 0.5 * (overlap + overlap.T)
    overlap[~one_storey] = 0.0
    np.fill_diagonal(overlap, 0.0)
    best = np.argsort(-overlap, axis=1, kind="stable")[:, :VIEW_NEIGHBOURS]
    seen = {(min(i, int(j)), max(i, int(j))) for i, row in enumerate(best) for j in row if overlap[i, j] >= MIN_OVERLAP}
    return sorted(seen | {(i, j) for i, j in _sequential(n) if near[i, j]})


def view_overlap(cameras: list[pycolmap.Camera], cams_from_site: list[pycolmap.Rigid3d]) -> Array:
    """Return (N, N): what share of the probes in front of camera i camera j shows, from nearly the same side and size.

    Probes are points along rays spread over the picture, at ``PROBE_DEPTHS_M``. Nothing is thought of as opaque.
    """
    probes = np.stack([_probes(c, p) for c, p in zip(cameras, cams_from_site, strict=True)])
    centres = np.array([position_of(pose) for pose in cams_from_site])
    own = probes - centres[:, None]
    own_depth = np.linalg.norm(own, axis=2)
    share = np.zeros((len(cameras), len(cameras)))
    for j, (camera, pose) in enumerate(zip(cameras, cams_from_site, strict=True)):
        offset = probes - centres[j]
        depth = np.linalg.norm(offset, axis=2)
        cosine = np.einsum("nkc,nkc->nk", own, offset) / np.maximum(own_depth * depth, 1e-9)
        alike = (cosine > np.cos(MAX_ANGLE)) & (depth < MAX_SCALE * own_depth) & (own_depth < MAX_SCALE * depth)
        shown = np.zeros_like(alike)
        pixels, valid = project(camera, transform_points(pose, probes[alike]))
        shown[alike] = valid & (pixels > 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
        share[:, j] = shown.mean(axis=1)
    return share


def _probes(camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d) -> Array:
    """Return points (K, 3) in site that a camera shows."""
    across = (np.arange(PROBES_ACROSS) + 0.5) / PROBES_ACROSS
    pixels = np.stack(np.meshgrid(across * camera.width, across * camera.height), axis=-1).reshape(-1, 2)
    rays = np.column_stack([np.asarray(camera.cam_from_img(pixels)), np.ones(len(pixels))])
    in_cam = (np.array(PROBE_DEPTHS_M)[:, None, None] * rays).reshape(-1, 3)
    return transform_points(cam_from_site.inverse(), in_cam)
