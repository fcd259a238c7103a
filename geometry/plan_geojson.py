"""A floor plan as a GeoJSON FeatureCollection, as GIS programs read and write it.

Each element is a feature with its geometry and these properties: ``element`` ("level", "ramp", "stall", "lane", "wall",
"pillar", "zone", "gate", "sign" or "exclusion"), and the keys that it has in plan.json: ``id``, ``level``, ``kind`` and
so on. The collection's ``frame`` says what coordinates are: "site" metres (or ``units``), or "wgs84" degrees, longitude
first (RFC 7946). Elevations and directions are the site's in both.
"""

import json
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from geometry.errors import InputError, nearest_known
from geometry.floorplan import KINDS, FloorPlan
from geometry.georeference import Georeference
from geometry.tables import write_atomic

Array = NDArray[np.float64]
Transform = Callable[[Array], Array]

FRAMES = ("site", "wgs84")
ELEMENTS = {kind[:-1]: kind for kind in KINDS}
GEOMETRY = {"levels": "outline", "lanes": "line", "walls": "line", "gates": "line", "signs": "position"}
"""The key in plan.json of an element's geometry; that of the other kinds is "polygon"."""
_COLLECTION_KEYS = ("type", "features", "frame", "units", "meta", "name", "crs", "bbox")
_PARTS = {"MultiPolygon": "Polygon", "MultiLineString": "LineString", "MultiPoint": "Point"}


def plan_content(
    collection: dict[str, Any], path: str, *, frame: str, georeference: Georeference | None
) -> dict[str, Any]:
    """Return the content of a plan.json, in the collection's own unit, of a FeatureCollection.

    Properties that are null count as absent, heights of all but signs are left out, a Multi- geometry of one part is
    that part. Raises ``InputError`` naming the feature.
    """
    for key in collection:
        if key not in _COLLECTION_KEYS:
            raise InputError(f"unknown key '{key}'", where=path, remedy=nearest_known(key, _COLLECTION_KEYS))
    features = collection.get("features")
    if not isinstance(features, list):
        raise InputError("'features' is not a list", where=path, remedy="Give a GeoJSON FeatureCollection.")
    content: dict[str, Any] = {"format": 1, "units": "m", "levels": [], "meta": collection.get("meta") or {}}
    for number, feature in enumerate(features):
        kind, element = _element(feature, f"{path}: features[{number}]")
        if frame == "wgs84":
            field = GEOMETRY.get(kind, "polygon")
            where = f"{path}: {kind[:-1]} '{element['id']}'" if "id" in element else f"{path}: features[{number}]"
            element[field] = _in_site(element[field], georeference, where)
        content.setdefault(kind, []).append(element)
    return content


def write_plan_geojson(path: str | PathLike[str], plan: FloorPlan, *, georeference: Georeference | None = None) -> None:
    """Write a plan as GeoJSON, an element a line: in site metres, or with a georeference in WGS84.

    In site metres it reads back equal; in WGS84 to a micrometre 300 m from the origin, to 2 mm 5 km from it.
    """
    head = {"type": "FeatureCollection", "frame": "site" if georeference is None else "wgs84"}
    if georeference is None:
        head["units"] = "m"
    lines = [json.dumps(_feature(kind, element, georeference)) for kind in KINDS for element in getattr(plan, kind)]
    members = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**head, "meta": plan.meta}.items()]
    features = '"features": [\n' + ",\n".join(lines) + "\n]"
    write_atomic(path, ("{\n" + ",\n".join([*members, features]) + "\n}\n").encode())


