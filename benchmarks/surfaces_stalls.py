"""How well stalls and lanes are proposed from what is painted on floors, against plans and annotated slots."""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import FloorPlan, read_plan
from geometry.errors import InputError
from geometry.floorplan import Level
from geometry.lane_graph import lane_graph
from perception import CameraStallOptions, CameraStalls, aligned_median, read_image, stalls_in_view
from twin.layout import MarkedFloor, Ortho, OrthoOptions, propose_plan, read_marks, rectify_floor
from twin.photos import MapPhoto

Array = NDArray[np.float64]

CORNER_M = 0.15
LANE_M = 1.0
PROBABILITY_STEPS = (0.0, 0.5, 0.8, 0.9, 1.0)


def measure_stalls(scene_folder: Path, photos: Sequence[MapPhoto], pictures: Path | None = None) -> dict[str, Any]:
    """Propose a plan from ``photos`` and the levels' outlines and elevations alone, and judge it by the scene's plan.

    A stall is right if all its corners are within ``CORNER_M`` of a true stall's, whichever comes first; ``oriented``
    asks for the same lane-side edge. With ``pictures``, each level's orthophoto and proposal are written there.
    """
    truth = read_plan(scene_folder / "plan.json")
    floors = [marked_floor(level, photos) for level in truth.levels]
    proposed = propose_plan(floors)
    if pictures is not None:
        for floor in floors:
            write_picture(pictures / f"{scene_folder.name}-{floor.level.id}.jpg", floor, truth)
    return judge_stalls(proposed, truth) | {"lanes": judge_lanes(proposed, truth), "photos": len(photos)}


def marked_floor(level: Level, photos: Sequence[MapPhoto]) -> MarkedFloor:
    """Rectify a level's floor at its elevation and read its marks."""
    options = OrthoOptions(max_height=level.ceiling or 10.0)
    ortho = rectify_floor(photos, lambda points: np.full(len(points), level.elevation), level.outline, options)
    return MarkedFloor(level=level, ortho=ortho, marks=read_marks(ortho))


def judge_stalls(proposed: FloorPlan, truth: FloorPlan) -> dict[str, Any]:
    """Return recall and precision, recall by kind, errors of matched corners, and how far probabilities hold."""
    apart, oriented = _corner_distances(proposed, truth)
    right, found = apart.min(axis=1, initial=np.inf) < CORNER_M, apart.min(axis=0, initial=np.inf) < CORNER_M
    kinds = np.array([stall.kind for stall in truth.stalls])
    chances = proposed.meta["proposed"]["stalls"]
    p = np.array([chances[stall.id]["probability"] for stall in proposed.stalls])
    error = apart.min(axis=1, initial=np.inf)[right]
    return {
        "stalls": len(found),
        "proposed": len(right),
        "recall": _share(found),
        "precision": _share(right),
        "oriented": _share(oriented.min(axis=1, initial=np.inf) < CORNER_M),
        "recall_by_kind": {
            str(kind): f"{found[kinds == kind].sum()} of {(kinds == kind).sum()}" for kind in np.unique(kinds)
        },
        "largest_corner_error_median_m": round(float(np.median(error)), 4) if len(error) else None,
        "largest_corner_error_p90_m": round(float(np.percentile(error, 90)), 4) if len(error) else None,
        "calibration": _calibration(p, right),
        "missed": [stall.id for stall, hit in zip(truth.stalls, found, strict=True) if not hit],
        "wrong": [stall.id for stall, hit in zip(proposed.stalls, right, strict=True) if not hit],
    }


def _corner_distances(proposed: FloorPlan, truth: FloorPlan) -> tuple[Array, Array]:
    """Return the largest corner distance (P, T), in the best turn of the ring and in the given; inf between levels."""
    rings = [
        np.array([np.array(stall.polygon.exterior.coords)[:4] for stall in plan.stalls]).reshape(-1, 4, 2)
        for plan in (proposed, truth)
    ]
    levels = [np.array([stall.level for stall in plan.stalls], dtype=object) for plan in (proposed, truth)]
    turned = [
        np.linalg.norm(np.roll(rings[0], turn, axis=1)[:, None] - rings[1], axis=3).max(axis=2) for turn in range(4)
    ]
    other = levels[0][:, None] != levels[1]
    return np.where(other, np.inf, np.min(turned, axis=0)), np.where(other, np.inf, turned[0])


