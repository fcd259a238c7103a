"""floors.json: the floors of a twin on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from geometry import Floors, LevelSurface, RampSurface, TwinDamagedError, read_bounded, write_atomic

FORMAT = 1


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
    write_atomic(path, json.dumps(content, indent=1).encode())


def read_floors(path: Path) -> Floors:
    """Read floors. Raises ``TwinDamagedError`` for a file that is not what ``write_floors`` writes."""
    try:
        content = json.loads(read_bounded(path))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return Floors(
            levels=tuple(_level(level) for level in content["levels"]),
            ramps=tuple(_ramp(ramp) for ramp in content["ramps"]),
            camera_height=float(content["camera_height"]),
            camera_height_sigma=float(content["camera_height_sigma"]),
            hand_sigma=float(content["hand_sigma"]),
            warnings=tuple(map(str, content["warnings"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, shapely.errors.ShapelyError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Restore it or map again.") from error


def _level(content: dict[str, Any]) -> LevelSurface:
    return LevelSurface(
        name=str(content["name"]),
        area=shape(content["area"]),
        centre=_array(content["centre"], (2,)),
        coefficients=_array(content["coefficients"], (3,)),
        covariance=_array(content["covariance"], (3, 3)),
        unevenness=float(content["unevenness"]),
        support=int(content["support"]),
    )


def _ramp(content: dict[str, Any]) -> RampSurface:
    stations = (len(content["s"]),)
    return RampSurface(
        lower=int(content["lower"]),
        upper=int(content["upper"]),
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
