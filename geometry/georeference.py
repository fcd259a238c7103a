"""The tie between the site's frame and WGS84: a tangent frame at an origin, turned by a heading.

East, north, up from the site: e = x cos h + y sin h, n = -x sin h + y cos h, u = z with the heading h of +y clockwise
from north. The frame is flat (topocentric), so the height above the ellipsoid grows with the distance squared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from pyproj.enums import TransformDirection

from geometry.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Georeference:
    """Where the site's origin is and where its +y axis points.

    latitude_deg, longitude_deg: WGS84; height_m: above the ellipsoid; heading_deg: of +y, clockwise from north
    """

    latitude_deg: float
    longitude_deg: float
    height_m: float
    heading_deg: float

    def __post_init__(self) -> None:
        bounds = {"latitude_deg": 90.0, "longitude_deg": 180.0, "height_m": 1e5, "heading_deg": 360.0}
        for name, bound in bounds.items():
            value = getattr(self, name)
            if not abs(value) <= bound:
                raise InputError(f"{name} is {value}, outside [{-bound:g}, {bound:g}]", where="georeference")

    def wgs84_from_site(self, points_in_site: ArrayLike) -> Array:
        """Return (N, 3) latitude in degrees, longitude in degrees, ellipsoidal height of points (N, 3) in site."""
        east, north, up = (_rows(points_in_site) @ self._enu_from_site().T).T
        back = TransformDirection.INVERSE
        longitude, latitude, height = self._enu_from_wgs84().transform(east, north, up, direction=back, errcheck=True)
        return np.stack([latitude, longitude, height], axis=1)

    def site_from_wgs84(self, positions_wgs84: ArrayLike) -> Array:
        """Return points (N, 3) in site metres from (N, 3) latitude, longitude (degrees) and ellipsoidal height.

        Raises ``InputError`` where a number is not finite or a latitude is beyond a pole.
        """
        latitude, longitude, height = _rows(positions_wgs84).T
        if np.abs(latitude).max(initial=0.0) > 90.0:
            remedy = "Give latitude, longitude, height in this order, in degrees and metres."
            raise InputError(f"a latitude of {np.abs(latitude).max()} degrees is beyond the pole", remedy=remedy)
        enu = self._enu_from_wgs84().transform(longitude, latitude, height, errcheck=True)
        return np.stack(enu, axis=1) @ self._enu_from_site()

    def _enu_from_site(self) -> Array:
        heading = np.radians(self.heading_deg)
        cos, sin = np.cos(heading), np.sin(heading)
        return np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])

    def _enu_from_wgs84(self) -> Transformer:
        return Transformer.from_pipeline(
            "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +ellps=WGS84 +step "
            f"+proj=topocentric +ellps=WGS84 +lon_0={self.longitude_deg!r} +lat_0={self.latitude_deg!r} "
            f"+h_0={self.height_m!r}"
        )


def _rows(positions: ArrayLike) -> Array:
    rows = np.asarray(positions, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3 or not np.isfinite(rows).all():
        raise InputError(f"expected finite positions (N, 3), got {rows.shape}")
    return rows
