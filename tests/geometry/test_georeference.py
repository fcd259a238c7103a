import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from geometry.errors import InputError
from geometry.georeference import Georeference
from tests.support import points

ORIGINS = [(47.4, 8.5), (-33.9, 151.2), (0.0, 0.0), (90.0, 0.0), (-90.0, 13.0), (10.0, 180.0), (10.0, -180.0)]
every_origin = pytest.mark.parametrize(("latitude", "longitude"), ORIGINS)


@every_origin
@given(points_in_site=points(1e4), heading=st.floats(-360, 360))
def test_round_trip_within_ten_kilometres(
    latitude: float, longitude: float, points_in_site: np.ndarray, heading: float
) -> None:
    georeference = Georeference(latitude, longitude, 430.0, heading)
    back = georeference.site_from_wgs84(georeference.wgs84_from_site(points_in_site))
    at_pole = abs(latitude) == 90  # within 6.4 m of a pole PROJ's height neglects the curvature: measured 3e-6 there
    np.testing.assert_allclose(back, points_in_site, atol=5e-6 if at_pole else 1e-6)  # measured 5e-9


@every_origin
def test_the_origin_is_where_it_is_said_to_be(latitude: float, longitude: float) -> None:
    georeference = Georeference(latitude, longitude, 430.0, 30.0)
    np.testing.assert_allclose(georeference.site_from_wgs84([[latitude, longitude, 430.0]]), 0.0, atol=1e-8)


@pytest.mark.parametrize("latitude", [47.4, -33.9, 0.0, 89.0])
@pytest.mark.parametrize("heading", [0.0, 37.0, 90.0, 180.0, -45.0, 359.0])
def test_axes_point_where_the_heading_says(latitude: float, heading: float) -> None:
    """Against geographiclib: 100 m along +y has the azimuth of the heading, along +x 90 degrees more."""
    georeference = Georeference(latitude, 8.5, 0.0, heading)
    latitudes, longitudes, _ = georeference.wgs84_from_site([[0, 100.0, 0], [100.0, 0, 0]]).T
    start = np.full(2, 8.5), np.full(2, latitude)
    azimuths, _, distances = Geod(ellps="WGS84").inv(*start, longitudes, latitudes)
    difference = (np.array(azimuths) - [heading, heading + 90] + 180) % 360 - 180
    assert np.abs(difference).max() < 1e-6  # degrees; measured 3e-10
    np.testing.assert_allclose(distances, 100.0, atol=1e-4)


def test_plus_y_with_heading_90_goes_east_and_z_goes_up() -> None:
    georeference = Georeference(47.4, 8.5, 430.0, 90.0)
    east, up = georeference.wgs84_from_site([[0, 100.0, 0], [0, 0, 5.0]])
    assert east[1] > 8.5 + 1e-3
    assert east[0] == pytest.approx(47.4, abs=1e-7)
    np.testing.assert_allclose(up, [47.4, 8.5, 435.0], atol=1e-8)


def test_the_frame_is_flat() -> None:
    height = Georeference(47.4, 8.5, 0.0, 0.0).wgs84_from_site([[10_000.0, 0, 0]])[0, 2]
    assert height == pytest.approx(10_000**2 / (2 * 6.388e6), rel=1e-3)  # 7.83 m


def test_longitudes_go_on_beyond_the_dateline() -> None:
    georeference = Georeference(10.0, 180.0, 0.0, 90.0)
    beyond = georeference.wgs84_from_site([[0, 100.0, 0]])
    assert -180 < beyond[0, 1] < -179.99
    np.testing.assert_allclose(georeference.site_from_wgs84(np.add(beyond, [0, 360, 0])), [[0, 100, 0]], atol=1e-6)


def test_no_points_give_no_points() -> None:
    assert Georeference(47.4, 8.5, 0.0, 0.0).wgs84_from_site(np.zeros((0, 3))).shape == (0, 3)
    assert Georeference(47.4, 8.5, 0.0, 0.0).site_from_wgs84(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("fields", [(91, 0, 0, 0), (0, 181, 0, 0), (0, 0, np.nan, 0), (0, 0, 0, np.inf)])
def test_impossible_origins_are_refused(fields: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="outside"):
        Georeference(*fields)


@pytest.mark.parametrize("positions", [[[np.nan, 0, 0]], [0.0, 0, 0], [[0.0, 0]]])
def test_bad_positions_are_refused(positions: list) -> None:
    georeference = Georeference(47.4, 8.5, 0.0, 0.0)
    for convert in (georeference.wgs84_from_site, georeference.site_from_wgs84):
        with pytest.raises(InputError, match="finite positions"):
            convert(positions)


def test_swapped_latitude_and_longitude_are_noticed_where_possible() -> None:
    with pytest.raises(InputError, match="latitude, longitude, height in this order"):
        Georeference(33.9, 151.2, 0.0, 0.0).site_from_wgs84([[151.2, 33.9, 0.0]])
