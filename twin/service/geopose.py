"""Poses as OGC GeoPose 1.0 (Basic-Quaternion) and uncertainty about east, north and up."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.spatial.transform import Rotation

from geometry import Georeference, largest_sigma
from twin.localization import Localization, Vector3

Array = NDArray[np.float64]

STEP_M = 1.0


class GeoPosition(BaseModel):
    """WGS84: degrees, and metres above the ellipsoid."""

    model_config = ConfigDict(extra="forbid")

    lat: float
    lon: float
    h: float


class GeoQuaternion(BaseModel):
    """Rotation from the camera (x right, y down, z ahead) to east, north, up at the position."""

    model_config = ConfigDict(extra="forbid")

    x: float
    y: float
    z: float
    w: float


class GeoPose(BaseModel):
    """OGC 21-056r11, Basic-Quaternion."""

    model_config = ConfigDict(extra="forbid")

    position: GeoPosition
    quaternion: GeoQuaternion


class GeoUncertainty(BaseModel):
    """covariance_enu_m2: (3, 3) of the position along east, north, up; sigmas: of the longest axis, and of height."""

    covariance_enu_m2: list[list[float]]
    horizontal_sigma_m: float
    vertical_sigma_m: float


class Match(BaseModel):
    """A landmark that agrees with the pose: its pixel in the upright photo, and its place in site."""

    pixel: tuple[float, float]
    point: Vector3


class LocalizedPhoto(Localization):
    """A line of localizations.jsonl, and in a georeferenced twin the same in WGS84."""

    geopose: GeoPose | None = None
    geo_uncertainty: GeoUncertainty | None = None
    matches: list[Match] | None = None


def enu_from_site(georeference: Georeference, position: Array) -> Array:
    """Return the rotation (3, 3) from site to east, north, up as they are at a position (3,) in site.

    East and north turn with the place, by 3e-5 degrees a metre at 70 degrees of latitude. How latitude and
    longitude change along the axes of site tells them.
    """
    steps = np.vstack([position + STEP_M * np.eye(3), position - STEP_M * np.eye(3)])
    geodetic = georeference.wgs84_from_site(steps)
    change = (geodetic[:3] - geodetic[3:]) / (2 * STEP_M)
    north, east, up = change[:, 0], change[:, 1], change[:, 2]
    up = up / np.linalg.norm(up)
    east = east - up * (east @ up)
    east = east / np.linalg.norm(east)
    assert north @ np.cross(up, east) > 0
    return np.stack([east, np.cross(up, east), up])


def with_geopose(answer: Localization, georeference: Georeference | None) -> LocalizedPhoto:
    """Return an answer with its pose and covariance in WGS84, where there is a pose and a georeference."""
    fields = answer.model_dump()
    if georeference is None or answer.position is None or answer.quat_xyzw is None:
        return LocalizedPhoto(**fields)
    rotation = enu_from_site(georeference, np.array(answer.position))
    ((latitude, longitude, height),) = georeference.wgs84_from_site([answer.position]).tolist()
    x, y, z, w = (Rotation.from_matrix(rotation) * Rotation.from_quat(answer.quat_xyzw)).as_quat().tolist()
    covariance = rotation @ np.array(answer.position_covariance) @ rotation.T
    return LocalizedPhoto(
        **fields,
        geopose=GeoPose(
            position=GeoPosition(lat=latitude, lon=longitude, h=height), quaternion=GeoQuaternion(x=x, y=y, z=z, w=w)
        ),
        geo_uncertainty=GeoUncertainty(
            covariance_enu_m2=covariance.tolist(),
            horizontal_sigma_m=largest_sigma(covariance[:2, :2]),
            vertical_sigma_m=float(np.sqrt(covariance[2, 2])),
        ),
    )


def matches_of(found: Array | None) -> list[Match] | None:
    """Return matches (N, 5) as they are answered, None where nobody asked."""
    if found is None:
        return None
    return [Match(pixel=(u, v), point=(x, y, z)) for u, v, x, y, z in np.round(found, 4).tolist()]


def in_site(georeference: Georeference, latitude: float, longitude: float, height: float | None) -> Vector3:
    """Return a WGS84 position in site; without a height it lies at that of the site's origin."""
    at = georeference.height_m if height is None else height
    ((x, y, z),) = georeference.site_from_wgs84([[latitude, longitude, at]]).tolist()
    return x, y, z
