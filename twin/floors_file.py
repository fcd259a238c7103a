"""floors.json: the floors of a twin on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from geometry import Floors, InputError, LevelSurface, RampSurface, TwinDamagedError, read_bounded, write_atomic

FORMAT = 1
CARRIED = ("camera_height", "camera_height_sigma", "hand_sigma")
UNREADABLE = (InputError, ValueError, KeyError, TypeError, AttributeError, IndexError, shapely.errors.ShapelyError)


def write_floors(path: Path, floors: Floors) -> None:
    """Write floors; they read back equal."""
    content = {
        "format": FORMAT,
        "levels": [
            {
                "name": level.name,
                "area": mapping(level.area),
                "centre": level.centre.tolist(),
                "coefficients": level.coefficients.tolist(),
                "covariance": level.covariance.tolist(),
                "unevenness": float(level.unevenness),
                "support": int(level.support),
            }
            for level in floors.levels
        ],
        "ramps": [
            {
                "lower": int(ramp.lower),
                "upper": int(ramp.upper),
                "line": ramp.line.tolist(),
                "width": float(ramp.width),
                "s": ramp.s.tolist(),
                "z": ramp.z.tolist(),
                "sigma": ramp.sigma.tolist(),
                "support": int(ramp.support),
            }
            for ramp in floors.ramps
        ],
        "camera_height": float(floors.camera_height),
        "camera_height_sigma": float(floors.camera_height_sigma),
        "hand_sigma": float(floors.hand_sigma),
        "warnings": list(floors.warnings),
    }
    write_atomic(path, json.dumps(content, indent=1, allow_nan=False).encode())


def read_floors(path: Path) -> Floors:
    """Read floors. Raises ``TwinDamagedError`` for a file that is not what ``write_floors`` writes."""
    try:
        content = json.loads(read_bounded(path))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        carried = _array([content[key] for key in CARRIED], (len(CARRIED),)).tolist()
        levels = tuple(_level(level) for level in content["levels"])
        return Floors(
            levels=levels,
            ramps=tuple(_ramp(ramp, len(levels)) for ramp in content["ramps"]),
            **dict(zip(CARRIED, carried, strict=True)),
            warnings=tuple(map(str, content["warnings"])),
        )
    except UNREADABLE as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Restore it or map again.") from error


def _level(content: dict[str, Any]) -> LevelSurface:
    area = shape(content["area"])
    if area.geom_type not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"an area is no {area.geom_type}")
    return LevelSurface(
        name=str(content["name"]),
        area=area,
        centre=_array(content["centre"], (2,)),
        coefficients=_array(content["coefficients"], (3,)),
        covariance=_array(content["covariance"], (3, 3)),
        unevenness=float(content["unevenness"]),
        support=int(content["support"]),
    )


def _ramp(content: dict[str, Any], levels: int) -> RampSurface:
    stations = (len(content["s"]),)
    ends = int(content["lower"]), int(content["upper"])
    if not all(-1 <= end < levels for end in ends):
        raise ValueError(f"a ramp joins levels {ends} of {levels}")
    return RampSurface(
        lower=ends[0],
        upper=ends[1],
        line=_array(content["line"], (len(content["line"]), 2)),
        width=float(content["width"]),
        s=_array(content["s"], stations),
        z=_array(content["z"], stations),
        sigma=_array(content["sigma"], stations),
        support=int(content["support"]),
    )


def _array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers {shape}, got {array.shape}")
    return array
