"""The floor plan of a site (plan.json): levels, ramps, stalls, lanes and what stands on them, and its file.

Geometries are shapely's, in site metres, and GeoJSON objects in the file; only a sign's position has a z. What the
order of points means:

- a stall's first edge is the lane-side, open edge, and its ring goes on counter-clockwise;
- a ramp is a quadrilateral whose first edge is at its ``from`` end; ``profile`` lists (s, z), s in metres from that
  edge along the ramp to the third edge, z in site. It is an opening in the slab of its upper level;
- a lane runs in driving direction; on a ramp, its level is the one where it starts;
- a sign's ``position`` is the centre of its board and ``normal`` the unit direction out of the board's face.
"""

import json
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from geometry.errors import InputError, nearest_known
from geometry.geojson import MAX_COORDINATE_M, GeoJson
from geometry.tables import read_bounded, write_atomic
from geometry.validation import first_problem

EDGE_TOLERANCE_M = 0.05
"""A stall may stick out of its level's outline by this much."""

Polygon = Annotated[shapely.Polygon, GeoJson("Polygon")]
LineString = Annotated[shapely.LineString, GeoJson("LineString")]
Position = Annotated[shapely.Point, GeoJson("Point", 3)]
Id = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
Text = Annotated[str, Field(max_length=1000)]
Metres = Annotated[float, Field(ge=-MAX_COORDINATE_M, le=MAX_COORDINATE_M)]
Extent = Annotated[float, Field(gt=0, le=MAX_COORDINATE_M)]
MANY = Field(max_length=100_000)


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )


class Level(_Strict):
    """A floor at ``elevation``, with ``ceiling`` metres of clear height, none outdoors."""

    id: Id
    name: Text = ""
    elevation: Metres
    ceiling: Extent | None = None
    outline: Polygon


class Ramp(_Strict):
    """A slope between two levels; the module's text says how it runs."""

    id: Id
    from_level: Id = Field(alias="from")
    to_level: Id = Field(alias="to")
    polygon: Polygon
    profile: Annotated[tuple[tuple[Metres, Metres], ...], Field(min_length=2, max_length=1000)]


class Stall(_Strict):
    """A parking space; ``kind`` is a word such as "standard" or "disabled"."""

    id: Id
    level: Id
    polygon: Polygon
    kind: Text = "standard"


class Lane(_Strict):
    """A driving lane; ``to`` lists the lanes that can follow it."""

    id: Id
    level: Id
    line: LineString
    width: Extent = 3.0
    oneway: bool = True
    speed_mps: Annotated[float, Field(gt=0, le=100)] = 3.0
    to: tuple[Id, ...] = ()


class Wall(_Strict):
    """An upright wall on the floor; ``line`` is its middle."""

    level: Id
    line: LineString
    height: Extent
    thickness: Extent = 0.2


class Pillar(_Strict):
    """A column from floor to ceiling."""

    id: Id
    level: Id
    polygon: Polygon


class Zone(_Strict):
    """A named part of a level."""

    id: Id
    level: Id
    polygon: Polygon
    name: Text = ""


class Gate(_Strict):
    """A line vehicles cross to enter or leave the site."""

    id: Id
    level: Id
    line: LineString
    direction: Literal["in", "out", "both"]


class Sign(_Strict):
    """A board with text, ``width`` x ``height`` metres."""

    id: Id
    level: Id
    position: Position
    normal: tuple[Metres, Metres, Metres]
    text: Text
    width: Extent
    height: Extent


class Exclusion(_Strict):
    """Ground that nothing can stand on: a crate, a booth, a planter."""

    id: Id
    level: Id
    polygon: Polygon


class FloorPlan(_Strict):
    """A whole plan, consistent: ids are unique, references exist, polygons are simple, stalls lie on their level.

    Otherwise raises ``InputError`` that names the element, and pydantic's ``ValidationError`` for a value of a wrong
    type. A reference from one kind to another is by id.
    """

    format: Literal[1] = 1
    units: Literal["m"] = "m"
    levels: Annotated[tuple[Level, ...], MANY]
    ramps: Annotated[tuple[Ramp, ...], MANY] = ()
    stalls: Annotated[tuple[Stall, ...], MANY] = ()
    lanes: Annotated[tuple[Lane, ...], MANY] = ()
    walls: Annotated[tuple[Wall, ...], MANY] = ()
    pillars: Annotated[tuple[Pillar, ...], MANY] = ()
    zones: Annotated[tuple[Zone, ...], MANY] = ()
    gates: Annotated[tuple[Gate, ...], MANY] = ()
    signs: Annotated[tuple[Sign, ...], MANY] = ()
    exclusions: Annotated[tuple[Exclusion, ...], MANY] = ()
    meta: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for kind in KINDS:
            elements = getattr(self, kind)
            _check_ids(kind, elements)
            _check_levels(kind, elements, [level.id for level in self.levels])
            _check_geometries(kind, elements)
        _check_lane_targets(self.lanes)
        _check_ramps(self.ramps)
        _check_normals(self.signs)
        _check_stalls(self.stalls, self.levels)
        return self


KINDS: dict[str, type[_Strict]] = {
    name: get_args(field.annotation)[0]
    for name, field in FloorPlan.model_fields.items()
    if get_origin(field.annotation) is tuple
}


def read_plan(path: str | PathLike[str]) -> FloorPlan:
    """Read plan.json; ``InputError`` names the element and, for an unknown key, the nearest known one."""
    return plan_from_json(read_bounded(path), path)


