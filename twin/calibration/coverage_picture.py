"""Coverage on the plan as SVG: a level a drawing, floor shaded by how many cameras see it, blind spots hatched."""

from pathlib import Path

import numpy as np
import shapely
from markupsafe import Markup
from numpy.typing import NDArray

from geometry import position_of, write_atomic
from twin.calibration.coverage import Coverage
from twin.report import svg

Array = NDArray[np.float64]

SCALE = 14.0
MARGIN = 40.0
SHADES = ("#f2d7d5", "#cfe8f3", "#8ec9e0", "#4fa3c7", "#1f78a4")
"""Of floor that no, one, two, three, and four or more cameras see."""
WEDGE_M = 3.0


def save_coverage(path: Path, found: Coverage) -> None:
    """Write the picture of all levels, one below the other."""
    parts, offset, width = [], 0.0, 0.0
    for index in range(len(found.plan.levels)):
        drawn, (wide, high) = _level(found, index)
        parts.append(svg.element("g", drawn, transform=f"translate(0 {offset:.1f})"))
        offset, width = offset + high, max(width, wide)
    parts.append(svg.element("g", _legend(), transform=f"translate({MARGIN} {offset + 4:.1f})"))
    picture = svg.drawing(width, offset + 40, *parts, label="What the cameras cover")
    text = str(picture).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)
    write_atomic(path, text.encode())


def _level(found: Coverage, index: int) -> tuple[Markup, tuple[float, float]]:
    level = found.plan.levels[index]
    x0, y0, x1, y1 = level.outline.bounds

    def place(points: Array) -> Array:
        return np.stack([(points[..., 0] - x0) * SCALE + MARGIN, (y1 - points[..., 1]) * SCALE + MARGIN], axis=-1)

    here = found.level == index
    count = np.minimum(found.seen[:, here].sum(axis=0), len(SHADES) - 1)
    cells, side = place(found.points[here]), found.cell_m * SCALE
    children = [svg.text(MARGIN, 24, f"Level {level.id}", font_size=16)]
    for number, shade in enumerate(SHADES):
        corner = cells[count == number] - side / 2
        data = "".join(f"M{x:.1f} {y:.1f}h{side:.1f}v{side:.1f}h-{side:.1f}z" for x, y in corner)
        children.append(svg.element("path", d=data, fill=shade))
    for polygon in [stall.polygon for stall in found.plan.stalls if stall.level == level.id]:
        children.append(_outline(place, polygon, "#9aa0a6", 0.8, "none"))
    for polygon in [pillar.polygon for pillar in found.plan.pillars if pillar.level == level.id]:
        children.append(_outline(place, polygon, "#333", 0.8, "#555"))
    for wall in [wall for wall in found.plan.walls if wall.level == level.id]:
        line = svg.path(place(shapely.get_coordinates(wall.line)))
        children.append(svg.element("path", d=line, stroke="#333", stroke_width=2.0, fill="none"))
    children.append(_outline(place, level.outline, "#333", 1.2, "none"))
    for camera in [camera for camera in found.cameras if camera.level == level.id]:
        centre, ahead = position_of(camera.pose()), camera.pose().rotation.matrix()[2]
        half = np.arctan(camera.width / 2 / camera.camera().mean_focal_length())
        azimuth = np.arctan2(ahead[1], ahead[0]) + np.array([half, -half])
        tips = centre[:2] + WEDGE_M * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
        wedge = svg.path(place(np.vstack([centre[:2], tips])), closed=True)
        children.append(svg.element("path", d=wedge, fill="#c0392b", fill_opacity=0.35, stroke="#c0392b"))
        u, v = place(centre[:2]).tolist()
        children.append(svg.text(u + 5, v - 5, camera.id, font_size=12, fill="#7b241c"))
    size = ((x1 - x0) * SCALE + 2 * MARGIN, (y1 - y0) * SCALE + 2 * MARGIN)
    return svg.group(children), size


def _outline(place, polygon: shapely.Polygon, stroke: str, width: float, fill: str) -> Markup:  # type: ignore[no-untyped-def]
    ring = svg.path(place(shapely.get_coordinates(polygon.exterior)[:-1]), closed=True)
    return svg.element("path", d=ring, stroke=stroke, stroke_width=width, fill=fill)


def _legend() -> Markup:
    words = ("nobody", "one camera", "two", "three", "four or more")
    children = []
    for number, (shade, word) in enumerate(zip(SHADES, words, strict=True)):
        children.append(svg.element("rect", x=130 * number, y=0, width=14, height=14, fill=shade, stroke="#888"))
        children.append(svg.text(130 * number + 20, 12, word, font_size=12))
    return svg.group(children)
