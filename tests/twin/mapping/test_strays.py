"""Images that matches pull off their prior pose."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import PoseTable, perturb, position_of, quat_xyzw_of
from twin.mapping.approximate_poses import MAX_PRIOR_SIGMAS, strays
from twin.mapping.capture import Capture

COUNT = 5
SIGMA_M, SIGMA_DEG = 0.3, 2.0


def surveyed(sigma_m: float = SIGMA_M, sigma_deg: float = SIGMA_DEG) -> tuple[pycolmap.Reconstruction, Capture]:
    """Return a map of five images at their priors."""
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=COUNT, num_cameras_per_rig=1, num_frames_per_rig=1, num_points3D=20
    )
    model = pycolmap.synthesize_dataset(options)
    images = [model.images[i] for i in sorted(model.reg_image_ids())]
    assert [image.image_id for image in images] == list(range(1, COUNT + 1))
    names = tuple(image.name for image in images)
    priors = PoseTable(
        images=names,
        positions=np.array([position_of(image.cam_from_world()) for image in images]),
        quats_xyzw=np.array([quat_xyzw_of(image.cam_from_world()) for image in images]),
        sigma_m=np.full(COUNT, sigma_m),
        sigma_deg=np.full(COUNT, sigma_deg),
    )
    capture = Capture(
        folder=Path("photos"),
        names=names,
        digests=("",) * COUNT,
        camera_of=tuple(image.camera_id for image in images),
        cameras={},
        given_cameras=frozenset(),
        lenses={},
        priors=priors,
    )
    return model, capture


def moved(model: pycolmap.Reconstruction, image_id: int, xi: list[float]) -> None:
    image = model.images[image_id]
    image.frame.rig_from_world = perturb(image.cam_from_world(), xi)


@pytest.mark.parametrize(
    ("xi", "stray"),
    [
        ([0, 0, 0, 0, 0, 0], False),
        ([0, 0, 0, 0, 0.9 * MAX_PRIOR_SIGMAS * SIGMA_M, 0], False),
        ([0, 0, 0, 0, 1.1 * MAX_PRIOR_SIGMAS * SIGMA_M, 0], True),
        ([0, 0.9 * MAX_PRIOR_SIGMAS * np.radians(SIGMA_DEG), 0, 0, 0, 0], False),
        ([0, 1.1 * MAX_PRIOR_SIGMAS * np.radians(SIGMA_DEG), 0, 0, 0, 0], True),
    ],
)
def test_an_image_is_a_stray_beyond_six_sigmas(xi: list[float], stray: bool) -> None:
    model, capture = surveyed()
    moved(model, 3, xi)
    found = strays(model, capture, capture.prior_poses())
    assert [image.image_id for image in found] == ([3] if stray else [])


def test_empty_sigmas_are_the_documented_ones() -> None:
    model, capture = surveyed(np.nan, np.nan)
    moved(model, 2, [0, 0, 0, 5.0, 0, 0])
    moved(model, 4, [0, 0, np.radians(25.0), 0, 0, 0])
    assert strays(model, capture, capture.prior_poses()) == []
    moved(model, 2, [0, 0, 0, 2.0, 0, 0])
    assert [image.image_id for image in strays(model, capture, capture.prior_poses())] == [2]


def test_what_is_not_placed_is_no_stray() -> None:
    model, capture = surveyed()
    moved(model, 3, [0, 0, 0, 9.0, 0, 0])
    model.deregister_frame(model.images[3].frame_id)
    assert strays(model, capture, capture.prior_poses()) == []