def plan_from_json(content: bytes, path: str | PathLike[str]) -> FloorPlan:
    """Return the plan in the content of a plan.json, as ``read_plan`` does; ``path`` is for error messages."""
    try:
        return FloorPlan.model_validate_json(content)
    except ValidationError as error:
        raise _file_error(error, content, path) from error
    except InputError as error:
        raise InputError(error.what, where=f"{path}: {error.where}", remedy=error.remedy) from error


def write_plan(path: str | PathLike[str], plan: FloorPlan) -> None:
    """Write plan.json, an element a line; it reads back equal."""
    content = plan.model_dump(mode="json", by_alias=True)
    lines = [f'"{key}": {_lines(value)}' for key, value in content.items() if value or key == "levels"]
    write_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(element)}" for element in value) + "\n]"


def _file_error(error: ValidationError, content: bytes, path: str | PathLike[str]) -> InputError:
    problem, unknown = first_problem(error)
    location = problem["loc"]
    by_itself = unknown or problem["type"] == "missing"
    where = ": ".join([str(path), *_place(content, location[:-1] if by_itself else location)])
    if problem["type"] == "missing":
        return InputError(f"'{location[-1]}' is missing", where=where)
    if location == ("format",):
        return InputError(
            "this is not format 1", where=where, remedy="Read it with a newer Tiepoint, or export it again."
        )
    if unknown:
        model = KINDS[str(location[0])] if len(location) > 1 else FloorPlan
        keys = [field.alias or name for name, field in model.model_fields.items()]
        return InputError(f"unknown key '{location[-1]}'", where=where, remedy=nearest_known(str(location[-1]), keys))
    return InputError(problem["msg"].removeprefix("Value error, "), where=where)


def _place(content: bytes, location: Sequence[str | int]) -> list[str]:
    """Name the element and the key at a location such as ("stalls", 3, "polygon")."""
    if len(location) < 2:
        return [f"'{key}'" for key in location]
    kind, index, *keys = location
    entry = from_json(content)[kind][index]
    name = entry.get("id") if isinstance(entry, dict) else None
    element = f"{str(kind)[:-1]} '{name}'" if isinstance(name, str) else f"{kind}[{index}]"
    return [element, ".".join(map(str, keys))] if keys else [element]


def _name(kind: str, elements: Sequence[Any], index: int) -> str:
    element = elements[index]
    return f"{kind[:-1]} '{element.id}'" if hasattr(element, "id") else f"{kind[:-1]} {index}"


def _check_ids(kind: str, elements: Sequence[Any]) -> None:
    seen: set[str] = set()
    for index, element in enumerate(elements):
        id = getattr(element, "id", None)
        if id in seen:
            raise InputError("the id occurs twice", where=_name(kind, elements, index), remedy="Rename one of them.")
        if id is not None:
            seen.add(id)


def _check_levels(kind: str, elements: Sequence[Any], known: Iterable[str]) -> None:
    known = set(known)
    for index, element in enumerate(elements):
        for key in ("level", "from_level", "to_level"):
            level = getattr(element, key, None)
            if level is not None and level not in known:
                where = _name(kind, elements, index)
                raise InputError(f"there is no level '{level}'", where=where, remedy=nearest_known(level, known))


def _check_geometries(kind: str, elements: Sequence[Any]) -> None:
    for field in ("outline", "polygon", "line"):
        shapes = np.array([getattr(element, field, None) for element in elements], dtype=object)
        for index in np.flatnonzero(~(shapely.is_valid(shapes) | shapely.is_missing(shapes))):
            why = shapely.is_valid_reason(shapes[index])
            remedy = "List its points in order around it, without crossings and repetitions."
            raise InputError(
                f"the {field} is not simple: {why}", where=_name(kind, elements, int(index)), remedy=remedy
            )


def _check_lane_targets(lanes: Sequence[Lane]) -> None:
    known = {lane.id for lane in lanes}
    for lane in lanes:
        for target in lane.to:
            if target not in known:
                remedy = nearest_known(target, known)
                raise InputError(f"there is no lane '{target}' to go on to", where=f"lane '{lane.id}'", remedy=remedy)


def _check_ramps(ramps: Sequence[Ramp]) -> None:
    for ramp in ramps:
        if len(ramp.polygon.exterior.coords) != 5 or len(ramp.polygon.interiors):
            raise InputError("the polygon is not a quadrilateral", where=f"ramp '{ramp.id}'", remedy="Give 4 corners.")
        if ramp.profile[0][0] != 0 or np.any(np.diff([s for s, _ in ramp.profile]) <= 0):
            remedy = "List (s, z) from s = 0 with growing s."
            raise InputError("the profile is not in order", where=f"ramp '{ramp.id}'", remedy=remedy)


def _check_normals(signs: Sequence[Sign]) -> None:
    for sign in signs:
        if abs(np.linalg.norm(sign.normal) - 1) > 1e-3:
            raise InputError(
                "the normal is not of unit length", where=f"sign '{sign.id}'", remedy="Divide by its length."
            )


def _check_stalls(stalls: Sequence[Stall], levels: Sequence[Level]) -> None:
    outlines = {level.id: shapely.buffer(level.outline, EDGE_TOLERANCE_M) for level in levels}
    for outline in outlines.values():
        shapely.prepare(outline)
    inside = shapely.covers([outlines[stall.level] for stall in stalls], [stall.polygon for stall in stalls])
    for index in np.flatnonzero(~inside):
        stall = stalls[int(index)]
        remedy = "Move it, or correct its level or the level's outline."
        raise InputError(f"it lies outside level '{stall.level}'", where=f"stall '{stall.id}'", remedy=remedy)
