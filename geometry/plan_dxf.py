"""The shapes and texts of a DXF drawing, layer by layer, in metres, read by ``ezdxf``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, MissingExtraError, nearest_known
from geometry.geojson import MAX_COORDINATE_M, MAX_POINTS
from geometry.plan_units import METRES
from geometry.tables import read_bounded

Array = NDArray[np.float64]

INSTALL = "pip install 'tiepoint[dxf]'"
UNIT_CODES = {1: "in", 2: "ft", 4: "mm", 5: "cm", 6: "m", 10: "yd", 14: "dm"}
"""Units of length by their number in the header variable $INSUNITS; 0 is none."""
CURVE_TOLERANCE_M = 0.01
MAX_ENTITIES = 200_000
"""More, also in blocks of blocks, are refused."""
MAX_DEPTH = 16
CLOSED_M = 0.001
_LINES = ("LINE", "LWPOLYLINE", "POLYLINE", "ARC", "CIRCLE", "ELLIPSE", "SPLINE")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A line or a text of a drawing.

    points: (N, 2) metres; of a text, where it begins. A closed line doesn't repeat its first point
    z: height of its first point in metres
    text: None for a line; rotation_deg: of a text, counter-clockwise
    block: the handle of the block reference that it is part of, "" for none
    """

    kind: str
    handle: str
    layer: str
    points: Array
    z: float = 0.0
    closed: bool = False
    text: str | None = None
    rotation_deg: float = 0.0
    block: str = ""

    @property
    def where(self) -> str:
        """Name it for an error message."""
        return f"{self.kind} #{self.handle} on layer '{self.layer}'"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a drawing shows; ``left_out`` counts entities of types that are not read, by layer and type."""

    path: str
    unit: str
    shapes: tuple[Drawn, ...]
    left_out: dict[tuple[str, str], int] = field(default_factory=dict)


def is_drawing(path: str | PathLike[str], content: bytes) -> bool:
    """Tell whether a file is a DXF or DWG drawing or claims to be one."""
    return Path(path).suffix.lower() in (".dxf", ".dwg") or content[:4] == b"AC10" or b"SECTION" in content[:400]


def read_drawing(path: str | PathLike[str], *, units: str | None = None) -> Drawing:
    """Read a DXF drawing's model space; ``units`` are those of its coordinates, None for what its header says.

    Blocks are taken apart; what is on layer "0" in them is on the layer of their reference. Raises ``InputError`` for
    a file that is damaged, no DXF, too large or without a unit, and ``MissingExtraError`` without ``ezdxf``.
    """
    document = _load(path)
    unit = units if units is not None else _unit(document, str(path))
    if unit not in METRES:
        raise InputError(f"there is no unit '{unit}'", where=str(path), remedy=nearest_known(unit, METRES))
    shapes: list[Drawn] = []
    left_out: dict[tuple[str, str], int] = {}
    try:
        for number, (entity, layer, block) in enumerate(_entities(document.modelspace())):
            if number >= MAX_ENTITIES:
                remedy = "Export only the layers that the plan needs."
                raise InputError(f"it has more than {MAX_ENTITIES} entities", where=str(path), remedy=remedy)
            drawn = _drawn(entity, layer, block, METRES[unit], str(path))
            if drawn is not None:
                shapes.append(drawn)
            else:
                key = layer, entity.dxftype()
                left_out[key] = left_out.get(key, 0) + 1
    except InputError:
        raise
    except Exception as error:  # the library takes damaged entities as they come and trips over them in many ways
        raise InputError(f"an entity is damaged: {error}", where=str(path), remedy="Export it again.") from error
    return Drawing(path=str(path), unit=unit, shapes=tuple(shapes), left_out=left_out)


def _load(path: str | PathLike[str]) -> Any:
    try:
        import ezdxf
    except ImportError as error:
        raise MissingExtraError("ezdxf", INSTALL) from error
    content = read_bounded(path)
    if content[:4] == b"AC10":
        raise InputError("it is a DWG drawing", where=str(path), remedy="Save it as DXF.")
    binary = content.startswith(b"AutoCAD Binary DXF")
    if not binary and b"SECTION" not in content[:4000]:
        raise InputError("it is not a DXF drawing", where=str(path), remedy="Export it as DXF, not as another format.")
    if not binary and not content.rstrip().endswith(b"EOF"):
        raise InputError(
            "the drawing breaks off: it has no end mark", where=str(path), remedy="Copy or export it again."
        )
    try:
        return ezdxf.readfile(path)
    except Exception as error:  # as above
        raise InputError(f"it is damaged: {error}", where=str(path), remedy="Export it again as DXF.") from error


def _unit(document: Any, path: str) -> str:
    code = document.header.get("$INSUNITS", 0)
    if code not in UNIT_CODES:
        what = f"it doesn't say in which unit it is drawn ($INSUNITS is {code})"
        raise InputError(what, where=path, remedy=f"Say units, one of {', '.join(METRES)}.")
    return UNIT_CODES[code]


def _entities(entities: Any, layer: str = "", block: str = "", depth: int = 0) -> Iterator[tuple[Any, str, str]]:
    """Return entities with their layer and block, those of block references instead of these."""
    for entity in entities:
        own = entity.dxf.get("layer", "0")
        on = layer if layer and own == "0" else own
        if entity.dxftype() != "INSERT":
            yield entity, on, block
            continue
        if depth >= MAX_DEPTH:
            raise InputError(f"blocks are nested more than {MAX_DEPTH} deep", where=f"INSERT on layer '{on}'")
        handle = block or str(entity.dxf.handle)
        for single in entity.multi_insert() if entity.mcount > 1 else (entity,):
            inside = f"{handle}.{single.dxf.insert.x:.3f},{single.dxf.insert.y:.3f}" if entity.mcount > 1 else handle
            yield from _entities(single.virtual_entities(), on, inside, depth + 1)
            yield from ((attribute, on, inside) for attribute in single.attribs)


def _drawn(entity: Any, layer: str, block: str, metres: float, path: str) -> Drawn | None:
    """Return what an entity shows, None for a type that is not read."""
    kind = entity.dxftype()
    handle = str(block or entity.dxf.handle)
    shape: dict[str, Any] = {"kind": kind, "handle": handle, "layer": layer, "block": block}
    if kind in ("TEXT", "MTEXT", "ATTRIB"):
        place = entity.dxf.insert if kind == "MTEXT" else entity.ocs().to_wcs(entity.get_placement()[1])
        rotation = entity.get_rotation() if kind == "MTEXT" else entity.dxf.rotation
        points = np.array([[*place]], dtype=np.float64) * metres
        shape |= {"text": " ".join(entity.plain_text().split()), "rotation_deg": float(rotation)}
    elif kind in _LINES and not (kind == "POLYLINE" and entity.get_mode() not in ("AcDb2dPolyline", "AcDb3dPolyline")):
        points = _path(entity, metres, f"{path}: {kind} #{handle} on layer '{layer}'")
    else:
        return None
    where = f"{path}: {kind} #{handle} on layer '{layer}'"
    if not (np.abs(points) <= MAX_COORDINATE_M).all():
        raise InputError(f"a coordinate is not finite or above {MAX_COORDINATE_M:g} m", where=where)
    if kind in _LINES:
        closed = len(points) > 2 and bool(np.linalg.norm(points[0] - points[-1]) <= CLOSED_M)
        shape["closed"] = closed
        points = points[:-1] if closed else points
    return Drawn(**shape, points=points[:, :2], z=float(points[0, 2]))


def _path(entity: Any, metres: float, where: str) -> Array:
    """Return points (N, 3) along an entity, of curves so many that they are off by ``CURVE_TOLERANCE_M`` at most."""
    from ezdxf.path import make_path

    if entity.dxftype() == "LINE":
        points = [entity.dxf.start, entity.dxf.end]
    elif not np.isfinite([*_extent(entity)]).all():
        raise InputError("a coordinate is not finite", where=where)
    else:
        points = list(make_path(entity).flattening(CURVE_TOLERANCE_M / metres))
    if not 2 <= len(points) <= MAX_POINTS:
        raise InputError(f"it has {len(points)} points, a line has 2 to {MAX_POINTS}", where=where)
    found = np.array([[*point] for point in points], dtype=np.float64) * metres
    repeated = np.append(False, (np.diff(found, axis=0) == 0).all(axis=1))
    return found[~repeated]


def _extent(entity: Any) -> Iterator[float]:
    """Return the numbers that define a curve, which must be finite before it is followed."""
    kind = entity.dxftype()
    if kind == "LWPOLYLINE":
        yield from (number for point in entity.get_points() for number in point)
    elif kind == "POLYLINE":
        yield from (
            number for vertex in entity.vertices for number in (*vertex.dxf.location, vertex.dxf.get("bulge", 0))
        )
    elif kind == "SPLINE":
        yield from (float(number) for point in (*entity.control_points, *entity.fit_points) for number in point)
    else:
        yield from entity.dxf.center
        yield from entity.dxf.major_axis if kind == "ELLIPSE" else (entity.dxf.radius,)
