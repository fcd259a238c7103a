"""What a map in site shows of the facility: floors, what is painted on them, the plan, signs, and its surface.

Each part goes on what the parts before it found. One that can't be made says why in ``report`` and leaves the others.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import ValidationError
from shapely.errors import ShapelyError

from geometry import (
    CancelledError,
    DegenerateError,
    FloorPlan,
    Floors,
    HeightCheck,
    PlanDisagreement,
    PlanFit,
    TiepointError,
    height_disagreements,
    plan_levels,
    plan_warnings,
    with_plan,
)
from geometry.floorplan import Level
from twin.choice import OFTEN_ALIKE
from twin.landmarks import Landmarks
from twin.layout import MarkedFloor, OrthoOptions, propose_plan, read_marks
from twin.map_uncertainty import MapUncertainty
from twin.mapping.floors import disagreements_with, floors_of_map, register_plan, view_centres
from twin.mapping.meaning_report import (
    floor_report,
    mark_report,
    plan_report,
    sign_report,
    surface_report,
    texture_report,
)
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.rectified_levels import RectifiedLevel, rectify_levels
from twin.mapping.rectified_walls import RectifiedWall, rectify_walls
from twin.mapping.telltales import find_telltales
from twin.mapping.textures import find_textures
from twin.mapping.workspace import Workspace
from twin.photos import MapPhoto
from twin.progress import Progress, silent
from twin.signs import SignLandmark, place_signs
from twin.store import SiteFrame
from twin.surface import Surface
from twin.telltales import Telltale
from twin.textures import Textures

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
T = TypeVar("T")
Part = Literal["marks", "signs", "textures", "telltales", "surface"]
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
    textures: Textures | None = None
    telltales: tuple[Telltale, ...] = ()
    surface: Surface | None = None
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MeaningOptions:
    """What to look for: the parts, and how a plan that is given comes into site.

    fit_plan: it has a frame of its own, and is fitted to the map; by_control: how control points brought it into site
    alike: how many look-alikes a place of the map has; where there are few, levels are not compared
    """

    parts: tuple[Part, ...] = PARTS
    fit_plan: bool = False
    by_control: PlanFit | None = None
    alike: float = 0.0


def find_meaning(
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    frame: SiteFrame,
    plan: FloorPlan | None,
    options: MeaningOptions | None = None,
    on_progress: Progress = silent,
    workspace: Workspace | None = None,
    uncertainty: MapUncertainty | None = None,
) -> Meaning:
    """Return what a map shows; ``photos`` are those of ``landmarks.views``, in their order.

    uncertainty: of the views, None for exact poses

    With a ``workspace`` what was read, rectified or coloured before is not made again.

    Raises ``InputError`` and ``DegenerateError`` where a plan of a frame of its own can't be fitted: then nothing that
    is said by the plan would be true.
    """
    options = options or MeaningOptions()
    stages = MeaningStages(workspace)
    report: dict[str, Any] = {}
    floors: Floors | None = None
    centres = view_centres([photo.cam_from_site for photo in photos])
    in_site = frame.metric and not frame.undetermined
    if in_site:
        floors = _attempt(report, "floors", lambda: floors_of_map(landmarks, centres, frame))
    else:
        report |= {part: {"skipped": "the map is not tied to the site"} for part in ("floors", *options.parts)}
    if plan is not None and options.fit_plan and floors is None:
        raise DegenerateError(
            f"the plan can't be fitted: {report['floors']['skipped']}",
            remedy="Tie the map to the site, walk some metres along every level, or leave the plan out.",
        )
    if not in_site:
        return Meaning(plan=plan, report=report)
    found = Meaning(plan=plan, report=report)
    if floors is not None:
        found = _find_plan(landmarks, photos, centres, floors, found, options, stages, on_progress)
    signs = surface = textures = telltales = None
    if "signs" in options.parts:
        signs = _attempt(
            report, "signs", lambda: _read_signs(stages, landmarks, photos, found.plan, uncertainty, on_progress)
        )
    rectified = cache(lambda: _rectify(stages, landmarks, photos, floors, found.plan, on_progress))
    if "textures" in options.parts:
        textures = _attempt(
            report,
            "textures",
            lambda: find_textures(rectified(), _rectify_walls(stages, photos, found.plan, on_progress)),
        )
    if "telltales" in options.parts and options.alike >= OFTEN_ALIKE:
        telltales = _attempt(
            report, "telltales", lambda: find_telltales(rectified(), _known(found.plan), signs or (), photos)
        )
    if "surface" in options.parts:
        surface = _attempt(report, "surface", lambda: _make_surface(stages, landmarks, photos, found.plan, on_progress))
    if signs is not None:
        report["signs"] = sign_report(signs)
    if textures is not None:
        report["textures"] = texture_report(textures)
    if telltales is not None:
        report["telltales"] = {"found": [each.name for each in telltales]}
    if surface is not None:
        report["surface"] = surface_report(surface)
    return replace(found, signs=signs, textures=textures, telltales=telltales or (), surface=surface)


def _find_plan(
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    centres: Array,
    floors: Floors,
    found: Meaning,
    options: MeaningOptions,
    stages: MeaningStages,
    on_progress: Progress,
) -> Meaning:
    """Return floors, their marks, and the plan: compared with the map, fitted to it, or proposed."""
    plan, report = found.plan, found.report
    given = plan is not None and not options.fit_plan
    checks: tuple[HeightCheck, ...] = ()
    fit = options.by_control
    disagreements: tuple[PlanDisagreement, ...] = ()
    if plan is not None and given:
        floors, checks = with_plan(floors, plan)
        disagreements = disagreements_with(landmarks, centres, floors, plan)
    marked: tuple[MarkedFloor, ...] = ()
    if "marks" in options.parts:
        report["marks"] = {"levels": {}}
        marked = _mark(stages, photos, floors, plan if given else None, report["marks"]["levels"], on_progress)
    source = "given" if fit is None else "control"
    if plan is not None and not given:
        lines = {floors_index(floors, each.level.id): each.marks.stripes for each in marked}
        plan, fit, disagreements = register_plan(landmarks, centres, floors, plan, stall_lines=lines)
        before, source = floors, "fitted"
        floors, checks = with_plan(floors, plan, fuse=False)
        names = {old.name: new.name for old, new in zip(before.levels, floors.levels, strict=True)}
        marked = tuple(_renamed(each, names[each.level.id]) for each in marked)
    remarks = [] if plan is None else [*(fit.remarks if fit else ()), *height_disagreements(checks, floors, plan)]
    if plan is None:
        floors_now = floors
        plan, source = _attempt(report, "plan", lambda: _proposed(floors_now, marked)), "proposed"
    report["floors"] = floor_report(floors)
    if marked:
        report["marks"]["levels"] |= mark_report(marked)
    if plan is not None:
        sure = plan
        # What is proposed is a draft, whose lanes nobody has joined yet.
        doubts = [] if source == "proposed" else _attempt(report, "plan", lambda: list(map(str, plan_warnings(sure))))
        if doubts is not None:
            report["plan"] = plan_report(plan, source, fit, disagreements, remarks, doubts)
    return replace(found, floors=floors, plan=plan, marked=marked)


def _attempt(report: dict[str, Any], part: str, make: Callable[[], T]) -> T | None:
    """Return what ``make`` makes, or None with the reason in the report where the map does not show enough for it."""
    try:
        return make()
    except CancelledError:
        raise
    except (TiepointError, ShapelyError, ValidationError) as error:
        logger.warning("no %s: %s", part, error)
        report[part] = {"skipped": str(error)}
        return None


def floors_index(floors: Floors, name: str) -> int:
    """Return the index of a level by its name."""
    return [level.name for level in floors.levels].index(name)


def _mark(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    floors: Floors,
    plan: FloorPlan | None,
    report: dict[str, Any],
    on_progress: Progress,
) -> tuple[MarkedFloor, ...]:
    """Return the marked floors of the plan's levels that were found, or else of all that were."""
    seen = {level.name for level in floors.levels}
    levels = plan_levels(floors)[0] if plan is None else tuple(level for level in plan.levels if level.id in seen)
    marked = []
    for level in levels:
        floor = _attempt(report, level.id, partial(_mark_level, stages, photos, floors, level, plan, on_progress))
        if floor is not None:
            marked.append(floor)
    return tuple(marked)


