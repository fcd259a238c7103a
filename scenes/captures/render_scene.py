"""A facility rendered into a folder: plan, cameras, tags, a walk, queries, fixed cameras, and the truth of it all."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import write_plan
from geometry.interchange import CameraRule, write_cameras, write_poses, write_tags
from scenes.building import Building, build_facility
from scenes.captures.claims import DriftOptions, claimed_poses
from scenes.captures.day import OTHER_DAY, SURVEY_DAY, Day, draw_day, shapes_of, world_of
from scenes.captures.fixed import render_fixed
from scenes.captures.options import CaptureOptions
from scenes.captures.phone import Phone
from scenes.captures.phone_truth import surveyed_tags, true_poses, write_query_truth
from scenes.captures.pictures_on_disk import claim_folder, make_folder, write_pictures
from scenes.captures.queries import query_views
from scenes.captures.recording import FixedOptions
from scenes.captures.seen import WalkVisibility, level_evidence_px, seen_fraction
from scenes.captures.views import View
from scenes.captures.walk import walk_views
from scenes.checks import check
from scenes.description import write_facility
from scenes.facility import Facility
from scenes.plan import floor_plan
from scenes.rendering import Instance, Shape, World, cast
from scenes.rendering.mesh import build_mesh, textures_of
from scenes.rendering.raycasting import raycaster

OnProgress = Callable[[str, int, int], None]

FORMAT = 1
"""Goes up when the same options give other bytes, so that no folder mixes two kinds of pictures."""
SURVEY_STREAM, OTHER_STREAM, WALK_STREAM, CLAIM_STREAM, QUERY_STREAM, WALK_PHONE, QUERY_PHONE = range(101, 108)
"""Numbers that set the random streams of one seed apart."""
QUERY_BLUR = 0.0016
"""Radians: who takes a photo in passing holds the phone less steadily than a surveyor."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def render_scene(
    facility: Facility,
    out: Path,
    options: CaptureOptions | None = None,
    on_progress: OnProgress = silent,
) -> None:
    """Render captures of a facility into the folder ``out``, in the layout "A rendered scene on disk" of the docs.

    The same facility and options write the same bytes. A run that was stopped goes on where it was, and captures can be
    added to a folder. ``on_progress`` is called as (stage, done, total). Raises ``InputError`` for a facility that
    ``scenes.checks`` refuses, for a folder that holds something else, and for what can't be written.
    """
    options = options or CaptureOptions()
    check(facility)
    _check_captures(facility, options)
    claim_folder(out, _digest(facility, options))
    job = _Job(facility, out, options, on_progress)
    job.write_descriptions()
    if "walk" in options.captures:
        job.write_walk()
    if "queries" in options.captures:
        job.write_queries()
    if "fixed" in options.captures:
        job.write_fixed()


def _check_captures(facility: Facility, options: CaptureOptions) -> None:
    """Raise ``InputError`` for captures that the facility has nothing for, before hours are spent on others."""
    needs = {
        "walk": ("walks", facility.walks),
        "queries": ("walks", facility.walks),
        "fixed": ("cameras", facility.cameras),
    }
    for capture in options.captures:
        name, elements = needs[capture]
        if not elements:
            remedy = f"Author {name}, or leave '{capture}' out of the captures."
            raise InputError(f"'{capture}' can't be captured without {name}", where=facility.name, remedy=remedy)


