"""Which way is down in a map."""

import numpy as np
import pycolmap

from geometry import pose_from_matrix
from tests.twin.worlds import looking, walk
from twin.gravity import down_in_map
from twin.store import SiteFrame

TIED = SiteFrame(aligned_by=["tags"], metric=True)
LOOSE = SiteFrame(aligned_by=[], metric=False, undetermined=["position, rotation and scale"])


def turned(poses: list[pycolmap.Rigid3d]) -> list[pycolmap.Rigid3d]:
    """Return the poses in a frame whose y is down, as cameras' own are."""
    map_from_site = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return [pose_from_matrix(pose.rotation.matrix() @ map_from_site.T, pose.translation) for pose in poses]


def test_a_site_has_z_up() -> None:
    np.testing.assert_array_equal(down_in_map(TIED, walk()), [0.0, 0.0, -1.0])


def test_cameras_tell_where_no_site_does_or_a_frame_is_on_its_side() -> None:
    np.testing.assert_allclose(down_in_map(LOOSE, walk()), [0.0, 0.0, -1.0], atol=0.02)
    for frame in (LOOSE, TIED):
        np.testing.assert_allclose(down_in_map(frame, turned(walk())), [0.0, 1.0, 0.0], atol=0.02)


def test_cameras_that_all_look_one_way_tell_no_more_than_the_site() -> None:
    alike = [looking((0.1 * k, 0.0, 1.6), 0.5) for k in range(5)]
    np.testing.assert_array_equal(down_in_map(TIED, alike), [0.0, 0.0, -1.0])
    assert down_in_map(LOOSE, alike) is None
    assert down_in_map(TIED, turned(alike)) is None