def _mark_level(
    stages: MeaningStages,
    photos: Sequence[MapPhoto],
    floors: Floors,
    level: Level,
    plan: FloorPlan | None,
    on_progress: Progress,
) -> MarkedFloor:
    index = floors_index(floors, level.id)
    above = [other.elevation - level.elevation for other in floors.levels if other.elevation > level.elevation + 1]
    options = OrthoOptions(max_height=level.ceiling or min(above, default=OPEN_SKY_M))
    extent = level.outline
    if plan is None:
        # Beyond what the map saw of a floor, under what stands there, stalls go on.
        extent = shapely.convex_hull(shapely.buffer(extent, OUTLINE_MARGIN_M))
    ortho = stages.ortho(photos, lambda xy: floors.height(xy, index)[0], extent, options, on_progress)
    return MarkedFloor(level=level, ortho=ortho, marks=read_marks(ortho))


def _renamed(floor: MarkedFloor, name: str) -> MarkedFloor:
    return replace(floor, level=floor.level.model_copy(update={"id": name}))


def _proposed(floors: Floors, marked: Sequence[MarkedFloor]) -> FloorPlan:
    """Return the plan that marks propose, with all levels and ramps that were found."""
    levels, ramps = plan_levels(floors)
    if not marked:
        return FloorPlan(levels=levels, ramps=ramps, meta={"proposed": {"stalls": {}, "lanes": {}}})
    named = {floor.level.id for floor in marked}
    marks = propose_plan(marked, [ramp for ramp in ramps if {ramp.from_level, ramp.to_level} <= named])
    grown = {level.id: level for level in marks.levels}
    return marks.model_copy(
        update={"levels": tuple(grown.get(level.id, level) for level in levels), "ramps": tuple(ramps)}
    )


