"""Authoring in Python: a ``Draft`` collects elements, places series of them, and returns a checked ``Facility``.

>>> from scenes.facility import Level, StallRow
>>> draft = Draft("yard")
>>> draft.add(Level(id="P1", elevation=0.0, outline=box_ring(0, 0, 20, 15)))
>>> draft.add(StallRow(id="P1-A", level="P1", start=(12.5, 5), along_deg=180, count=4))
>>> draft.facility().rows[0].count
4
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, get_args, get_origin

import numpy as np
import shapely
from pydantic import ValidationError

from geometry.errors import InputError, nearest_known
from geometry.validation import first_problem
from scenes.checks import check
from scenes.facility import Element, Facility, FixedCamera, Lane, Level, Light, Point, Sun, Tag, Traffic, Wall

ELEMENT_KINDS: dict[str, type[Element]] = {
    name: get_args(field.annotation)[0]
    for name, field in Facility.model_fields.items()
    if get_origin(field.annotation) is tuple
}
"""The element class of each tuple of ``Facility``, by the field's name."""


def box_ring(x_min: float, y_min: float, x_max: float, y_max: float) -> tuple[Point, Point, Point, Point]:
    """Return the corners of a rectangle, counter-clockwise from (x_min, y_min)."""
    return (x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)


class Draft:
    """A facility in the making; ``facility()`` checks and returns it.

    Everything that ``scenes.facility`` knows is put in by ``add``; the other methods place what comes in series.
    Names begin with the level's id and a dash, so that ``copy_level`` can rename them.
    """

    def __init__(self, name: str, seed: int = 0, **fields: Any) -> None:
        """Begin an empty facility; ``fields`` are further ones of ``Facility``, such as ``px_per_m``."""
        self._fields: dict[str, Any] = {"name": name, "seed": seed, **fields}
        self._elements: dict[type[Element], list[Any]] = {kind: [] for kind in ELEMENT_KINDS.values()}

    def add(self, *elements: Element) -> None:
        """Put elements in, whatever they are."""
        for element in elements:
            self._elements[type(element)].append(element)

    def put(self, kind: type[Element], /, **fields: Any) -> None:
        """Make an element of ``kind`` from its fields and put it in; ``InputError`` names it and the wrong field."""
        try:
            self.add(kind.model_validate(fields))
        except ValidationError as error:
            problem, unknown = first_problem(error)
            field = ".".join(map(str, problem["loc"]))
            where = f"{kind.__name__} '{fields.get('id')}'"
            remedy = nearest_known(field, kind.model_fields) if unknown else None
            raise InputError(f"{field}: {problem['msg']}", where=where, remedy=remedy) from error

    def facility(self, *, sun: Sun | None = None, traffic: Traffic | None = None) -> Facility:
        """Return the facility; ``InputError`` lists what is wrong with it."""
        elements: dict[str, Any] = {field: tuple(self._elements[kind]) for field, kind in ELEMENT_KINDS.items()}
        facility = Facility(**self._fields, **elements, sun=sun, traffic=traffic or Traffic())
        check(facility)
        return facility

    def walls(self, level: str, name: str, lines: Iterable[Sequence[Point]], **fields: Any) -> None:
        """Put in a wall a line, named ``level-name-1`` and so on; ``fields`` as of ``Wall``."""
        for number, line in enumerate(lines, start=1):
            self.add(Wall(id=f"{level}-{name}-{number}", level=level, line=tuple(line), **fields))

    def lane(self, level: str, name: str, line: Sequence[Point], **fields: Any) -> str:
        """Put in a lane named ``level-name`` and return its id; lanes shorter than 6 m have no arrow."""
        id = f"{level}-{name}"
        fields = {"arrows": shapely.LineString(line).length > 6.0} | fields
        self.add(Lane(id=id, level=level, line=tuple(line), **fields))
        return id

    def link(self, *ids: str) -> None:
        """Let each lane go on to the next of ``ids``, through a curved lane of its own where their ends are apart."""
        for first, second in pairwise(ids):
            source, target = self._lane(first), self._lane(second)
            via = second
            if shapely.distance(shapely.Point(source.line[-1]), shapely.Point(target.line[0])) > 1e-3:
                via = f"{first}+{second}"
                curve = _turn(source.line, target.line)
                options: dict[str, Any] = {
                    "width": target.width,
                    "speed_mps": min(2.5, target.speed_mps),
                    "arrows": False,
                }
                self.add(Lane(id=via, level=target.level, line=curve, to=(second,), **options))
            self._replace(source, source.model_copy(update={"to": (*source.to, via)}))

    def lights(
        self, level: str, name: str, xs: Sequence[float], ys: Sequence[float], *, off: Sequence[int] = (), **fields: Any
    ) -> None:
        """Hang a grid of lamps, named ``level-name-1`` and so on, row by row; those numbered in ``off`` are dark."""
        for number, (y, x) in enumerate(((y, x) for y in ys for x in xs), start=1):
            id = f"{level}-{name}-{number}"
            self.add(Light(id=id, level=level, at=(x, y), on=number not in off, **fields))

    def tag(self, level: str, at: Point, facing_deg: float, **fields: Any) -> None:
        """Put up the AprilTag with the next free id."""
        id = 1 + max((tag.id for tag in self._elements[Tag]), default=-1)
        self.add(Tag(id=id, level=level, at=at, facing_deg=facing_deg, **fields))

    def camera(self, id: str, level: str, at: Point, look_at: Point, *, height: float, **fields: Any) -> None:
        """Mount a camera ``height`` above the floor that looks at the floor at ``look_at``."""
        dx, dy = look_at[0] - at[0], look_at[1] - at[1]
        yaw, pitch = np.degrees([np.arctan2(dy, dx), -np.arctan2(height, np.hypot(dx, dy))]).round(2).tolist()
        self.add(FixedCamera(id=id, level=level, at=at, height=height, yaw_deg=yaw, pitch_deg=pitch, **fields))

    def copy_level(self, source: str, id: str, *, elevation: float, name: str) -> None:
        """Repeat a level and all that is on it, except ramps, at another elevation, as level ``id``.

        In names and in the texts of signs, the source's id becomes the new one; tags get the next free ids.
        """
        for kind, elements in self._elements.items():
            if kind is Level:
                level = next(level for level in elements if level.id == source)
                self.add(level.model_copy(update={"id": id, "name": name, "elevation": elevation}))
                continue
            for element in [element for element in elements if getattr(element, "level", None) == source]:
                self.add(element.model_copy(update=self._renamed(element, source, id)))

    def _renamed(self, element: Any, source: str, target: str) -> dict[str, Any]:
        """Return the fields of a copied element that differ."""
        if isinstance(element, Tag):
            return {"level": target, "id": 1 + max(tag.id for tag in self._elements[Tag])}

        def rename(text: str) -> str:
            return re.sub(rf"\b{re.escape(source)}\b", target, text)

        changed: dict[str, Any] = {"level": target, "id": rename(element.id)}
        if isinstance(element, Lane):
            changed["to"] = tuple(rename(lane) for lane in element.to)
        if getattr(element, "text", ""):
            changed["text"] = rename(element.text)
        return changed

    def _lane(self, id: str) -> Lane:
        return next(lane for lane in self._elements[Lane] if lane.id == id)

    def _replace(self, old: Element, new: Element) -> None:
        elements = self._elements[type(old)]
        elements[next(index for index, element in enumerate(elements) if element is old)] = new


def _turn(before: Sequence[Point], after: Sequence[Point], points: int = 9) -> tuple[Point, ...]:
    """Return a curve from the end of one line to the start of another, a cubic Bezier along both directions."""
    start, end = np.array(before[-1]), np.array(after[0])
    leaving, arriving = start - np.array(before[-2]), np.array(after[1]) - end
    reach = 0.5523 * np.linalg.norm(end - start) / np.sqrt(2)
    control = np.stack(
        [
            start,
            start + reach * leaving / np.linalg.norm(leaving),
            end - reach * arriving / np.linalg.norm(arriving),
            end,
        ]
    )
    t = np.linspace(0, 1, points)[:, None]
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    return tuple((float(x), float(y)) for x, y in (weights @ control).round(3))
