import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry.alignment import Alignment, align_points
from geometry.errors import DegenerateError, InputError
from geometry.frames import transform_points
from geometry.similarity import perturb_similarity, sim3d_from_matrix, similarity_jacobian
from tests.support import assert_covariance_claimed, rotation_vectors, vectors

SITE_FROM_MAP = sim3d_from_matrix(2.3, Rotation.from_rotvec([0.3, 1, -2]).as_matrix(), np.array([100.0, -20, 3]))
LINE = np.linspace(-1, 1, 8)[:, None] * [3.0, 4.0, 5.0]


def cloud(n: int = 12, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)) * [10, 5, 1]


def tangent_error(truth: pycolmap.Sim3d, alignment: Alignment) -> np.ndarray:
    """Return x with truth = perturb_similarity(estimate, centroid, x)."""
    estimate, c = alignment.site_from_map, alignment.centroid
    ratio = truth.scale / estimate.scale
    turn = truth.rotation.matrix() @ estimate.rotation.matrix().T
    shift = truth.translation - c - ratio * turn @ (estimate.translation - c)
    return np.concatenate([[np.log(ratio)], Rotation.from_matrix(turn).as_rotvec(), shift])


@given(
    rotvec=rotation_vectors(),
    translation=vectors(1e5),
    scale=st.floats(1e-3, 1e3),
    n=st.integers(4, 20),
    seed=st.integers(0, 99),
)
def test_clean_points_give_the_similarity_back(
    rotvec: np.ndarray, translation: np.ndarray, scale: float, n: int, seed: int
) -> None:
    truth = sim3d_from_matrix(scale, Rotation.from_rotvec(rotvec).as_matrix(), translation)
    points = cloud(n, seed)
    alignment = align_points(
        points, transform_points(truth, points), np.full(n, 0.01 * scale), rng=np.random.default_rng(seed)
    )
    size_m = 10 * scale
    assert np.abs(alignment.residuals_m).max() < 1e-7 * size_m + 1e-10 * np.abs(translation).max()
    assert alignment.inliers.all()
    assert alignment.chi2_per_dof < 1e-6
    assert alignment.undetermined == ()


def test_jacobian_agrees_with_central_differences() -> None:
    points, centroid, h = cloud(), np.array([90.0, -15, 2]), 1e-6
    in_site = transform_points(SITE_FROM_MAP, points)
    steps = [
        (
            transform_points(perturb_similarity(SITE_FROM_MAP, centroid, h * e), points)
            - transform_points(perturb_similarity(SITE_FROM_MAP, centroid, -h * e), points)
        )
        / (2 * h)
        for e in np.eye(7)
    ]
    np.testing.assert_allclose(similarity_jacobian(in_site - centroid), np.stack(steps, axis=2), atol=1e-6)


@pytest.mark.parametrize("with_scale", [True, False])
def test_covariance_is_that_of_monte_carlo(with_scale: bool) -> None:
    rng, points, n = np.random.default_rng(7), cloud(), 12
    truth = sim3d_from_matrix(2.3 if with_scale else 1.0, SITE_FROM_MAP.rotation.matrix(), SITE_FROM_MAP.translation)
    sigma_m, map_sigma = np.linspace(0.05, 0.3, n), np.array([0.02, 0.04, 0.06])
    first, errors, covariances, chi2 = 0 if with_scale else 1, [], [], []
    for _ in range(500):
        in_map = points + rng.normal(size=(n, 3)) * map_sigma
        in_site = transform_points(truth, points) + rng.normal(size=(n, 3)) * sigma_m[:, None]
        map_covariances = np.tile(np.diag(map_sigma**2), (n, 1, 1))
        alignment = align_points(
            in_map, in_site, sigma_m, rng=rng, with_scale=with_scale, map_covariances=map_covariances
        )
        errors.append(tangent_error(truth, alignment)[first:])
        covariances.append(alignment.covariance[first:, first:])
        chi2.append(alignment.chi2_per_dof)
    # measured NEES 6.91 of 7 and 5.91 of 6, sigma ratios 0.93 to 1.03
    assert_covariance_claimed(errors, covariances)
    assert 0.9 < np.mean(chi2) < 1.1


def test_gross_errors_are_found_and_left_out() -> None:
    rng, points = np.random.default_rng(3), cloud(20)
    in_site = transform_points(SITE_FROM_MAP, points) + rng.normal(size=(20, 3)) * 0.05
    in_site[:8] += rng.normal(size=(8, 3)) * 20
    alignment = align_points(points, in_site, np.full(20, 0.05), rng=rng)
    assert alignment.inliers.tolist() == [False] * 8 + [True] * 12
    error = tangent_error(SITE_FROM_MAP, alignment)
    assert error @ np.linalg.solve(alignment.covariance, error) < 24.3  # chi2(7) at 0.999
    assert np.linalg.norm(alignment.residuals_m[:8], axis=1).min() > 1