def _element(feature: Any, where: str) -> tuple[str, dict[str, Any]]:
    """Return the kind of a feature and the element as it is in plan.json."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InputError("it is not a GeoJSON Feature", where=where)
    properties = feature.get("properties")
    properties = {k: v for k, v in properties.items() if v is not None} if isinstance(properties, dict) else {}
    if "id" not in properties and isinstance(feature.get("id"), str | int):
        properties["id"] = str(feature["id"])
    properties.pop("meta", None)
    word = properties.pop("element", None)
    named = f"{where} '{properties['id']}'" if "id" in properties else where
    if word is None:
        remedy = f"Give each feature the property 'element', one of {', '.join(ELEMENTS)}."
        raise InputError("the property 'element' is missing", where=named, remedy=remedy)
    if word not in ELEMENTS:
        raise InputError(f"there is no element '{word}'", where=named, remedy=nearest_known(str(word), ELEMENTS))
    kind = ELEMENTS[word]
    if kind == "walls":
        properties.pop("id", None)  # plan.json's walls have none
    geometry = _single(feature.get("geometry"), named)
    return kind, {**properties, GEOMETRY.get(kind, "polygon"): geometry if kind == "signs" else _flat(geometry)}


def _single(geometry: Any, where: str) -> dict[str, Any]:
    if not isinstance(geometry, dict) or "coordinates" not in geometry:
        raise InputError("the feature has no geometry", where=where, remedy="Delete it, or draw it.")
    kind, coordinates = geometry.get("type"), geometry["coordinates"]
    if kind in _PARTS and isinstance(coordinates, list):
        if len(coordinates) != 1:
            remedy = "Make each part a feature of its own."
            raise InputError(f"its {kind} has {len(coordinates)} parts", where=where, remedy=remedy)
        return {"type": _PARTS[kind], "coordinates": coordinates[0]}
    return {"type": kind, "coordinates": coordinates}


def _flat(geometry: dict[str, Any]) -> dict[str, Any]:
    """Leave out heights: the level tells them."""

    def flat(value: Any) -> Any:
        if isinstance(value, list) and value and not isinstance(value[0], list):
            return value[:2] if len(value) == 3 else value
        return [flat(each) for each in value] if isinstance(value, list) else value

    return geometry | {"coordinates": flat(geometry["coordinates"])}


def _in_site(geometry: dict[str, Any], georeference: Georeference | None, where: str) -> dict[str, Any]:
    if georeference is None:
        remedy = 'Give the site\'s georeference, or, if they are site metres, say "frame": "site" in the file.'
        raise InputError(
            "its coordinates are WGS84 and the site's place on Earth is not known", where=where, remedy=remedy
        )

    def sited(value: Any) -> Any:
        if _is_position(value):
            return _site_positions([value], georeference, where)[0]
        if isinstance(value, list) and value and all(_is_position(each) for each in value):
            return _site_positions(value, georeference, where)
        return [sited(each) for each in value] if isinstance(value, list) else value

    return geometry | {"coordinates": sited(geometry["coordinates"])}


def _is_position(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not isinstance(value[0], list)


def _site_positions(positions: list[list[Any]], georeference: Georeference, where: str) -> list[list[float]]:
    """Return positions in site, with a z where they have a height; those without lie at the height of the origin."""
    rows = [[*position, georeference.height_m][:3] for position in positions]
    if not all(len(row) == 3 and all(type(number) in (int, float) for number in row) for row in rows):
        raise InputError("a position is a list of longitude and latitude", where=where)
    degrees = np.array(rows, dtype=np.float64)
    wrong = np.flatnonzero(~((np.abs(degrees[:, :2]) <= (180.0, 90.0)).all(axis=1) & np.isfinite(degrees[:, 2])))
    if len(wrong):
        longitude, latitude, _ = rows[wrong[0]]
        remedy = 'Give degrees, or, if they are site metres, say "frame": "site" in the file.'
        raise InputError(f"({longitude}, {latitude}) is not longitude and latitude", where=where, remedy=remedy)
    in_site = georeference.site_from_wgs84(degrees[:, [1, 0, 2]]).tolist()
    return [row[: len(position)] for row, position in zip(in_site, positions, strict=True)]


def _feature(kind: str, element: Any, georeference: Georeference | None) -> dict[str, Any]:
    field = GEOMETRY.get(kind, "polygon")
    properties = element.model_dump(mode="json", by_alias=True, exclude={field}, exclude_none=True)
    shape = getattr(element, field)
    if georeference is not None:
        has_z = bool(shapely.has_z(shape))

        def to_degrees(points: Array) -> Array:
            rows = points if has_z else np.column_stack([points, np.zeros(len(points))])
            return georeference.wgs84_from_site(rows)[:, [1, 0, 2]][:, : points.shape[1]]

        shape = shapely.transform(shape, to_degrees, include_z=has_z)
    geometry = json.loads(json.dumps(mapping(shape)))
    return {"type": "Feature", "properties": {"element": kind[:-1], **properties}, "geometry": geometry}