def _make_surface(
    stages: MeaningStages,
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    plan: FloorPlan | None,
    on_progress: Progress,
) -> Surface:
    if plan is None:
        raise DegenerateError("neither a plan nor floors are known", remedy="Give a plan with --plan.")
    return stages.surface(plan, landmarks, photos, on_progress)


def _rectify(
    stages: MeaningStages,
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    floors: Floors | None,
    plan: FloorPlan | None,
    on_progress: Progress,
) -> list[RectifiedLevel]:
    if floors is None:
        raise DegenerateError("no floors are known")
    levels = plan_levels(floors)[0] if plan is None else plan.levels
    return rectify_levels(stages, photos, floors, levels, landmarks, on_progress)


def _rectify_walls(
    stages: MeaningStages, photos: Sequence[MapPhoto], plan: FloorPlan | None, on_progress: Progress
) -> list[RectifiedWall]:
    return [] if plan is None else rectify_walls(stages, photos, plan, on_progress)


def _known(plan: FloorPlan | None) -> FloorPlan:
    if plan is None:
        raise DegenerateError("levels are not known")
    return plan


def _read_signs(
    stages: MeaningStages,
    landmarks: Landmarks,
    photos: Sequence[MapPhoto],
    plan: FloorPlan | None,
    uncertainty: MapUncertainty | None,
    on_progress: Progress,
) -> tuple[SignLandmark, ...]:
    without = None if plan is None else plan.model_copy(update={"signs": ()})
    readings = stages.readings(photos, on_progress)
    return tuple(place_signs(photos, readings, without, landmarks=landmarks, uncertainty=uncertainty))
