"""What the engine is to do for a twin's version: who looks at stalls, and what makes another task of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from geometry import write_cameras_json, write_plan
from geometry.errors import InputError
from tests.perception.occupancy.networks import write_network
from tests.perception.sites import cameras
from tests.twin.live.conftest import plan
from tests.twin.service.conftest import settings_for
from twin.live.task import GroupTask
from twin.live.watch_task import WatchTask
from twin.service.app import create_app
from twin.service.catalog import Catalog
from twin.service.settings import Settings
from twin.service.tasks import tasks_of

VIDEOS = {"site": {"west": "west.mp4", "south": "south.mp4"}}


@pytest.fixture
def folder(site: Path, tmp_path: Path) -> Path:
    """A copy of the site, to change."""
    return Path(shutil.copytree(site, tmp_path / "own" / "site"))


def settings(folder: Path, **more: object) -> Settings:
    return settings_for(folder.parent, folder, **{"videos": VIDEOS, "detector": "tiepoint", **more})


def tasks(given: Settings) -> tuple[GroupTask, WatchTask]:
    """Return what is to be done for the site as it is by now."""
    catalog = Catalog(given.data, {"site": given.twins[0]}, {})
    tracked, watched = tasks_of(given, catalog.get("site"))
    assert isinstance(tracked, GroupTask)
    assert isinstance(watched, WatchTask)
    return tracked, watched


def test_the_cameras_of_videos_look_at_stalls_beside_the_own_detector(folder: Path) -> None:
    _, watched = tasks(settings(folder))
    assert watched.stalls is not None
    assert watched.stalls.network.name == "stalls.onnx"
    assert set(watched.stalls.sights()) == {"west", "south"}


@pytest.mark.parametrize("stalls", ["none", None])
def test_vehicles_are_measured_with_looks_at_stalls_or_without(folder: Path, stalls: str | None) -> None:
    floors = tasks(settings(folder, stalls=stalls))[1].floors
    assert {floor.camera.id: floor.elevation for floor in floors} == {"west": 0.0, "south": 0.0}
    upstairs = [level.model_copy(update={"id": id}) for level in plan().levels for id in ("P2", "P3")]
    write_plan(folder / "plan.json", plan().model_copy(update={"levels": tuple(upstairs), "stalls": (), "zones": ()}))
    assert tasks(settings(folder, stalls=stalls))[1].floors == (), "of levels that the plan hasn't"


@pytest.mark.parametrize("more", [{"detector": "background"}, {"stalls": "none"}])
def test_nobody_looks_where_it_is_not_asked_for(folder: Path, more: dict[str, str]) -> None:
    assert tasks(settings(folder, **more))[1].stalls is None


def test_nobody_looks_at_a_plan_without_stalls_or_without_a_plan(folder: Path) -> None:
    write_plan(folder / "plan.json", plan().model_copy(update={"stalls": ()}))
    assert tasks(settings(folder))[1].stalls is None


def test_what_looks_can_be_named(folder: Path) -> None:
    watched = tasks(settings(folder, detector="background", stalls="own.onnx"))[1]
    assert watched.stalls is not None
    assert watched.stalls.network == Path("own.onnx")


def test_another_calibration_or_plan_in_the_same_files_is_another_task(folder: Path) -> None:
    first = tasks(settings(folder))
    assert tasks(settings(folder)) == first
    west, *others = cameras()
    other = west.model_copy(update={"cam_from_site": others[0].cam_from_site})
    write_cameras_json(folder / "cameras.json", [other, *others])
    second = tasks(settings(folder))
    assert all(a != b for a, b in zip(first, second, strict=True))
    write_plan(folder / "plan.json", plan().model_copy(update={"stalls": plan().stalls[:1]}))
    third = tasks(settings(folder))
    assert all(a != b for a, b in zip(second, third, strict=True))


def test_a_camera_that_nobody_watches_changes_nothing_for_those_who_watch(folder: Path) -> None:
    before = tasks(settings(folder))
    west, south, east = cameras()
    write_cameras_json(folder / "cameras.json", [west, south, east.model_copy(update={"clock_offset_s": 1.0})])
    after = tasks(settings(folder))
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_looks_that_are_asked_for_and_can_not_be_are_told_at_the_start(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no videos"):
        settings(folder, videos={}, stalls="tiepoint")
    settings(folder, videos={}, stalls="none")
    own = write_network(tmp_path / "own.onnx")
    for network, what in ((tmp_path / "none.onnx", "none.onnx"), (folder / "plan.json", "can't load")):
        with pytest.raises(InputError, match=what):
            create_app(settings(folder, stalls=str(network)))
    write_plan(folder / "plan.json", plan().model_copy(update={"stalls": ()}))
    with pytest.raises(InputError, match="no twin with videos has a plan with stalls"):
        create_app(settings(folder, stalls=str(own)))
    create_app(replace(settings(folder), stalls=None)).state.service.stop()
