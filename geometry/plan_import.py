"""Floor plans from files of any known format: plan.json, GeoJSON, DXF."""

from codecs import BOM_UTF8
from os import PathLike
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json

from geometry.errors import InputError, nearest_known
from geometry.floorplan import FloorPlan, plan_from_json
from geometry.georeference import Georeference
from geometry.plan_dxf import is_drawing, read_drawing
from geometry.plan_from_drawing import plan_content_of_drawing
from geometry.plan_geojson import FRAMES, plan_content
from geometry.plan_layers import DEFAULT_LAYERS, LayerMap, read_layer_map
from geometry.plan_units import METRES, in_metres, looks_like, sides
from geometry.tables import read_bounded


def import_plan(
    path: str | PathLike[str],
    *,
    georeference: Georeference | None = None,
    layers: LayerMap | str | PathLike[str] | None = None,
    units: str | None = None,
) -> FloorPlan:
    """Read a floor plan from plan.json, a GeoJSON FeatureCollection or a DXF drawing.

    georeference: where the site is on Earth, for GeoJSON in WGS84
    layers: what the layers of a DXF drawing hold, a ``LayerMap`` or its file; ``DEFAULT_LAYERS`` if None
    units: "m", "mm", "cm", "in", "ft" and so on; None for what the file says. With it, coordinates are the site's

    Raises ``InputError`` naming the element and what to do, also where stalls have a size that makes sense only in
    another unit: then say ``units``. Doubts that don't make a plan unusable are in ``plan_warnings``.
    """
    where = str(path)
    content = read_bounded(path)
    if is_drawing(path, content):
        layer_map = layers if isinstance(layers, LayerMap) else read_layer_map(layers) if layers else DEFAULT_LAYERS
        drawing = read_drawing(path, units=units or layer_map.units)
        return _checked(plan_content_of_drawing(drawing, layer_map), where, drawing.unit, sure=units is not None)
    data = _json(content, where)
    if data.get("type") != "FeatureCollection":
        unit = units or "m"
        return _checked(in_metres(data, unit) if unit != "m" else data, where, unit, sure=units is not None)
    frame = _frame(data, where, georeference, units)
    unit = "m" if frame == "wgs84" else units or data.get("units", "m")
    if unit not in METRES:
        raise InputError(f"there is no unit '{unit}'", where=where, remedy=nearest_known(str(unit), METRES))
    plan = plan_content(data, where, frame=frame, georeference=georeference)
    return _checked(in_metres(plan, unit), where, unit, sure=units is not None)


def _json(content: bytes, where: str) -> dict[str, Any]:
    try:
        data = from_json(content.removeprefix(BOM_UTF8))
    except ValueError as error:
        remedy = "Give a plan.json, a GeoJSON FeatureCollection or a DXF drawing, whole."
        raise InputError(f"it is not JSON: {error}", where=where, remedy=remedy) from error
    if not isinstance(data, dict):
        raise InputError("it is neither a plan.json nor a GeoJSON FeatureCollection", where=where)
    return data


def _frame(data: dict[str, Any], where: str, georeference: Georeference | None, units: str | None) -> str:
    """Return what a collection's coordinates are; nothing is concluded from how large they are."""
    frame = data.get("frame")
    if frame is not None and frame not in FRAMES:
        raise InputError(f"there is no frame '{frame}'", where=where, remedy=nearest_known(str(frame), FRAMES))
    if frame is None and units is None and georeference is None:
        remedy = (
            'Add "frame": "site" (metres) or "frame": "wgs84" (longitude, latitude) beside "type", '
            "or give units, or a georeference."
        )
        raise InputError("it doesn't say whether its coordinates are the site's or WGS84", where=where, remedy=remedy)
    if frame == "wgs84" and georeference is None:
        remedy = "Give the site's georeference: latitude, longitude, height and heading of its origin."
        raise InputError("it is in WGS84 and the site's place on Earth is not known", where=where, remedy=remedy)
    return str(frame) if frame is not None else "site" if units is not None else "wgs84"


def _checked(content: dict[str, Any], where: str, unit: str, *, sure: bool) -> FloorPlan:
    """Return the plan in the content of a plan.json; ``unit`` is that of the file, ``sure`` that somebody said so."""
    plan = plan_from_json(to_json(content, inf_nan_mode="constants"), where)
    widths = sides([stall.polygon for stall in plan.stalls])[:, 0]
    likely = None if sure else looks_like(widths / METRES[unit], unit)
    if likely is not None:
        what = f"the median stall is {np.median(widths):.3g} m wide if the unit is {unit}; it looks like {likely}"
        raise InputError(what, where=where, remedy=f"Say units='{likely}', or units='{unit}' if that is right.")
    return plan