def _digest(facility: Facility, options: CaptureOptions) -> str:
    """Return a word for what is rendered; which of the captures are asked for does not matter."""
    chosen = {name: value for name, value in asdict(options).items() if name != "captures"}
    content = json.dumps([FORMAT, facility.model_dump(mode="json", by_alias=True), chosen], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class _Job:
    """One rendering into one folder; what is costly is made when it is first needed."""

    def __init__(self, facility: Facility, out: Path, options: CaptureOptions, on_progress: OnProgress) -> None:
        self.facility, self.out, self.options, self.on_progress = facility, out, options, on_progress
        self.plan = floor_plan(facility)

    def write_descriptions(self) -> None:
        """Write what is known without a picture."""
        make_folder(self.out / "truth")
        write_facility(self.out / "scene.yaml", self.facility)
        write_plan(self.out / "plan.json", self.plan)
        write_cameras(self.out / "cameras.csv", [CameraRule("*", self.options.phone)])
        write_tags(self.out / "tags.csv", surveyed_tags(self.facility, self.building))

    def write_walk(self) -> None:
        """Write walk/ and truth/walk.csv."""
        folder, truth = self.out / "walk", true_poses(self.walk)
        make_folder(folder)
        write_poses(self.out / "truth" / "walk.csv", truth)
        write_poses(folder / "poses.csv", claimed_poses(truth, DriftOptions(), self._rng(CLAIM_STREAM)))
        world = cache(lambda: self._world(self.survey_day))
        phone = Phone(seed=(self.options.seed, WALK_PHONE), rendering=self.options.rendering, stops=SURVEY_DAY.stops)
        self._write_pictures("walk", self.walk, phone, world)

    def write_queries(self) -> None:
        """Write queries/ and truth/queries.csv, unless all of it is there."""
        finished = len(list((self.out / "queries").glob("*.jpg"))) == self.options.queries
        if finished and (self.out / "truth" / "queries.csv").exists():
            return
        world = self._world(self.other_day)
        options = self.options
        views = query_views(
            self.plan, self.other_day, world.raycaster, options.phone,
            seed=(options.seed, QUERY_STREAM), count=options.queries, levels=options.levels,
            accept=lambda pose: options.min_seen == 0 or self._seen(pose, world) >= options.min_seen,
        )  # fmt: skip
        phone = Phone(
            seed=(options.seed, QUERY_PHONE), rendering=options.rendering, stops=OTHER_DAY.stops, blur=QUERY_BLUR
        )
        self._write_pictures("queries", views, phone, lambda: world)
        self._write_query_truth(views, world)

    def write_fixed(self) -> None:
        """Write fixed/ and its truth."""
        chosen = self.options
        options = FixedOptions(seed=chosen.seed, seconds=chosen.seconds, fps=chosen.fps, quality=chosen.quality)
        count = partial(self.on_progress, "fixed cameras")
        render_fixed(self.facility, self.plan, self.building, self.out, options, count)

    @cached_property
    def building(self) -> Building:
        """What is static."""
        self.on_progress("building", 0, 1)
        built = build_facility(self.facility)
        self.on_progress("building", 1, 1)
        return built

    @cached_property
    def survey_day(self) -> Day:
        """The place when it is surveyed."""
        return draw_day(self.facility, self.plan, self.building, self._rng(SURVEY_STREAM), SURVEY_DAY)

    @cached_property
    def other_day(self) -> Day:
        """The place when queries are taken."""
        return draw_day(self.facility, self.plan, self.building, self._rng(OTHER_STREAM), OTHER_DAY)

    @cached_property
    def walk(self) -> list[View]:
        """The pictures of the walk."""
        options = self.options
        return walk_views(
            self.facility, self.plan, options.phone, self._rng(WALK_STREAM),
            levels=options.levels, limit=options.walk_frames,
        )  # fmt: skip

    @cached_property
    def walk_visibility(self) -> WalkVisibility:
        """What the pictures of the walk see on the day of the survey."""
        shapes = shapes_of(self.facility, self.building, self.survey_day)
        return WalkVisibility.of(self.walk, raycaster_of(shapes, self.survey_day.instances))

    def _write_pictures(self, kind: str, views: Sequence[View], phone: Phone, world: Callable[[], World]) -> None:
        def render(index: int) -> NDArray[np.uint8]:
            return phone.picture(world(), views, index)

        write_pictures(self.out / kind, views, render, phone.file, partial(self.on_progress, kind))

    def _write_query_truth(self, views: Sequence[View], world: World) -> None:
        seen, evidence = [], []
        for done, view in enumerate(views, start=1):
            seen.append(self._seen(view.cam_from_site, world))
            evidence.append(level_evidence_px(self.facility, view.level, cast(world, view.camera, view.cam_from_site)))
            self.on_progress("truth of queries", done, len(views))
        write_query_truth(self.out / "truth" / "queries.csv", self.plan, views, seen, evidence)

    def _seen(self, cam_from_site: pycolmap.Rigid3d, world: World) -> float:
        return seen_fraction(self.options.phone, cam_from_site, world.raycaster, self.walk_visibility)

    def _world(self, day: Day) -> World:
        self.on_progress("light", 0, 1)
        world = world_of(self.facility, self.building, day, self.options.light)
        self.on_progress("light", 1, 1)
        return world

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, stream])


def raycaster_of(shapes: Sequence[Shape], instances: Sequence[Instance]) -> Any:
    """Return a ray caster of what stands there, without its light."""
    mesh = build_mesh(shapes, instances, textures_of(shapes, instances))
    return raycaster(mesh.vertices, mesh.triangles)
