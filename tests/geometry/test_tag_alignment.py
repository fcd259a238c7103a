import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry.errors import DegenerateError, InputError
from geometry.frames import transform_points
from geometry.records import TagSpecs
from geometry.similarity import sim3d_from_matrix
from geometry.tag_alignment import align_tags, scale_from_tags, tag_corners

MAP_FROM_SITE = sim3d_from_matrix(0.4, Rotation.from_rotvec([0.3, 1, -2]).as_matrix(), np.array([3.0, -2, 1]))


def tag_specs(n: int, *, posed: bool = True, seed: int = 0) -> TagSpecs:
    rng = np.random.default_rng(seed)
    known = 1.0 if posed else np.nan
    return TagSpecs(
        families=("tag36h11",) * n,
        ids=np.arange(n),
        size_m=rng.uniform(0.1, 0.4, n),
        positions=known * rng.uniform(-10, 10, (n, 3)),
        quats_xyzw=known * Rotation.random(n, rng=rng).as_quat(),
        sigma_m=np.full(n, np.nan),
    )


def corners_in_map(tags: TagSpecs) -> np.ndarray:
    return transform_points(MAP_FROM_SITE, tag_corners(tags.size_m, tags.positions, tags.quats_xyzw))


def test_corners_run_clockwise_from_the_top_left_as_seen_by_the_reader() -> None:
    corners = tag_corners([2.0], [[0, 0, 5.0]], [[0, 0, 0, 1.0]])
    np.testing.assert_allclose(corners[0], [[-1, 1, 5], [1, 1, 5], [1, -1, 5], [-1, -1, 5]])


def test_posed_tags_give_the_whole_alignment() -> None:
    tags = tag_specs(3)
    alignment = align_tags(corners_in_map(tags), tags, rng=np.random.default_rng(0))
    np.testing.assert_allclose(alignment.site_from_map.matrix(), MAP_FROM_SITE.inverse().matrix(), atol=1e-8)
    assert alignment.inliers.shape == (12,)


def test_one_tag_is_enough_but_says_how_well() -> None:
    tags = tag_specs(1)
    alignment = align_tags(corners_in_map(tags), tags, rng=np.random.default_rng(0))
    sigma_rotation = 0.01 / tags.size_m[0]  # of the axes in the tag's plane: four corners at half the edge
    assert np.sqrt(np.linalg.eigvalsh(alignment.covariance[1:4, 1:4])[2]) == pytest.approx(sigma_rotation, rel=1e-6)


def test_tags_without_pose_give_the_scale_only_and_say_so() -> None:
    tags = tag_specs(3)
    corners = corners_in_map(tags)
    with pytest.raises(DegenerateError, match="only the scale is determined"):
        align_tags(corners, tag_specs(3, posed=False), rng=np.random.default_rng(0))
    scale, _ = scale_from_tags(corners, tags.size_m, np.zeros((3, 4, 3, 3)))
    assert scale == pytest.approx(2.5, rel=1e-9)


def test_sigma_of_the_scale_is_that_of_monte_carlo() -> None:
    rng, tags, sigma = np.random.default_rng(4), tag_specs(5), 5e-4
    corners, covariances = corners_in_map(tags), np.tile(sigma**2 * np.eye(3), (5, 4, 1, 1))
    noisy = corners + sigma * rng.normal(size=(1000, 5, 4, 3))
    found = np.array([scale_from_tags(corner, tags.size_m, covariances) for corner in noisy])
    errors = (found[:, 0] - 2.5) / found[:, 1]
    assert 0.9 < errors.std() < 1.1  # measured 0.99
    assert abs(errors.mean()) < 0.2  # measured -0.03


def test_a_tag_of_the_wrong_size_is_left_out_and_a_majority_of_them_refused() -> None:
    tags = tag_specs(5)
    covariances = np.tile(1e-8 * np.eye(3), (5, 4, 1, 1))
    sizes = tags.size_m * [1, 1, 1.1, 1, 1]
    assert scale_from_tags(corners_in_map(tags), sizes, covariances)[0] == pytest.approx(2.5, rel=1e-9)
    with pytest.raises(InputError, match="agree on the scale"):
        scale_from_tags(corners_in_map(tags), tags.size_m * [1, 1.2, 1.4, 1.6, 1.8], covariances)


@pytest.mark.parametrize("n_corners", [3, 5])
def test_bad_shapes_are_refused(n_corners: int) -> None:
    corners = np.zeros((2, n_corners, 3))
    with pytest.raises(InputError, match="corners"):
        align_tags(corners, tag_specs(2), rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="corners"):
        scale_from_tags(corners, np.ones(2), np.zeros((2, 4, 3, 3)))


def test_nothing_and_coincident_corners_are_degenerate() -> None:
    with pytest.raises(DegenerateError):
        scale_from_tags(np.zeros((0, 4, 3)), np.zeros(0), np.zeros((0, 4, 3, 3)))
    with pytest.raises(DegenerateError):
        scale_from_tags(np.ones((1, 4, 3)), np.ones(1), np.zeros((1, 4, 3, 3)))
    with pytest.raises(DegenerateError):
        align_tags(np.zeros((0, 4, 3)), tag_specs(0), rng=np.random.default_rng(0))
