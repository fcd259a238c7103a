"""A small rendered capture and the twin made of it, once a session, since both take seconds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from geometry import CameraRule, camera_from_params, write_cameras, write_poses
from scenes import CLEAN, Facility, View, floor_plan
from scenes.building import build_facility
from scenes.captures import (
    SURVEY_DAY,
    DriftOptions,
    Phone,
    claimed_poses,
    draw_day,
    query_views,
    true_poses,
    walk_views,
    world_of,
)
from scenes.captures.pictures_on_disk import write_pictures
from scenes.library import facility
from scenes.rendering import DRAFT, DRAFT_LIGHT, World
from twin import MapInputs, map_images

# No deadline: how long a case takes depends on who else computes.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

WALK, QUERIES = 28, 6
PX_PER_M = 64.0
PERFECT_PHONE = Phone(seed=(0,), rendering=DRAFT, stops=0.0, blur=0.0, blur_m=0.0, noise=CLEAN)
CLAIMS = DriftOptions(noise_m=0.02, noise_deg=0.3)
"""A good phone's."""


@dataclass(frozen=True)
class Rendered:
    """Folders and files of a capture in the layout of ``scenes.render_scene``."""

    folder: Path

    @property
    def walk(self) -> Path:
        return self.folder / "walk"

    @property
    def queries(self) -> Path:
        return self.folder / "queries"

    @property
    def cameras(self) -> Path:
        return self.folder / "cameras.csv"

    def inputs(self, poses: str | None = "truth/walk.csv") -> MapInputs:
        """Return the inputs for mapping the walk; by default with its true poses."""
        return MapInputs(images=self.walk, cameras=self.cameras, poses=None if poses is None else self.folder / poses)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The library's room by a perfect phone, walk and queries on the same day."""
    folder = tmp_path_factory.mktemp("capture")
    rng = np.random.default_rng(5)
    camera = camera_from_params("PINHOLE", 480, 360, [300.0, 300.0, 240.0, 180.0])
    place = small_room()
    plan, building = floor_plan(place), build_facility(place)
    day = draw_day(place, plan, building, rng, SURVEY_DAY)
    world = world_of(place, building, day, DRAFT_LIGHT)
    walk = walk_views(place, plan, camera, rng, limit=WALK)
    write_views(folder, "walk", world, walk)
    write_views(folder, "queries", world, query_views(plan, day, world.raycaster, camera, seed=(5,), count=QUERIES))
    write_poses(folder / "walk" / "poses.csv", claimed_poses(true_poses(walk), CLAIMS, rng))
    write_cameras(folder / "cameras.csv", [CameraRule("*", camera)])
    return Rendered(folder)


def small_room() -> Facility:
    """The library's room in coarse textures; its loop is walked once, so that a few pictures overlap."""
    place = facility("room")
    walks = tuple(walk.model_copy(update={"both_ways": False}) for walk in place.walks)
    return place.model_copy(update={"px_per_m": PX_PER_M, "walks": walks})


def write_views(folder: Path, kind: str, world: World, views: Sequence[View]) -> None:
    (folder / "truth").mkdir(exist_ok=True)
    write_poses(folder / "truth" / f"{kind}.csv", true_poses(views))
    write_pictures(
        folder / kind,
        views,
        lambda index: PERFECT_PHONE.picture(world, views, index),
        PERFECT_PHONE.file,
        lambda done, total: None,
    )


@pytest.fixture(scope="session")
def small_twin(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    twin = tmp_path_factory.mktemp("twins") / "room"
    map_images(rendered.inputs(), twin)
    return twin
