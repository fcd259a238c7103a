"""A walk whose positions drift, and the map that lets go of them: drawn, with a truth."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray

from geometry import (
    PoseTable,
    camera_from_params,
    perturb,
    position_of,
    project,
    quat_xyzw_of,
    transform_points,
    way_walked,
)
from perception import Features
from scenes import look
from twin.mapping.approximate_poses import _adrift, adjust_at_priors, strays
from twin.mapping.capture import Capture, drifting_walks
from twin.mapping.letting_go import held_together, let_go
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.reconstruction import NOT_ENOUGH_MATCHES, write_database

Array = NDArray[np.float64]

CAMERA = camera_from_params("PINHOLE", 640, 480, [320.0, 320.0, 320.0, 240.0])
CAMERA.camera_id = 1
OWN_M, DRIFT = 0.3, 0.03
STEP_M = 1.0
NOISE_PX = 0.3
RISE_M = 80.0


def walk() -> list[pycolmap.Rigid3d]:
    """Return poses twice around a yard of 12 by 8 m, looking ahead."""
    angles = np.arange(0.0, 4.0 * np.pi, STEP_M / 10.0)
    return [look((6 * np.cos(a), 4 * np.sin(a), 1.6 + 0.1 * np.sin(7 * a)), a + np.pi / 2, 0.0, 0.0) for a in angles]


def drifted(centres: Array, drift: float, rng: np.random.Generator) -> Array:
    """Return what a walk says of its centres (N, 3).

    Steps are too long and turned by something that changes slowly, so that positions drift by a share of the way; each
    errs by ``OWN_M`` besides.
    """
    steps = np.diff(way_walked(centres), prepend=0.0)[:, None]
    rate = drift * (rng.standard_normal(3) + 0.1 * np.cumsum(rng.standard_normal((len(steps), 3)), axis=0) / 8.0)
    return centres + np.cumsum(rate * steps, axis=0) + OWN_M * rng.standard_normal((len(steps), 3))


def mapped(
    level: list[pycolmap.Rigid3d], drift: float = DRIFT, seed: int = 0, claimed_m: float = OWN_M, levels: int = 1
) -> tuple[pycolmap.Reconstruction, Capture, Array]:
    """Return a map at what a walk says, its capture, and the true centres; of levels that see nothing of each other,
    one recording each. Positions claim ``claimed_m`` of their own noise.
    """
    rng = np.random.default_rng(seed)
    rise = np.repeat(np.arange(levels), 2500)[:, None] * [0.0, 0.0, RISE_M]
    ground = np.column_stack([rng.uniform(-14, 14, 2500), rng.uniform(-12, 12, 2500), rng.uniform(0.0, 4.0, 2500)])
    points = np.tile(ground, (levels, 1)) + rise
    up = [pycolmap.Rigid3d(pycolmap.Rotation3d(), [0.0, 0.0, -RISE_M * k]) for k in range(levels)]
    true = [pose * moved for moved in up for pose in level]
    centres = np.array([position_of(pose) for pose in true])
    said = np.concatenate([drifted(part, drift, rng) for part in np.split(centres, levels)])
    way = np.tile(way_walked(centres[: len(level)]), levels)
    names = tuple(f"{i:03d}.jpg" for i in range(len(true)))
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(CAMERA)
    tracks = [pycolmap.Track() for _ in points]
    for i, pose in enumerate(true):
        shown, valid = project(CAMERA, transform_points(pose, points))
        seen = np.flatnonzero(valid & (shown > 0).all(axis=1) & (shown < (640, 480)).all(axis=1))
        pixels = shown[seen] + NOISE_PX * rng.standard_normal((len(seen), 2))
        image = pycolmap.Image(name=names[i], image_id=i + 1, camera_id=1, keypoints=pixels)
        shift = said[i] - centres[i]
        off = pycolmap.Rigid3d(pose.rotation, pose.translation - pose.rotation.matrix() @ shift)
        model.add_image_with_trivial_frame(image, perturb(off, np.r_[0.01 * rng.standard_normal(3), 0, 0, 0]))
        for at, k in enumerate(seen.tolist()):
            tracks[k].add_element(i + 1, at)
    for point, track in zip(points, tracks, strict=True):
        if track.length() >= 2:
            model.add_point3D(point + 0.1 * rng.standard_normal(3), track)
    priors = PoseTable(
        images=names,
        positions=said,
        quats_xyzw=np.array([quat_xyzw_of(pose) for pose in true]),
        sigma_m=np.hypot(claimed_m, drift * way),
        sigma_deg=np.full(len(true), 2.0),
        sequence=tuple(f"level {i // len(level)}" for i in range(len(true))),
    )
    capture = Capture(
        folder=Path("photos"),
        names=names,
        digests=("",) * len(names),
        camera_of=(1,) * len(names),
        cameras={1: CAMERA},
        given_cameras=frozenset({1}),
        lenses={},
        priors=priors,
    )
    return model, capture, centres


def bent_by(model: pycolmap.Reconstruction, true: Array) -> float:
    """Return the median distance (m) of camera centres to the true ones (N, 3) after the best rigid motion."""
    found = np.array([model.images[i].projection_center() for i in sorted(model.reg_image_ids())])
    from_middle, of_true = found - found.mean(axis=0), true - true.mean(axis=0)
    u, _, vt = np.linalg.svd(from_middle.T @ of_true)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return float(np.median(np.linalg.norm(from_middle @ turn - of_true, axis=1)))


def test_a_map_that_lets_go_is_not_bent_by_drift() -> None:
    before, after, placed = [], [], []
    for seed in range(3):
        model, capture, true = mapped(walk(), seed=seed)
        for _ in range(3):
            adjust_with_priors(model, capture)
        before.append(bent_by(model, true))
        freed = let_go(model, capture)
        adjust_with_priors(model, freed)
        after.append(bent_by(model, true))
        assert freed.priors is not None
        off = freed.priors.positions - np.array([model.images[i + 1].projection_center() for i in range(len(true))])
        placed.append(float(np.sqrt((off**2).mean())))
    assert np.mean(before) > 0.1  # measured 0.145
    assert np.mean(after) < 0.05  # measured 0.027, most of it scale
    # What is left of priors is each picture's own noise.
    assert 0.8 * OWN_M < np.mean(placed) < 1.2 * OWN_M


def test_levels_that_share_no_photos_have_a_scale_each() -> None:
    model, capture, true = mapped(walk(), drift=0.01, levels=2)
    for _ in range(3):
        adjust_with_priors(model, capture)
    freed = let_go(model, capture)
    adjust_with_priors(model, freed)
    parts = held_together(model)
    assert [len(part) for part in parts] == [len(true) // 2] * 2
    for part in parts:
        below = pycolmap.Reconstruction(model)
        for row in np.setdiff1d(np.arange(len(true)), part).tolist():
            below.deregister_frame(below.images[row + 1].frame_id)
        assert bent_by(below, true[part]) < 0.05  # measured 0.01 and 0.02


@pytest.mark.parametrize("claimed_m", [0.0, 0.05, OWN_M])
def test_a_walk_that_claims_too_little_loses_no_photos(claimed_m: float) -> None:
    model, capture, _ = mapped(walk(), claimed_m=claimed_m)
    freed = let_go(model, capture)
    adjust_with_priors(model, freed)
    assert len(strays(model, freed, freed.prior_poses())) == 0
    assert freed.priors is not None
    assert 0.7 * OWN_M < freed.priors.sigma_m[0] < 1.5 * OWN_M  # measured 0.28 to 0.33 m


def test_a_straight_walk_stays_where_it_began(caplog: pytest.LogCaptureFixture) -> None:
    model, capture, true = mapped([look((0.25 * i - 5.0, 0.0, 1.6), np.pi / 2, 0.0, 0.0) for i in range(40)])
    assert capture.priors is not None
    capture.priors.positions[:, 1:] = true[:, 1:] + 0.05 * np.random.default_rng(1).standard_normal((len(true), 2))
    freed = let_go(model, capture)
    assert "do not tell the map's scale" in caplog.text
    assert freed.priors is not None
    off = np.array([model.images[i + 1].projection_center() for i in range(len(true))]) - freed.priors.positions
    assert np.abs(np.median(off, axis=0)).max() < 0.3


def test_a_walk_is_told_by_what_it_claimed_and_free_by_what_is_left() -> None:
    _, capture, _ = mapped(walk())
    assert capture.priors is not None
    claimed = capture.priors.sigma_m
    half = np.where(np.arange(len(claimed)) < len(claimed) // 2, OWN_M, claimed)
    one_tag = replace(capture, priors=replace(capture.priors, sigma_m=half), sigmas_before=claimed)
    held = replace(capture, priors=replace(capture.priors, sigma_m=np.full(len(claimed), OWN_M)), sigmas_before=claimed)
    assert _adrift(capture) == _adrift(one_tag) == set(range(1, len(claimed) + 1))
    assert _adrift(held) == set()
    assert len(drifting_walks(held)) == 1


def test_the_whole_way_from_matches(tmp_path: Path) -> None:
    model, capture, true = mapped(walk(), seed=1)
    capture = replace(capture, folder=tmp_path)
    features = [
        Features(
            keypoints=np.array([point.xy for point in model.images[i + 1].points2D], dtype=np.float32),
            **{
                name: np.ones(len(model.images[i + 1].points2D), np.float32)
                for name in ("scales", "orientations", "scores")
            },
            descriptors=np.zeros((len(model.images[i + 1].points2D), 1), np.float32),
            image_size=(640, 480),
            kind="sift",
        )
        for i in range(len(true))
    ]
    matches: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for point in model.points3D.values():
        seen = sorted((element.image_id - 1, element.point2D_idx) for element in point.track.elements)
        for (a, of_a), (b, of_b) in combinations(seen, 2):
            matches.setdefault((a, b), []).append((of_a, of_b))
    # One photo has a few matches with another, and no more.
    few = {
        pair: rows[:15] if pair == (29, 30) else rows
        for pair, rows in matches.items()
        if 30 not in pair or pair == (29, 30)
    }
    alone = {pair: np.array(rows, np.uint32) for pair, rows in few.items()}
    write_database(tmp_path / "database.db", capture, features, alone, verified=True)
    found, left_out = adjust_at_priors(capture, features, tmp_path / "database.db", tmp_path / "out")
    assert left_out == {"030.jpg": NOT_ENOUGH_MATCHES}
    assert bent_by(found, np.delete(true, 30, axis=0)) < 0.1  # measured 0.072, most of it scale