def _share(hits: NDArray[np.bool_]) -> float:
    return round(float(hits.mean()), 4) if len(hits) else 0.0


def _calibration(p: Array, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return the mean probability and the share that is right in steps of probability."""
    step = np.digitize(p, PROBABILITY_STEPS[1:-1])
    return [
        {
            "claimed": round(float(p[step == s].mean()), 3),
            "right": _share(right[step == s]),
            "stalls": int((step == s).sum()),
        }
        for s in np.unique(step).tolist()
    ]


def judge_lanes(proposed: FloorPlan, truth: FloorPlan) -> dict[str, Any]:
    """Return shares of straight lanes' length: true ones proposed, proposed ones true, and directions that agree.

    ``levels_joined`` is of the pairs of levels of which one can truly be driven to from the other: from how many of a
    level's proposed lanes, by length, that is so.

    A point of a lane is matched within ``LANE_M`` of a lane of the other plan; turns (more than two points) and lanes
    that touch a ramp are left out of the truth's recall.
    """
    ramps = shapely.union_all([ramp.polygon for ramp in truth.ramps])
    straight = [
        lane
        for lane in truth.lanes
        if len(lane.line.coords) == 2 and lane.line.length > 6 and not lane.line.intersects(ramps)
    ]
    samples, hits, agree = 0, 0, []
    for lane in straight:
        points = shapely.get_coordinates(shapely.segmentize(lane.line, 0.5))
        near = [other for other in proposed.lanes if other.level == lane.level]
        distance = np.array([shapely.distance(other.line, shapely.points(points)) for other in near]).reshape(
            -1, len(points)
        )
        samples, hits = samples + len(points), hits + int((distance.min(axis=0, initial=np.inf) < LANE_M).sum())
        if len(near) and (distance.min(axis=1) < LANE_M).any():
            closest = near[int((distance < LANE_M).sum(axis=1).argmax())]
            if closest.oneway and lane.oneway:
                agree.append(float(_way(closest.line) @ _way(lane.line)) > 0)
    all_true = {
        level.id: shapely.union_all([x.line for x in truth.lanes if x.level == level.id]) for level in truth.levels
    }
    wanted, total = 0, 0
    for lane in proposed.lanes:
        points = shapely.points(shapely.get_coordinates(shapely.segmentize(lane.line, 0.5)))
        wanted, total = (
            wanted + int((shapely.distance(all_true[lane.level], points) < LANE_M).sum()),
            total + len(points),
        )
    return {
        "recall": round(hits / max(samples, 1), 4),
        "precision": round(wanted / max(total, 1), 4),
        "directed": len(agree),
        "directions_right": _share(np.array(agree, dtype=bool)),
        "levels_joined": {
            f"{a} to {b}": round(_joined(proposed, a, b), 3)
            for a, b in permutations([level.id for level in truth.levels], 2)
            if _joined(truth, a, b) > 0
        },
    }


def _joined(plan: FloorPlan, start: str, end: str) -> float:
    """Return from what share of a level's lanes, by length and by direction, one can drive to another level."""
    graph, level = lane_graph(plan), {lane.id: lane.level for lane in plan.lanes}
    lengths = {drive: length for drive, length in graph.nodes(data="length") if level[drive.lane] == start}
    reach = sum(
        length
        for drive, length in lengths.items()
        if any(level[other.lane] == end for other in nx.descendants(graph, drive))
    )
    return reach / max(sum(lengths.values()), 1e-9)


def measure_pklot(
    data: Path, pictures: Path | None = None, options: CameraStallOptions | None = None
) -> dict[str, Any]:
    """Find the stalls of a real lot from its frames alone (``pklot30`` in ``data``) and match them to annotated slots.

    The frames of all days are brought over each other and their median is read; stalls are moved back to each day's
    frame for its annotation. The slots are drawn around where cars appear, above the ground as well, so
    that figures at IoU 0.3 are given beside those at 0.5.
    """
    folder = data / "pklot30"
    frames = sorted(folder.glob("sequence*/frames/*.jpg"))
    if not frames:
        raise InputError("no frames", where=str(folder), remedy="Give the folder that holds pklot30.")
    median, shifts = aligned_median([read_image(frame).gray for frame in frames])
    found = stalls_in_view(median, options)
    overlaps = []
    for frame, shift in zip(frames, shifts, strict=True):
        overlaps.append(_overlaps(shapely.polygons(found.polygons + shift), shapely.polygons(_slots_of(frame))))
    if pictures is not None:
        _write_view(pictures / "pklot.jpg", median, found, _slots_of(frames[0]), overlaps[0])
    return {
        "frames": len(frames),
        "slots": overlaps[0].shape[1],
        "proposed": len(found.polygons),
        "focal_px": round(found.view.focal_px, 1),
        "largest_shift_px": round(float(np.linalg.norm(shifts, axis=1).max()), 2),
        **{
            f"{name}_at_{least}": round(float(np.mean([(o.max(axis=axis) >= least).mean() for o in overlaps])), 4)
            for least in (0.5, 0.3)
            for name, axis in (("precision", 1), ("recall", 0))
        },
    }


def _slots_of(frame: Path) -> Array:
    """Return the annotated slots (N, 4, 2) of a frame in pixels."""
    annotation = frame.parent.parent / "bounding_boxes" / f"{frame.stem}.xml"
    spaces = ElementTree.parse(annotation).getroot().iter("space")
    return np.array([[[float(p.get("x", "nan")), float(p.get("y", "nan"))] for p in s.iter("point")] for s in spaces])


def _overlaps(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Return the intersection over union (A, B) of polygons."""
    shared = shapely.area(shapely.intersection(a[:, None], b))
    return np.asarray(shared / (shapely.area(a)[:, None] + shapely.area(b) - shared))


def _write_view(path: Path, gray: NDArray[np.uint8], found: CameraStalls, slots: Array, overlaps: Array) -> None:
    """Draw stalls green and red, by whether they match a slot, over the annotated slots in yellow."""
    canvas = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    for slot in slots:
        cv2.polylines(canvas, [np.round(slot).astype(np.int32)], True, (0, 220, 255), 1)
    for polygon, best in zip(found.polygons, overlaps.max(axis=1).tolist(), strict=True):
        colour = (60, 200, 0) if best >= 0.5 else (40, 40, 255)
        cv2.polylines(canvas, [np.round(polygon).astype(np.int32)], True, colour, 2)
        front = np.round(polygon[:2]).astype(int).tolist()
        cv2.line(canvas, front[0], front[1], (255, 160, 0), 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), canvas, [cv2.IMWRITE_JPEG_QUALITY, 80])


def _way(line: shapely.LineString) -> Array:
    coordinates = np.array(line.coords)
    return np.asarray((coordinates[-1] - coordinates[0]) / line.length)


def write_picture(path: Path, floor: MarkedFloor, truth: FloorPlan | None = None, scale: float = 0.5) -> None:
    """Draw the proposal on the orthophoto: right stalls green, wrong ones red, missed ones yellow, lanes blue."""
    plan = propose_plan([floor])
    canvas = np.ascontiguousarray(floor.ortho.pixels[..., ::-1] * 0.7).astype(np.uint8)
    right = np.ones(len(plan.stalls), dtype=bool)
    if truth is not None:
        mine = truth.model_copy(update={"stalls": tuple(s for s in truth.stalls if s.level == floor.level.id)})
        apart, _ = _corner_distances(plan, mine)
        right = apart.min(axis=1, initial=np.inf) < CORNER_M
        for index in np.flatnonzero(apart.min(axis=0, initial=np.inf) >= CORNER_M).tolist():
            _draw(canvas, floor.ortho, mine.stalls[index].polygon.exterior, (0, 220, 255), 2)
    for stall, good in zip(plan.stalls, right.tolist(), strict=True):
        _draw(canvas, floor.ortho, stall.polygon.exterior, (60, 200, 0) if good else (40, 40, 255), 4)
    for lane in plan.lanes:
        tail, tip = (np.round(p).astype(int).tolist() for p in floor.ortho.pixels_from_site(np.array(lane.line.coords)))
        cv2.arrowedLine(canvas, tail, tip, (255, 140, 0), 4, tipLength=0.02 if lane.oneway else 0.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    small = cv2.resize(canvas, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 80])


def _draw(canvas: NDArray[np.uint8], ortho: Ortho, ring: Any, colour: tuple[int, int, int], width: int) -> None:
    points = np.round(ortho.pixels_from_site(np.array(ring.coords))).astype(np.int32)
    cv2.polylines(canvas, [points], False, colour, width)
