"""Hypothesis strategies and assertions that several test modules share."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.frames import pose_difference

Array = NDArray[np.float64]

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


def real_data(folder: str) -> Path:
    """Return a folder of real data, or skip the test, naming the folder."""
    path = REAL_DATA / folder
    if not path.is_dir():
        pytest.skip(f"real data folder {path} is absent")
    return path


def reals(bound: float) -> st.SearchStrategy[float]:
    return st.floats(-bound, bound, allow_nan=False, allow_infinity=False)


def vectors(bound: float = 100.0, size: int = 3) -> st.SearchStrategy[Array]:
    """Draw vectors (size,), zero and tiny ones among them."""
    return st.lists(reals(bound), min_size=size, max_size=size).map(np.array)


def points(bound: float = 100.0, min_size: int = 0, max_size: int = 20) -> st.SearchStrategy[Array]:
    """Draw points (N, 3)."""
    rows = st.lists(st.tuples(*[reals(bound)] * 3), min_size=min_size, max_size=max_size)
    return rows.map(lambda values: np.array(values, dtype=np.float64).reshape(-1, 3))


@st.composite
def rotation_vectors(draw: st.DrawFn) -> Array:
    """Draw rotation vectors of every angle, with those near 0 and near pi as likely as the others."""
    direction = draw(vectors(1.0))
    norm = np.linalg.norm(direction)
    axis = direction / norm if norm > 1e-3 else np.array([0.0, 0.0, 1.0])
    near_pi = st.floats(0.0, 1e-6).map(lambda small: np.pi - small)
    return axis * draw(st.one_of(st.floats(0.0, np.pi), st.floats(0.0, 1e-6), near_pi))


@st.composite
def poses(draw: st.DrawFn, bound: float = 100.0) -> pycolmap.Rigid3d:
    """Draw rigid transforms with translations up to ``bound`` metres along each axis."""
    return rigid(draw(rotation_vectors()), draw(vectors(bound)))


def rigid(rotation_vector: ArrayLike, translation: ArrayLike) -> pycolmap.Rigid3d:
    """Return the transform with a rotation vector (3,) and a translation (3,)."""
    quat = Rotation.from_rotvec(rotation_vector).as_quat()
    return pycolmap.Rigid3d(pycolmap.Rotation3d(quat), np.asarray(translation, dtype=np.float64))


def assert_poses_close(
    actual: pycolmap.Rigid3d, expected: pycolmap.Rigid3d, *, atol_rad: float = 1e-7, atol_m: float = 1e-9
) -> None:
    """Compare two transforms by the angle and by the translation of the one relative to the other."""
    difference = pose_difference(actual, expected)
    assert np.linalg.norm(difference[:3]) <= atol_rad, f"rotations differ by {np.linalg.norm(difference[:3])} rad"
    assert np.linalg.norm(difference[3:]) <= atol_m, f"translations differ by {np.linalg.norm(difference[3:])} m"


def assert_cameras_equal(actual: pycolmap.Camera, expected: pycolmap.Camera) -> None:
    """Compare model, size and parameters exactly."""
    assert actual.model_name == expected.model_name
    assert (actual.width, actual.height) == (expected.width, expected.height)
    np.testing.assert_array_equal(actual.params, expected.params)


def assert_covariance_claimed(errors: ArrayLike, covariances: ArrayLike, *, sigmas: float = 4.0) -> None:
    """Check by Monte Carlo that errors (T, K) have the covariances (T, K, K) that were claimed.

    The mean normalised squared error must be K, and the root mean square of each normalised component 1, both within
    ``sigmas`` of their own sampling error.
    """
    e, c = np.asarray(errors), np.asarray(covariances)
    trials, size = e.shape
    nees = np.einsum("ti,ti->t", e, np.linalg.solve(c, e[..., None])[..., 0])
    ratios = np.sqrt(np.mean(e**2 / np.diagonal(c, axis1=1, axis2=2), axis=0))
    assert abs(nees.mean() - size) < sigmas * np.sqrt(2 * size / trials), f"mean NEES {nees.mean():.2f}, not {size}"
    assert np.all(np.abs(ratios - 1) < sigmas / np.sqrt(2 * trials)), f"sigma ratios {ratios.round(2)}"
