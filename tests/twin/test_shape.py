"""The claimed covariance of a map's shape against maps adjusted on noisy pixels, and the noise-wide robust loss."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import (
    CAUCHY_WIDTH,
    MappingError,
    PoseTable,
    calibration,
    position_covariance,
    position_of,
    quat_xyzw_of,
    transform_points,
)
from twin.mapping import shape
from twin.mapping.capture import Capture
from twin.mapping.reconstruction import MAX_NOISE_PX, MIN_NOISE_PX, adjust, adjustment_options
from twin.mapping.shape import pose_covariances

IMAGES, POINTS = 8, 120


def synthetic(seed: int, noise_px: float) -> tuple[pycolmap.Reconstruction, np.ndarray]:
    """Return a map adjusted on noisy observations, and its true camera centres in the order of image ids."""
    pycolmap.set_random_seed(seed)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=IMAGES,
        num_cameras_per_rig=1,
        num_frames_per_rig=1,
        num_points3D=POINTS,
        num_points2D_without_point3D=0,
    )
    model = pycolmap.synthesize_dataset(options)
    truth = np.array([model.images[i].projection_center() for i in sorted(model.reg_image_ids())])
    rng = np.random.default_rng(seed)
    for image in model.images.values():
        for point in image.points2D:
            point.xy = point.xy + noise_px * rng.standard_normal(2)
    model.update_point_3d_errors()
    adjust(model, list(model.cameras))
    return model, truth


def unposed(model: pycolmap.Reconstruction) -> Capture:
    """Return what the map was made from: images with known lenses and no poses."""
    names = tuple(model.images[i].name for i in sorted(model.images))
    return Capture(
        folder=Path("photos"),
        names=names,
        digests=("",) * len(names),
        camera_of=tuple(model.images[i].camera_id for i in sorted(model.images)),
        cameras={},
        given_cameras=frozenset(model.cameras),
        lenses={},
    )


def posed(model: pycolmap.Reconstruction, sigma_m: float, sigma_deg: float) -> Capture:
    """Return the same with prior poses."""
    poses = [model.images[i].cam_from_world() for i in sorted(model.images)]
    priors = PoseTable(
        images=unposed(model).names,
        positions=np.array([position_of(pose) for pose in poses]),
        quats_xyzw=np.array([quat_xyzw_of(pose) for pose in poses]),
        sigma_m=np.full(len(poses), sigma_m),
        sigma_deg=np.full(len(poses), sigma_deg),
    )
    return replace(unposed(model), priors=priors)


def test_an_image_is_never_less_sure_than_its_prior() -> None:
    model, _ = synthetic(0, 0.5)
    free = pose_covariances(model, unposed(model))
    tight = pose_covariances(model, posed(model, 1e-3, 0.01))
    loose = pose_covariances(model, posed(model, 100.0, 90.0))
    for name, covariance in free.items():
        assert np.trace(tight[name][3:, 3:]) < 3e-6
        np.testing.assert_allclose(loose[name], covariance, rtol=1e-3, atol=1e-9)


def test_a_map_in_two_parts_is_as_sure_as_its_priors() -> None:
    model, _ = synthetic(0, 0.5)
    images = sorted(model.reg_image_ids())
    for number, point_id in enumerate(sorted(model.point3D_ids())):
        mine = set(images[:4] if number % 2 else images[4:])
        seen = [(element.image_id, element.point2D_idx) for element in model.points3D[point_id].track.elements]
        for image_id, point2d in seen:
            if image_id not in mine and model.exists_point3D(point_id):
                model.delete_observation(image_id, point2d)
    with pytest.raises(MappingError, match="covariance"):
        pose_covariances(model, unposed(model))
    sigma = [np.sqrt(c[3, 3]) for c in pose_covariances(model, posed(model, 0.3, 2.0)).values()]
    np.testing.assert_allclose(sigma, 0.3)
    low = replace(posed(model, 0.3, 2.0), height_sigmas=np.full(IMAGES, 0.1))
    found = pose_covariances(model, low)
    for image in (model.images[i] for i in images):
        in_site = position_covariance(image.cam_from_world(), found[image.name])
        np.testing.assert_allclose(in_site, np.diag([0.09, 0.09, 0.01]), atol=1e-9)


class Unnumbered:
    """What COLMAP gives of storeys that share no point: not None, and no number."""

    def get_cam_cross_cov_from_world(self, first: int, second: int) -> np.ndarray:
        return np.full((6, 6), np.nan)

    def get_cam_cov_from_world(self, image: int) -> np.ndarray:
        return np.full((6, 6), np.nan)


def test_a_covariance_that_is_no_number_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = synthetic(0, 0.5)
    monkeypatch.setattr(shape, "_covariance", lambda *_: Unnumbered())
    with pytest.raises(MappingError, match="covariance"):
        pose_covariances(model, unposed(model))
    sigma = [np.sqrt(c[3, 3]) for c in pose_covariances(model, posed(model, 0.3, 2.0)).values()]
    np.testing.assert_allclose(sigma, 0.3)
    assert shape.anchored_covariances(model, frozenset(model.cameras), []) is None


def shape_errors(model: pycolmap.Reconstruction, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images = [model.images[i] for i in sorted(model.reg_image_ids())]
    found = pose_covariances(model, unposed(model))
    site_from_map = pycolmap.estimate_sim3d(np.array([position_of(i.cam_from_world()) for i in images]), truth)
    errors = [transform_points(site_from_map, i.projection_center()) - t for i, t in zip(images, truth, strict=True)]
    turn, scale = site_from_map.rotation.matrix(), site_from_map.scale
    in_map = [position_covariance(i.cam_from_world(), found[i.name]) for i in images]
    return np.array(errors), np.array([scale**2 * turn @ c @ turn.T for c in in_map])


def test_the_claim_fits_pixels_of_unit_noise() -> None:
    parts = [shape_errors(*synthetic(seed, 1.0)) for seed in range(12)]
    judged = calibration(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    # Cauchy's loss weighs Gaussian pixels less than they deserve, so that the claim is a little wide.
    assert 0.2 < judged.mean_nees < 1.1


def test_wrong_observations_do_not_bend_a_precise_map() -> None:
    model, truth = synthetic(3, 0.1)
    clean = np.linalg.norm(shape_errors(model, truth)[0], axis=1).max()
    rng = np.random.default_rng(0)
    for image in model.images.values():
        for point in image.points2D[::10]:
            point.xy = point.xy + rng.choice([-1.5, 1.5], 2)
    adjust(model, list(model.cameras))
    assert np.linalg.norm(shape_errors(model, truth)[0], axis=1).max() < 3.0 * clean


def test_the_loss_is_as_wide_as_the_noise() -> None:
    widths = [adjustment_options(synthetic(1, noise)[0]).ceres.loss_function_scale for noise in (0.0, 0.2, 3.0)]
    assert widths[0] == pytest.approx(CAUCHY_WIDTH * MIN_NOISE_PX)
    assert widths[0] < widths[1] < widths[2]
    assert widths[2] == pytest.approx(CAUCHY_WIDTH * MAX_NOISE_PX)


def test_cameras_on_a_line_are_no_hindrance() -> None:
    model, _ = synthetic(2, 0.0)
    middle = np.mean([point.xyz for point in model.points3D.values()], axis=0)
    for step, image_id in enumerate(sorted(model.reg_image_ids())):
        image = model.images[image_id]
        image.frame.rig_from_world = pycolmap.Rigid3d(pycolmap.Rotation3d(), [0.5 * step - 2.0, 0.0, 4.0] - middle)
        for point in image.points2D:
            if point.has_point3D():
                seen = image.cam_from_world() * model.points3D[point.point3D_id].xyz
                point.xy = image.camera.img_from_cam(seen)
    model.update_point_3d_errors()
    sigma = [np.sqrt(np.trace(c[3:, 3:])) for c in pose_covariances(model, unposed(model)).values()]
    assert min(sigma) > 0
    assert max(sigma) < 0.02


def test_a_map_without_points_is_refused() -> None:
    model, _ = synthetic(0, 0.5)
    for point_id in list(model.point3D_ids()):
        model.delete_point3D(point_id)
    with pytest.raises(MappingError, match="covariance"):
        pose_covariances(model, unposed(model))