def test_precise_points_outweigh_a_majority_of_poor_ones() -> None:
    rng, points = np.random.default_rng(3), cloud(40)
    sigma_m = np.where(np.arange(40) < 5, 0.01, 5.0)
    in_site = transform_points(SITE_FROM_MAP, points) + rng.normal(size=(40, 3)) * sigma_m[:, None]
    alignment = align_points(points, in_site, sigma_m, rng=rng)
    assert np.abs(alignment.residuals_m[:5]).max() < 0.05
    assert np.sqrt(alignment.covariance[4, 4]) < 0.01


def test_point_covariances_grow_away_from_the_points() -> None:
    rng, points = np.random.default_rng(3), cloud()
    alignment = align_points(points, transform_points(SITE_FROM_MAP, points), np.full(12, 0.1), rng=rng)
    sigmas = np.sqrt(
        np.trace(alignment.point_covariances([alignment.centroid, alignment.centroid + 500]), axis1=1, axis2=2)
    )
    assert sigmas[0] == pytest.approx(0.1 * np.sqrt(3 / 12), rel=1e-6)
    assert sigmas[1] > 5 * sigmas[0]


def test_three_points_are_enough() -> None:
    points = np.array([[0.0, 0, 0], [5, 0, 0], [0, 7, 0]])
    alignment = align_points(
        points, transform_points(SITE_FROM_MAP, points), np.full(3, 0.01), rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(alignment.site_from_map.matrix(), SITE_FROM_MAP.matrix(), atol=1e-9)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((0, 3)), "0 points leave the rotation undetermined"),
        (LINE[:2], "2 points leave the rotation undetermined"),
        (np.ones((5, 3)), "coincide"),
        (1e-4 * LINE, "coincide within their sigmas"),
        (LINE, "the rotation about the line through the points is undetermined"),
        (LINE + 1e3, "the rotation about the line through the points is undetermined"),
    ],
)
@pytest.mark.parametrize("sigma_m", [0.0, 0.02])
def test_degenerate_points_are_refused_saying_what_is_open(points: np.ndarray, said: str, sigma_m: float) -> None:
    if said == "coincide within their sigmas" and sigma_m == 0:
        said = "on a line"
    in_site = transform_points(SITE_FROM_MAP, points)
    with pytest.raises(DegenerateError, match=said):
        align_points(points, in_site, np.full(len(points), sigma_m), rng=np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(5))
def test_points_on_a_line_up_to_noise_of_the_map_are_degenerate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.repeat(LINE, 20, axis=0)
    in_map = points + 0.01 * rng.normal(size=points.shape)
    covariances = np.tile(0.01**2 * np.eye(3), (len(points), 1, 1))
    in_site = transform_points(SITE_FROM_MAP, points)
    with pytest.raises(DegenerateError, match="line"):
        align_points(in_map, in_site, np.full(len(points), 0.001), rng=rng, map_covariances=covariances)


def test_nearly_collinear_points_are_reported() -> None:
    rng, points = np.random.default_rng(0), LINE.copy()
    points[3] += [0.1, -0.1, 0.0]
    in_site = transform_points(SITE_FROM_MAP, points)
    alignment = align_points(points, in_site, np.full(8, 0.05), rng=rng)
    assert len(alignment.undetermined) == 1
    assert "the rotation about the line through the points" in alignment.undetermined[0]
    assert align_points(points, in_site, np.full(8, 0.005), rng=rng).undetermined == ()


def test_a_mirrored_frame_is_refused() -> None:
    points = cloud()
    with pytest.raises(InputError, match=r"points agree .* right-handed"):
        align_points(points, points * [1, 1, -1], np.full(12, 0.01), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "changes", [{"sigma_m": np.full(12, -1.0)}, {"sigma_m": np.full(12, np.nan)}, {"sigma_m": np.ones(3)}]
)
def test_bad_numbers_are_refused(changes: dict) -> None:
    arguments = {"points_in_map": cloud(), "points_in_site": cloud(), "sigma_m": np.ones(12)} | changes
    with pytest.raises(InputError):
        align_points(**arguments, rng=np.random.default_rng(0))
    bad = cloud()
    bad[3, 1] = np.inf
    with pytest.raises(InputError, match="finite"):
        align_points(bad, cloud(), np.ones(12), rng=np.random.default_rng(0))


def test_arguments_are_left_alone_and_the_seed_fixes_the_result() -> None:
    points, sigma_m = cloud(), np.full(12, 0.1)
    in_site = transform_points(SITE_FROM_MAP, points) + 0.1 * np.random.default_rng(2).normal(size=(12, 3))
    for array in (points, in_site, sigma_m):
        array.flags.writeable = False
    first, second = (align_points(points, in_site, sigma_m, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.site_from_map.matrix(), second.site_from_map.matrix())
