import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Georeference, pose_from_position
from twin.localization import localized, refusal
from twin.service.geopose import enu_from_site, in_site, with_geopose

GEOREFERENCES = st.builds(
    Georeference,
    latitude_deg=st.floats(-80, 80),
    longitude_deg=st.floats(-179, 179),
    height_m=st.floats(-100, 3000),
    heading_deg=st.floats(-180, 180),
)


@given(GEOREFERENCES, st.tuples(*[st.floats(-2000, 2000)] * 2, st.floats(-50, 50)))
def test_east_north_up_at_a_place(georeference, position):
    rotation = enu_from_site(georeference, np.array(position))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    # one metre up is one metre of height, and one metre north changes the latitude alone
    lat, lon, h = georeference.wgs84_from_site([position])[0]
    up = georeference.wgs84_from_site([np.array(position) + rotation[2]])[0]
    assert up[2] - h == pytest.approx(1.0, abs=1e-4)
    north = georeference.wgs84_from_site([np.array(position) + rotation[1]])[0]
    assert north[0] > lat
    assert abs(north[1] - lon) * 111_000 * np.cos(np.radians(lat)) < 1e-3


def test_at_the_origin_it_is_the_heading():
    georeference = Georeference(latitude_deg=52.5, longitude_deg=13.4, height_m=80.0, heading_deg=30.0)
    rotation = enu_from_site(georeference, np.zeros(3))
    heading = np.radians(30.0)
    np.testing.assert_allclose(rotation[:2, 1], [np.sin(heading), np.cos(heading)], atol=1e-6)


def test_a_camera_that_looks_north_does_so_in_geopose():
    georeference = Georeference(latitude_deg=52.5, longitude_deg=13.4, height_m=80.0, heading_deg=90.0)
    # site +y points east, so that north is site -x; the camera looks there: z ahead, x right (site +y), y down
    site_from_cam = np.column_stack([[0, 1, 0], [0, 0, -1], [-1, 0, 0]]).astype(float)
    quat = Rotation.from_matrix(site_from_cam).as_quat()
    pose = pose_from_position((3.0, 4.0, 1.5), quat)
    answer = localized("a.jpg", pose, np.diag([1e-6] * 3 + [0.01, 0.04, 0.09]), confidence=0.9, inliers=50)
    got = with_geopose(answer, georeference)
    assert got.geopose is not None
    quaternion = got.geopose.quaternion
    enu_from_cam = Rotation.from_quat([quaternion.x, quaternion.y, quaternion.z, quaternion.w]).as_matrix()
    np.testing.assert_allclose(enu_from_cam[:, 2], [0, 1, 0], atol=1e-5)
    assert got.geo_uncertainty is not None
    assert np.trace(got.geo_uncertainty.covariance_enu_m2) == pytest.approx(np.trace(answer.position_covariance))


def test_without_a_pose_or_a_georeference_there_is_none():
    georeference = Georeference(latitude_deg=52.5, longitude_deg=13.4, height_m=80.0, heading_deg=90.0)
    assert with_geopose(refusal("a.jpg", "flat"), georeference).geopose is None
    pose = pose_from_position((0, 0, 0), (0, 0, 0, 1))
    answer = localized("a.jpg", pose, np.eye(6), confidence=0.9, inliers=50)
    assert with_geopose(answer, None).geopose is None


@given(GEOREFERENCES, st.tuples(*[st.floats(-500, 500)] * 2))
def test_positions_come_back(georeference, xy):
    lat, lon, h = georeference.wgs84_from_site([(*xy, 1.0)])[0].tolist()
    np.testing.assert_allclose(in_site(georeference, lat, lon, h), (*xy, 1.0), atol=1e-5)
