"""A walk that drifts is put right where it passes surveyed tags."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import (
    PoseTable,
    TagSpecs,
    camera_from_params,
    perturb,
    position_of,
    project,
    quat_xyzw_of,
    tag_corners,
    transform_points,
)
from scenes import look
from twin.mapping.capture import Capture
from twin.mapping.tag_fixes import _drift, correct_priors, locate_by_corners, walks
from twin.mapping.tag_sightings import TagSighting

CAMERA = camera_from_params("SIMPLE_RADIAL", 640, 480, [500.0, 320.0, 240.0, -0.02])
FACING = np.array([0.5, -0.5, -0.5, 0.5])
"""``site_from_tag`` of a tag that looks along -x."""


def tags_along(xs: list[float], z: float = 1.6) -> TagSpecs:
    n = len(xs)
    return TagSpecs(
        families=("tag36h11",) * n,
        ids=np.arange(n),
        size_m=np.full(n, 0.4),
        positions=np.array([[x, 1.0, z] for x in xs]),
        quats_xyzw=np.tile(FACING, (n, 1)),
        sigma_m=np.full(n, 0.003),
    )


def seen(
    tags: TagSpecs, row: int, pose: pycolmap.Rigid3d, rng: np.random.Generator, noise_px: float
) -> np.ndarray | None:
    """Return the corners of a tag in a picture, None where it shows them not all or too small."""
    corners = tag_corners(tags.size_m[[row]], tags.positions[[row]], tags.quats_xyzw[[row]])[0]
    in_cam = transform_points(pose, corners)
    pixels, valid = project(CAMERA, in_cam)
    inside = valid.all() and ((pixels > 0) & (pixels < (640, 480))).all()
    if not inside or in_cam[:, 2].mean() > 8.0:
        return None
    return pixels + noise_px * rng.standard_normal((4, 2))


@pytest.mark.parametrize(("noise_px", "bound_m"), [(0.0, 1e-4), (0.3, 0.6)])
def test_a_tag_tells_where_a_photo_was_taken(noise_px: float, bound_m: float) -> None:
    rng = np.random.default_rng(5)
    tags, errors, scaled = tags_along([6.0]), [], []
    for _ in range(40):
        pose = look((rng.uniform(1.0, 3.0), rng.uniform(0.0, 2.0), 1.6), rng.normal(0, 0.15), rng.normal(0, 0.1), 0.0)
        pixels = seen(tags, 0, pose, rng, noise_px)
        if pixels is None:
            continue
        corners = tag_corners(tags.size_m, tags.positions, tags.quats_xyzw)[0]
        prior = perturb(
            pose, np.concatenate([np.radians(2.0 if noise_px else 0.0) * rng.standard_normal(3), [9, 9, 9]])
        )
        fix = locate_by_corners(CAMERA, pixels, corners, prior, np.radians(2.0))
        assert fix is not None
        errors.append(np.linalg.norm(fix[0] - position_of(pose)))
        scaled.append(errors[-1] ** 2 / fix[1])
    assert len(errors) > 25
    assert np.max(errors) < bound_m  # measured: 1.6e-14 m, with noise 0.28 m
    if noise_px:
        assert 0.1 < np.mean(scaled) < 3.0  # measured 2.3; the claim is of the worst direction, 1 to 3 are honest


def test_pixels_that_no_pose_explains_are_no_fix() -> None:
    corners = tag_corners(np.array([0.4]), np.array([[6.0, 1.0, 1.6]]), FACING[None])[0]
    scattered = np.array([[10.0, 10.0], [600.0, 30.0], [40.0, 400.0], [300.0, 200.0]])
    assert locate_by_corners(CAMERA, scattered, corners, look((2.0, 1.0, 1.6), 0.0, 0.0, 0.0), 0.03) is None


def drifting(count: int = 60) -> tuple[Capture, list[pycolmap.Rigid3d], np.ndarray]:
    """Return a capture along x whose claims rise by up to 3 m, the true poses, and the true centres."""
    rng = np.random.default_rng(1)
    poses = [look((1.0 * i, 1.0, 1.6), 0.0, 0.0, 0.0) for i in range(count)]
    centres = np.array([position_of(pose) for pose in poses])
    rise = np.linspace(0.0, 3.0, count)[:, None] * (0.0, 0.0, 1.0)
    names = tuple(f"{i:04d}.jpg" for i in range(count))
    priors = PoseTable(
        images=names,
        positions=centres + rise + 0.1 * rng.standard_normal((count, 3)),
        quats_xyzw=np.array([quat_xyzw_of(pose) for pose in poses]),
        sigma_m=np.hypot(0.1, 0.05 * np.arange(count)),
        sigma_deg=np.full(count, 2.0),
    )
    made = Capture(
        folder=Path("."), names=names, digests=names, camera_of=(1,) * count, cameras={1: CAMERA},
        given_cameras=frozenset({1}), lenses={1: "x"}, priors=priors,
    )  # fmt: skip
    return made, poses, centres


def sightings(tags: TagSpecs, poses: list[pycolmap.Rigid3d]) -> list[TagSighting]:
    rng = np.random.default_rng(2)
    found = []
    for image, pose in enumerate(poses):
        for tag in range(len(tags.ids)):
            corners = seen(tags, tag, pose, rng, 0.3)
            if corners is not None:
                found.append(TagSighting(image=image, tag=tag, corners=corners))
    return found


def test_a_walk_that_climbs_a_storey_is_brought_down_again() -> None:
    made, poses, centres = drifting()
    tags = tags_along([10.0, 30.0, 50.0, 62.0])
    corrected = correct_priors(made, sightings(tags, poses), tags)
    assert made.priors is not None
    assert corrected.priors is not None
    before = np.abs(made.priors.positions - centres)[:, 2]
    after = np.abs(corrected.priors.positions - centres)[:, 2]
    assert before.max() > 2.5
    assert after.max() < 0.6  # measured 0.24, of which 0.1 m is every picture's own noise
    assert (corrected.priors.sigma_m < made.priors.sigma_m)[10:].all()


def test_claims_without_tags_or_without_drift_stay() -> None:
    made, poses, _ = drifting()
    tags = tags_along([10.0, 30.0])
    assert made.priors is not None
    alone = correct_priors(made, [], tags)
    assert alone.priors is not None
    np.testing.assert_array_equal(alone.priors.positions, made.priors.positions)
    steady = replace(made, priors=replace(made.priors, sigma_m=np.full(len(poses), 0.3)))
    kept = correct_priors(steady, sightings(tags, poses), tags)
    assert kept.priors is not None
    np.testing.assert_array_equal(kept.priors.positions, made.priors.positions)
    np.testing.assert_array_equal(kept.prior_sigmas(), 0.3)
    assert correct_priors(replace(made, priors=None), [], tags).priors is None


def test_late_tags_that_say_the_floor_rose_are_believed_and_one_tag_that_was_moved_is_not() -> None:
    """150 m of level floor and as much that rises by 4 %, slowly enough to pass for drift; two of five fixes late."""
    along = 1.5 * np.arange(200)
    true = np.column_stack([along, np.zeros(200), 1.6 + 0.04 * np.maximum(along - 150.0, 0.0)])
    sigma = np.hypot(0.3, 3.0 * along / along[-1])
    rows, variances = [20, 50, 80, 150, 195], np.full(5, 0.01)
    drift, sigmas, agreed = _drift(true, sigma, rows, np.zeros((5, 3)), variances)
    assert agreed.all()
    assert np.abs(drift[:, 2]).max() < 0.6  # measured 0.00; 5.9 m where early fixes outvote late ones
    assert (np.abs(drift[:, 2]) < 3 * sigmas[:, 1]).all()
    level = true * (1.0, 1.0, 0.0) + (0.0, 0.0, 1.6)
    moved = np.zeros((5, 3))
    moved[2, 2] = 3.5
    drift, sigmas, agreed = _drift(level, sigma, rows, moved, variances)
    assert agreed.tolist() == [True, True, False, True, True]
    assert np.abs(drift[:, 2]).max() < 0.05
    assert sigmas[-1, 1] < 0.4


def test_walks_are_told_apart_and_go_by_time() -> None:
    made, _, _ = drifting(6)
    assert made.priors is not None
    mixed = replace(made.priors, sequence=("b", "a", "b", "a", "b", "a"), time=np.array([3.0, 1.0, 2.0, 5.0, 1.0, 4.0]))
    assert [rows.tolist() for rows in walks(mixed)] == [[4, 2, 0], [1, 5, 3]]


def test_a_walk_is_level_before_any_tag_is_seen() -> None:
    rows = 120
    along = 1.5 * np.arange(rows)
    drift = 0.008 * along
    positions = np.column_stack([along, np.zeros(rows), 1.6 + drift])
    sigma = np.sqrt(0.3**2 + (2.0 * along / along[-1]) ** 2)
    names = [f"{row:03d}.jpg" for row in range(rows)]
    turned = np.tile([0.0, 0.0, 0.0, 1.0], (rows, 1))
    priors = PoseTable(
        images=tuple(names), positions=positions, quats_xyzw=turned, sigma_m=sigma, sigma_deg=np.full(rows, 2.0)
    )
    capture = Capture(
        folder=Path(), names=tuple(names), digests=tuple(names), camera_of=(1,) * rows, cameras={1: CAMERA},
        given_cameras=frozenset({1}), lenses={}, priors=priors,
    )  # fmt: skip
    corrected = correct_priors(capture, [], None)
    assert corrected.priors is not None
    assert np.abs(corrected.priors.positions[:, 2] - 1.6).max() < 0.05  # measured 0.00; drifted by 1.43 m
    np.testing.assert_array_equal(corrected.priors.positions[:, :2], positions[:, :2])
    np.testing.assert_allclose(corrected.priors.sigma_m, sigma)
    np.testing.assert_allclose(corrected.prior_sigmas(), np.column_stack([sigma, sigma, np.full(rows, 0.3354)]), 1e-3)
