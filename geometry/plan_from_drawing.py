"""From the shapes of a drawing to the elements of a plan, as a layer map says what each layer holds."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from geometry.errors import InputError, nearest_known
from geometry.plan_dxf import Drawing, Drawn
from geometry.plan_lane_joints import LaneLine, cut_and_join
from geometry.plan_layers import LayerMap, LayerRule, LevelRule
from geometry.plan_units import METRES

LOG = logging.getLogger(__name__)

OPEN_AIR_WALL_M = 2.5
SIGN_SIZE_M = 1.2, 0.4
Content = dict[str, Any]


def plan_content_of_drawing(drawing: Drawing, layers: LayerMap) -> Content:
    """Return the content of a plan.json, in metres.

    Unnamed elements are called after their level, what they are and their handle in the drawing. Layers that the map
    doesn't know are left out, with a warning in the log and in ``meta``. Raises ``InputError`` naming entity and layer.
    """
    return _Translation(drawing, layers).content()


class _Translation:
    """A drawing on its way to a plan."""

    def __init__(self, drawing: Drawing, layers: LayerMap) -> None:
        self.drawing, self.layers = drawing, layers
        self.shapes: dict[str, list[tuple[Drawn, LayerRule, dict[str, str]]]] = {}
        unknown: Counter[str] = Counter()
        rules: dict[str, tuple[LayerRule, dict[str, str]] | None] = {}
        for shape in drawing.shapes:
            if shape.layer not in rules:
                rules[shape.layer] = layers.find(shape.layer)
            found = rules[shape.layer]
            if found is None:
                unknown[shape.layer] += 1
            elif found[0].element != "ignored":
                self.shapes.setdefault(found[0].element, []).append((shape, *found))
        for (layer, kind), count in drawing.left_out.items():
            unknown[f"{layer} ({kind})"] += count
        self.unknown = dict(unknown)
        self.names: Counter[str] = Counter()
        self.levels = self._levels()
        self.labels: dict[str, list[tuple[Drawn, Any]]] = {}
        for element in ("label", "stall", "zone", "pillar"):
            for shape, _, said in self.shapes.get(element, []):
                if shape.text:
                    level = self._level(shape, said)
                    self.labels.setdefault(level["id"], []).append((shape, self._points(shape, level)[0]))

    def content(self) -> Content:
        ramps = [self._ramp(*each) for each in self._lines("ramp")]
        lanes = self._lanes([(ramp["shape"], ramp["from"], ramp["to"]) for ramp in ramps])
        of_level: dict[str, list[Any]] = {}
        for lane in lanes:
            of_level.setdefault(lane["level"], []).append(lane["shape"])
        slopes = shapely.union_all([ramp["shape"] for ramp in ramps])  # nobody parks from a ramp
        lines = {level: shapely.difference(shapely.union_all(each), slopes) for level, each in of_level.items()}
        found = {
            "levels": list(self.levels.values()),
            "ramps": ramps,
            "stalls": [self._stall(*each, lines) for each in self._largest_of_blocks("stall")],
            "lanes": lanes,
            "walls": [self._wall(*each) for each in self._lines("wall")],
            "pillars": [self._area("pillar", *each) for each in self._largest_of_blocks("pillar")],
            "zones": [self._zone(*each) for each in self._lines("zone")],
            "gates": [self._gate(*each) for each in self._lines("gate")],
            "signs": [self._sign(*each) for each in self.shapes.get("sign", []) if each[0].text],
            "exclusions": [self._area("exclusion", *each) for each in self._largest_of_blocks("exclusion")],
        }
        for name, count in self.unknown.items():
            LOG.warning("%s: layer %s is not in the layer map: %d entities left out", self.drawing.path, name, count)
        elements = {
            kind: [{key: value for key, value in each.items() if key not in ("shape", "offset")} for each in all]
            for kind, all in found.items()
        }
        meta = {"unit": self.drawing.unit, "left_out": self.unknown}
        return {"format": 1, "units": "m", **elements, "meta": meta}

    def _levels(self) -> dict[str, Content]:
        """Return the levels that have an outline, by their name in lower case."""
        outlines = self._lines("level")
        if not outlines:
            present = sorted({shape.layer for shape in self.drawing.shapes})
            wanted = next((rule.layer for rule in self.layers.layers if rule.element == "level"), "{level}-OUTLINE")
            near = nearest_known(wanted.replace("{level}", "P1"), present) if present else "It has no layers."
            what = f"no layer holds the outline of a level, such as '{wanted.replace('{level}', 'P1')}'"
            raise InputError(what, where=self.drawing.path, remedy=f"{near} Rename layers, or give a layer map.")
        levels: dict[str, Content] = {}
        rules = {name.casefold(): (name, rule) for name, rule in self.layers.levels.items()}
        for shape, _, said in outlines:
            drawn = said.get("level", "")
            id, rule = rules.get(drawn.casefold(), (drawn, LevelRule()))
            if not id or id.casefold() in levels:
                what = "the layer doesn't say of which level" if not id else f"level '{id}' has two outlines"
                raise InputError(what, where=self._where(shape), remedy="Draw one closed outline a level.")
            elevation = shape.z if rule.elevation is None else rule.elevation
            level: Content = {"id": id, "name": rule.name, "elevation": elevation, "offset": np.array(rule.offset)}
            if rule.ceiling is not None:
                level["ceiling"] = rule.ceiling
            level["shape"] = self._polygon(shape, level)
            levels[id.casefold()] = level | {"outline": mapping(level["shape"])}
        self._check_elevations(list(levels.values()))
        return levels

    def _check_elevations(self, levels: Sequence[Content]) -> None:
        for number, level in enumerate(levels):
            for other in levels[:number]:
                over = shapely.intersection(level["shape"], other["shape"]).area
                if level["elevation"] == other["elevation"] and over > 0.01 * level["shape"].area:
                    what = f"levels '{other['id']}' and '{level['id']}' lie over each other at {level['elevation']:g} m"
                    remedy = "Give their elevations in a layer map, or draw the outlines at their heights."
                    raise InputError(what, where=self.drawing.path, remedy=remedy)

    def _lines(self, element: str) -> list[tuple[Drawn, LayerRule, dict[str, str]]]:
        return [each for each in self.shapes.get(element, []) if each[0].text is None]

    def _largest_of_blocks(self, element: str) -> list[tuple[Drawn, LayerRule, dict[str, str]]]:
        """Return the lines of an element, of those in one block only the closed one that is largest."""
        found: dict[str, tuple[Drawn, LayerRule, dict[str, str]]] = {}
        for number, (shape, rule, said) in enumerate(self._lines(element)):
            key = shape.block or f"#{number}"
            before = found.get(key)
            if before is None or _area(shape) > _area(before[0]):
                found[key] = shape, rule, said
        return list(found.values())

    def _level(self, shape: Drawn, said: dict[str, str]) -> Content:
        """Return the level of a shape, as its layer names it."""
        name = said.get("level")
        if name is None:
            remedy = "Say {level} in the pattern of the layer map, or give the rule a level."
            raise InputError("the layer doesn't say its level", where=self._where(shape), remedy=remedy)
        if name.casefold() not in self.levels:
            remedy = (
                f"{nearest_known(name, [level['id'] for level in self.levels.values()])} Each level needs an outline."
            )
            raise InputError(f"level '{name}' has no outline", where=self._where(shape), remedy=remedy)
        return self.levels[name.casefold()]

    def _where(self, shape: Drawn) -> str:
        return f"{self.drawing.path}: {shape.where}"

    def _points(self, shape: Drawn, level: Content) -> Any:
        return shape.points + level["offset"] * METRES[self.drawing.unit]

    def _polygon(self, shape: Drawn, level: Content, *, may_be_open: bool = False) -> shapely.Polygon:
        if not (shape.closed or (may_be_open and len(shape.points) == 4)) or len(shape.points) < 3:
            remedy = "Close the polyline; lines that only touch have to be joined."
            raise InputError("the outline is not closed", where=self._where(shape), remedy=remedy)
        polygon = shapely.Polygon(self._points(shape, level))
        if not polygon.is_valid:
            why = shapely.is_valid_reason(polygon)
            remedy = "Draw its corners in order around it, without crossings."
            raise InputError(f"the outline is not simple: {why}", where=self._where(shape), remedy=remedy)
        return polygon

    def _line(self, shape: Drawn, level: Content) -> shapely.LineString:
        points = self._points(shape, level)
        points = np.concatenate([points, points[:1]]) if shape.closed else points
        if len(points) < 2 or not shapely.LineString(points).length > 0:
            raise InputError("the line has no length", where=self._where(shape), remedy="Delete it.")
        return shapely.LineString(points)

    def _id(self, element: str, shape: Drawn, level: Content) -> str:
        name = f"{level['id']}-{element} #{shape.handle}"
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}-{self.names[name]}"

    def _label(self, shape: Drawn, level: Content, polygon: shapely.Polygon) -> str | None:
        """Return the text in a polygon, or in its block; of several the one nearest to its middle."""
        labels = self.labels.get(level["id"], [])
        if not labels:
            return None
        points = np.array([point for _, point in labels])
        of_block = np.array([bool(shape.block) and label.block == shape.block for label, _ in labels])
        distances = np.linalg.norm(points - np.array(polygon.centroid.coords[0]), axis=1)
        distances[~(of_block | shapely.contains_xy(polygon, points))] = np.inf
        nearest = int(distances.argmin())
        return labels[nearest][0].text if np.isfinite(distances[nearest]) else None

    def _area(self, element: str, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        level = self._level(shape, said)
        polygon = self._polygon(shape, level)
        return {"id": self._id(element, shape, level), "level": level["id"], "polygon": mapping(polygon)}

    def _stall(self, shape: Drawn, rule: LayerRule, said: dict[str, str], lanes: dict[str, Any]) -> Content:
        level = self._level(shape, said)
        polygon = self._polygon(shape, level, may_be_open=True)
        label = self._label(shape, level, polygon)
        own = label if label and label.casefold().startswith(level["id"].casefold()) else f"{level['id']}-{label}"
        ring = _from_open_edge(polygon, None if shape.closed else 3, lanes.get(level["id"]))
        found = {
            "id": own if label else self._id("stall", shape, level),
            "level": level["id"],
            "polygon": mapping(ring),
        }
        return found | ({"kind": said["kind"].lower()} if said.get("kind") else {})

    def _zone(self, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        level = self._level(shape, said)
        polygon = self._polygon(shape, level)
        return self._area("zone", shape, rule, said) | {"name": self._label(shape, level, polygon) or ""}

    def _wall(self, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        level = self._level(shape, said)
        height = rule.height or level.get("ceiling") or OPEN_AIR_WALL_M
        line = mapping(self._line(shape, level))
        return {"level": level["id"], "line": line, "height": height, "thickness": rule.thickness}

    def _gate(self, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        level = self._level(shape, said)
        id, line = self._id("gate", shape, level), mapping(self._line(shape, level))
        return {"id": id, "level": level["id"], "line": line, "direction": rule.direction}

    def _sign(self, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        """Return a sign with the text, which is read from the side that the text's foot is on."""
        level = self._level(shape, said)
        facing = np.radians(shape.rotation_deg - 90.0)
        at = [*self._points(shape, level)[0].tolist(), level["elevation"] + rule.height_above_floor]
        return {
            "id": self._id("sign", shape, level),
            "level": level["id"],
            "position": {"type": "Point", "coordinates": at},
            "normal": [float(np.cos(facing)), float(np.sin(facing)), 0.0],
            "text": shape.text,
            "width": rule.width or SIGN_SIZE_M[0],
            "height": rule.height or SIGN_SIZE_M[1],
        }

    def _ramp(self, shape: Drawn, rule: LayerRule, said: dict[str, str]) -> Content:
        """Return a ramp that rises evenly from its first edge to its third."""
        start = self._level(shape, said)
        end = self._level(shape, {"level": said.get("to", "")})
        polygon = self._polygon(shape, start)
        corners = np.array(polygon.exterior.coords)
        if len(corners) != 5:
            remedy = "Draw four corners, the first edge where it begins."
            raise InputError(
                f"a ramp has 4 corners, this has {len(corners) - 1}", where=self._where(shape), remedy=remedy
            )
        length = float(np.linalg.norm(corners[:2].mean(axis=0) - corners[2:4].mean(axis=0)))
        profile = [[0.0, start["elevation"]], [length, end["elevation"]]]
        found = {"id": self._id("ramp", shape, start), "from": start["id"], "to": end["id"], "profile": profile}
        return found | {"polygon": mapping(polygon), "shape": polygon}

    def _lanes(self, ramps: Sequence[tuple[shapely.Polygon, str, str]]) -> list[Content]:
        drawn = self._lines("lane")
        lines = []
        for number, (shape, rule, said) in enumerate(drawn):
            level = self._level(shape, said)
            line = self._line(shape, level)
            lines.append(LaneLine(level=level["id"], line=line, oneway=rule.oneway, source=number))
        pieces = cut_and_join(lines, ramps)
        ids = []
        for piece in pieces:
            shape, rule, said = drawn[piece.source]
            ids.append(self._id("lane", shape, self._level(shape, said)))
        return [
            {
                "id": id,
                "level": piece.level,
                "line": mapping(piece.line),
                "width": drawn[piece.source][1].width or 3.0,
                "oneway": piece.oneway,
                "speed_mps": drawn[piece.source][1].speed_mps,
                "to": [ids[number] for number in piece.to],
                "shape": piece.line,
            }
            for id, piece in zip(ids, pieces, strict=True)
        ]


def _area(shape: Drawn) -> float:
    return shapely.Polygon(shape.points).area if shape.closed else -1.0


def _from_open_edge(polygon: shapely.Polygon, edge: int | None, lanes: Any) -> shapely.Polygon:
    """Return a stall counter-clockwise from its open edge: the ``edge`` given, or the one nearest to the lanes."""
    ring = np.array(polygon.exterior.coords)[:-1]
    middles = (ring + np.roll(ring, -1, axis=0)) / 2
    if edge is None and lanes is not None and not shapely.is_empty(lanes):
        edge = int(np.argmin(shapely.distance(shapely.points(middles), lanes)))
    ring = np.roll(ring, -(edge or 0), axis=0)
    if not polygon.exterior.is_ccw:
        ring = np.roll(ring[::-1], 2, axis=0)  # the first edge stays the first, the other way round
    return shapely.Polygon(ring)
