"""What a map in site shows of the facility: floors, what is painted on them, the plan, signs, and its surface.

Each part goes on what the parts before it found. One that can't be made says why in ``report`` and leaves the others.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import (
    FloorPlan,
    Floors,
    PlanDisagreement,
    PlanFit,
    TiepointError,
    height_disagreements,
    plan_levels,
    plan_warnings,
    with_plan,
)
from geometry.floorplan import Level
from perception import TextReader
from twin.landmarks import Landmarks
from twin.layout import MarkedFloor, OrthoOptions, propose_plan, read_marks, rectify_floor
from twin.mapping.floors import disagreements_with, floors_of_map, register_plan, view_centres
from twin.mapping.meaning_report import floor_report, mark_report, plan_report, sign_report, surface_report
from twin.photos import MapPhoto
from twin.progress import Progress, silent
from twin.signs import SignLandmark, find_signs
from twin.store import SiteFrame
from twin.surface import Surface, build_surface

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
T = TypeVar("T")
Part = Literal["marks", "signs", "surface"]
PARTS: tuple[Part, ...] = get_args(Part)

OPEN_SKY_M = 10.0
"""Photos up to so far above a floor without a ceiling show it."""
OUTLINE_MARGIN_M = 3.0
"""Floors are looked for this far beyond where the map saw one, under what stands there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Meaning:
    """What was found; None and empty where a part was not made.

    plan: in site, as given, fitted or proposed; marked: by level; report: the sections of quality.json, by name
    """

    floors: Floors | None = None
    plan: FloorPlan | None = None
    marked: tuple[MarkedFloor, ...] = ()
    signs: tuple[SignLandmark, ...] | None = None
    surface: Surface | None = None
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MeaningOptions:
    """What to look for: the parts, and whether a plan that is given has a frame of its own, to be fitted to the map."""

    parts: tuple[Part, ...] = PARTS
    fit_plan: bool = False


def find_meaning(
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    frame: SiteFrame,
    plan: FloorPlan | None,
    options: MeaningOptions | None = None,
    on_progress: Progress = silent,
) -> Meaning:
    """Return what a map shows; ``photos`` are those of ``landmarks.views``, in their order.

    Raises ``InputError`` and ``DegenerateError`` where a plan of a frame of its own can't be fitted: then nothing that
    is said by the plan would be true.
    """
    options = options or MeaningOptions()
    if not frame.metric or frame.undetermined:
        why = {"skipped": "the map is not tied to the site"}
        return Meaning(plan=plan, report=dict.fromkeys(("floors", *PARTS), why))
    centres = view_centres([photo.cam_from_site for photo in photos])
    report: dict[str, Any] = {}
    floors = _attempt(report, "floors", lambda: floors_of_map(landmarks, centres, frame))
    marked: tuple[MarkedFloor, ...] | None = None
    fit: PlanFit | None = None
    source, remarks = "given", list[str]()
    disagreements: tuple[PlanDisagreement, ...] = ()
    if floors is not None:
        if plan is not None and not options.fit_plan:
            floors, checks = with_plan(floors, plan)
            remarks += height_disagreements(checks, floors, plan)
            disagreements = disagreements_with(landmarks, centres, floors, plan)
        if "marks" in options.parts:
            in_site = None if options.fit_plan else plan
            mark = partial(_mark, photos, _levels(floors, in_site), floors, on_progress)
            marked = _attempt(report, "marks", mark)
        if plan is not None and options.fit_plan:
            lines = {floors_index(floors, each.level.id): each.marks.stripes for each in marked or ()}
            plan, fit, disagreements = register_plan(landmarks, centres, floors, plan, stall_lines=lines)
            floors, checks = with_plan(floors, plan)
            source, remarks = "fitted", [*fit.remarks, *height_disagreements(checks, floors, plan)]
        if plan is None and marked:
            plan, source = _with_ramps(propose_plan(marked), floors), "proposed"
        report["floors"] = floor_report(floors)
        if marked is not None:
            report["marks"] = mark_report(marked)
    if plan is None and floors is not None:
        levels, ramps = plan_levels(floors)
        plan, source = FloorPlan(levels=levels, ramps=ramps), "proposed"
    if plan is not None:
        doubts = [str(warning) for warning in plan_warnings(plan)]
        report["plan"] = plan_report(plan, source, fit, disagreements, remarks, doubts)
    signs = surface = None
    if "signs" in options.parts:
        signs = _attempt(report, "signs", lambda: _read_signs(photos, plan, on_progress))
    if "surface" in options.parts and plan is not None:
        surface = _attempt(report, "surface", lambda: build_surface(plan, landmarks, photos, on_progress=on_progress))
    if signs is not None:
        report["signs"] = sign_report(signs)
    if surface is not None:
        report["surface"] = surface_report(surface)
    return Meaning(floors=floors, plan=plan, marked=marked or (), signs=signs, surface=surface, report=report)


def _attempt(report: dict[str, Any], part: str, make: Callable[[], T]) -> T | None:
    """Return what ``make`` makes, or None with the reason in the report where the map does not show enough for it."""
    try:
        return make()
    except TiepointError as error:
        logger.warning("no %s: %s", part, error)
        report[part] = {"skipped": str(error)}
        return None


def floors_index(floors: Floors, name: str) -> int:
    """Return the index of a level by its name."""
    return [level.name for level in floors.levels].index(name)


def _levels(floors: Floors, plan: FloorPlan | None) -> list[Level]:
    """Return the levels to look for marks on: the plan's that were found, else as far as they were seen."""
    if plan is not None:
        found = {level.name for level in floors.levels}
        return [level for level in plan.levels if level.id in found]
    return [
        level.model_copy(update={"outline": shapely.convex_hull(shapely.buffer(level.outline, OUTLINE_MARGIN_M))})
        for level in plan_levels(floors)[0]
    ]


def _mark(
    photos: Sequence[MapPhoto], levels: Sequence[Level], floors: Floors, on_progress: Progress
) -> tuple[MarkedFloor, ...]:
    marked = []
    for level in levels:
        index = floors_index(floors, level.id)
        above = [other.elevation - level.elevation for other in floors.levels if other.elevation > level.elevation + 1]
        options = OrthoOptions(max_height=level.ceiling or min(above, default=OPEN_SKY_M))

        def height(points: Array, index: int = index) -> Array:
            return floors.height(points, index)[0]

        ortho = rectify_floor(photos, height, level.outline, options, on_progress)
        marked.append(MarkedFloor(level=level, ortho=ortho, marks=read_marks(ortho)))
    return tuple(marked)


def _with_ramps(plan: FloorPlan, floors: Floors) -> FloorPlan:
    """Return a proposed plan with the ramps that were found between its levels."""
    return plan.model_copy(update={"ramps": plan_levels(floors)[1]})


def _read_signs(photos: Sequence[MapPhoto], plan: FloorPlan | None, on_progress: Progress) -> tuple[SignLandmark, ...]:
    without = None if plan is None else plan.model_copy(update={"signs": ()})
    return tuple(find_signs(photos, TextReader(), without, on_progress=on_progress))
