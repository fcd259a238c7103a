"""A floor plan as a picture, a panel a level: stalls, lanes with arrows, walls, pillars, signs, views of cameras."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from geometry.cameras import unproject
from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Level
from geometry.records import FixedCamera
from scenes.materials.lettering import font

Array = NDArray[np.float64]
Rgb = tuple[int, int, int]

SMOOTHING = 2
MARGIN_PX, TITLE_PX, LETTERS_PX = 24, 34, 15
MAX_PX = 4096
VIEW_M = 9.0
ARROW_M = 7.0
PAPER: Rgb = (250, 250, 247)
INK: Rgb = (40, 44, 50)
FLOOR: Rgb = (232, 233, 230)
RAMP: Rgb = (206, 210, 204)
LANE: Rgb = (120, 150, 186)
STALL: Rgb = (255, 255, 252)
STALL_KINDS: dict[str, Rgb] = {
    "disabled": (205, 222, 250), "electric": (211, 240, 208), "family": (250, 228, 214),
    "motorcycle": (240, 232, 250), "reserved": (250, 240, 200),
}  # fmt: skip
SIGN: Rgb = (20, 92, 170)
CAMERA: Rgb = (196, 52, 40)


def plan_picture(plan: FloorPlan, cameras: Sequence[FixedCamera] = (), *, width_px: int = 1400) -> NDArray[np.uint8]:
    """Return the plan drawn with +y up, levels in their order from the top: (H, W, 3) uint8 sRGB.

    cameras: drawn with what they see within ``VIEW_M``. Raises ``InputError`` for a width that makes no picture.
    """
    if not 200 <= width_px <= MAX_PX:
        raise InputError(f"a plan is 200 to {MAX_PX} px wide, got {width_px}")
    panels = [_panel(plan, level, [c for c in cameras if c.level == level.id], width_px) for level in plan.levels]
    return np.vstack(panels)


class _Sheet:
    """Draws in site metres on one level's panel."""

    def __init__(self, level: Level, width_px: int) -> None:
        west, south, east, north = level.outline.bounds
        self.px_per_m = SMOOTHING * (width_px - 2 * MARGIN_PX) / (east - west)
        height = min(MAX_PX * SMOOTHING, int(self.px_per_m * (north - south)) + SMOOTHING * (MARGIN_PX + TITLE_PX))
        self.corner = np.array(
            [west - SMOOTHING * MARGIN_PX / self.px_per_m, north + SMOOTHING * TITLE_PX / self.px_per_m]
        )
        self.image = Image.new("RGB", (SMOOTHING * width_px, height), PAPER)
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def pixels(self, points: ArrayLike) -> list[tuple[float, float]]:
        """Return where points (N, 2 or more) of the site are."""
        scaled = (np.asarray(points, dtype=np.float64)[:, :2] - self.corner) * (self.px_per_m, -self.px_per_m)
        return [(x, y) for x, y in scaled.tolist()]

    def area(self, polygon: Any, fill: Rgb | tuple[int, int, int, int], outline: Rgb | None = None) -> None:
        """Fill a polygon."""
        self.draw.polygon(self.pixels(polygon.exterior.coords), fill=fill, outline=outline, width=SMOOTHING)

    def line(self, points: ArrayLike, colour: Rgb, width_m: float) -> None:
        """Draw a line at least a pixel wide."""
        self.draw.line(self.pixels(points), fill=colour, width=max(SMOOTHING, round(width_m * self.px_per_m)))

    def text(self, at: Sequence[float] | Array, text: str, colour: Rgb, size_m: float, room_m: float = np.inf) -> None:
        """Write in the middle of a place, unless it would be too small to read or wider than ``room_m``."""
        size = int(min(size_m * self.px_per_m, SMOOTHING * LETTERS_PX))
        if size >= 6 * SMOOTHING and font(size).getlength(text) <= room_m * self.px_per_m:
            self.draw.text(self.pixels(np.array([at]))[0], text, fill=colour, font=font(size), anchor="mm")

    def finished(self) -> NDArray[np.uint8]:
        """Return the panel."""
        size = (self.image.width // SMOOTHING, self.image.height // SMOOTHING)
        return np.array(self.image.resize(size, Image.Resampling.BOX))


def _panel(plan: FloorPlan, level: Level, cameras: Sequence[FixedCamera], width_px: int) -> NDArray[np.uint8]:
    sheet = _Sheet(level, width_px)
    sheet.area(level.outline, FLOOR, INK)
    _draw_ground(sheet, plan, level)
    for camera in cameras:
        _draw_camera(sheet, camera, level)
    _draw_standing(sheet, plan, level)
    title = f"{level.id}  {level.name}  {level.elevation:+.1f} m"
    sheet.draw.text(
        (SMOOTHING * MARGIN_PX, SMOOTHING * TITLE_PX / 2), title, fill=INK, font=font(16 * SMOOTHING), anchor="lm"
    )
    return sheet.finished()


def _draw_ground(sheet: _Sheet, plan: FloorPlan, level: Level) -> None:
    for ramp in plan.ramps:
        if level.id in (ramp.from_level, ramp.to_level):
            sheet.area(ramp.polygon, RAMP, INK)
            sheet.text(ramp.polygon.centroid.coords[0], f"{ramp.from_level} – {ramp.to_level}", INK, 0.8)
    for stall in plan.stalls:
        if stall.level == level.id:
            sheet.area(stall.polygon, STALL_KINDS.get(stall.kind, STALL), (150, 152, 150))
            name = stall.id.removeprefix(f"{level.id}-")
            west, _, east, _ = stall.polygon.bounds
            sheet.text(stall.polygon.centroid.coords[0], name, (110, 112, 114), 0.62, east - west)
    for lane in plan.lanes:
        if lane.level == level.id:
            _draw_lane(sheet, np.array(lane.line.coords)[:, :2], lane.oneway)
    for gate in plan.gates:
        if gate.level == level.id:
            sheet.line(gate.line.coords, CAMERA, 0.25)


def _draw_lane(sheet: _Sheet, line: Array, oneway: bool) -> None:
    """Draw a lane's middle, with an arrow every few metres."""
    sheet.line(line, LANE, 0.08)
    path = shapely.LineString(line)
    count = max(1, round(path.length / ARROW_M)) if path.length > 2.5 else 0
    for at in (np.arange(count) + 0.5) / max(count, 1) * path.length:
        tip, tail = (np.array(path.interpolate(at + offset).coords[0]) for offset in (0.4, -0.4))
        ahead = (tip - tail) / np.linalg.norm(tip - tail)
        for sign in (1.0,) if oneway else (1.0, -1.0):
            middle, forward = (tip + tail) / 2, sign * ahead
            aside = np.array([-forward[1], forward[0]])
            corners = [
                middle + 0.9 * forward,
                middle + 0.1 * forward + 0.4 * aside,
                middle + 0.1 * forward - 0.4 * aside,
            ]
            sheet.area(shapely.Polygon(corners), LANE)


def _draw_standing(sheet: _Sheet, plan: FloorPlan, level: Level) -> None:
    for thing in plan.exclusions:
        if thing.level == level.id:
            sheet.area(thing.polygon, (176, 160, 132), INK)
    for wall in plan.walls:
        if wall.level == level.id:
            outline = wall.line.buffer(wall.thickness / 2, cap_style="square", join_style="mitre")
            for part in shapely.get_parts(shapely.constrained_delaunay_triangles(outline)):
                sheet.area(part, INK, INK)
    for pillar in plan.pillars:
        if pillar.level == level.id:
            sheet.area(pillar.polygon, INK)
    for sign in plan.signs:
        if sign.level == level.id:
            at, normal = np.array([sign.position.x, sign.position.y]), np.array(sign.normal[:2])
            along = np.array([-normal[1], normal[0]]) * sign.width / 2
            sheet.line([at - along, at + along], SIGN, 0.22)
            sheet.text(at + 0.8 * normal, sign.text, SIGN, 0.75)


def _draw_camera(sheet: _Sheet, camera: FixedCamera, level: Level) -> None:
    """Draw where the middle row of a camera's picture looks, on its level as far as ``VIEW_M``."""
    lens, site_from_cam = camera.camera(), camera.pose().inverse()
    edge = np.column_stack([np.linspace(1, lens.width - 1, 24), np.full(24, lens.height / 2)])
    rays = unproject(lens, edge)
    towards = (rays[np.isfinite(rays).all(axis=1)] @ site_from_cam.rotation.matrix().T)[:, :2]
    at = np.array(site_from_cam.translation)[:2]
    rim = at + VIEW_M * towards / np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
    view = shapely.make_valid(shapely.Polygon([at, *rim])) & level.outline if len(rim) > 1 else shapely.Polygon()
    for part in shapely.get_parts(view):
        if part.geom_type == "Polygon":
            sheet.area(part, (*CAMERA, 44))
    x, y = sheet.pixels([at])[0]
    radius = 5 * SMOOTHING
    sheet.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=CAMERA)
    sheet.draw.text((x, y - 2.2 * radius), camera.id, fill=CAMERA, font=font(12 * SMOOTHING), anchor="mm")
