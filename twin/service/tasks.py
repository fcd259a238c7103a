"""What the live engine has to do for a twin: its cameras in groups, and their videos."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from geometry.errors import InputError, nearest_known
from perception.detection.floor_below import FloorBelow, floors_below
from perception.occupancy.network import NONE, StallNetwork, stall_network_for
from twin.live.task import DEFAULT_GROUP, GroupTask, group_of
from twin.live.watch_task import StallTask, WatchTask
from twin.service.catalog import Served
from twin.service.settings import Settings
from twin.video import parse_videos

Groups = list[tuple[str, tuple[str, ...] | None]]


def groups_of(settings: Settings, served: Served) -> Groups:
    """Return the groups of a twin's cameras; those that no group names are one more."""
    named = settings.groups.get(served.name, {})
    if not named:
        return [(DEFAULT_GROUP, None)]
    taken = {camera for cameras in named.values() for camera in cameras}
    return [*named.items(), (DEFAULT_GROUP, tuple(camera.id for camera in served.cameras if camera.id not in taken))]


def tasks_of(settings: Settings, served: Served) -> list[GroupTask | WatchTask]:
    """Return what has to be done for a version of a twin.

    Raises ``InputError`` where it lacks a camera that the service was told to group or to look at.
    """
    named = settings.groups.get(served.name, {})
    _require(served, (camera for cameras in named.values() for camera in cameras))
    groups, cameras = groups_of(settings, served), served.cameras_file
    tracked = [
        GroupTask(
            twin=served.name,
            group=group,
            database=settings.database_url,
            cameras=cameras,
            ids=ids,
            plan=served.plan_file,
            options=replace(settings.live, boxes_by=_looking(settings, served, ids)),
            content=served.content,
        )
        for group, ids in groups
        if cameras is not None and (ids is None or ids)
    ]
    return [*tracked, *_videos(settings, served, groups)]


def _looking(settings: Settings, served: Served, ids: tuple[str, ...] | None) -> str | None:
    """Return the detector of a group whose cameras' videos are all looked at here; others' boxes may come from any."""
    videos = settings.videos.get(served.name, {})
    cameras = [camera.id for camera in served.cameras] if ids is None else ids
    return settings.detector if videos and set(cameras) <= set(videos) else settings.live.boxes_by


def _videos(settings: Settings, served: Served, groups: Groups) -> list[WatchTask]:
    given = settings.videos.get(served.name, {})
    _require(served, given)
    by_group: dict[str, list[tuple[str, str]]] = {}
    for camera, where in parse_videos([f"{c}={w}" for c, w in given.items()], [*served.camera_ids]).items():
        by_group.setdefault(group_of(camera, groups), []).append((camera, where))
    return [
        WatchTask(
            twin=served.name,
            tracked=group,
            database=settings.database_url,
            videos=tuple(found),
            detector=settings.detector or "",
            max_backlog=settings.live.max_backlog,
            stalls=_stalls(settings, served, [camera for camera, _ in found]),
            floors=_floors(served, [camera for camera, _ in found]),
        )
        for group, found in by_group.items()
    ]


def _stalls(settings: Settings, served: Served, ids: Collection[str]) -> StallTask | None:
    """Return how cameras look at the stalls of a version's plan, if it has any and something is to look at them."""
    network = stall_network_for(settings.stalls, settings.detector or "")
    if network is None or served.plan is None or not served.plan.stalls:
        return None
    cameras = tuple(camera for camera in served.cameras if camera.id in ids)
    return StallTask(network=network, plan=served.plan, cameras=cameras)


def _floors(served: Served, ids: Collection[str]) -> tuple[FloorBelow, ...]:
    """Return the floors that cameras look at, as far as a version's plan has their levels."""
    if served.plan is None:
        return ()
    return tuple(floors_below(served.plan, [camera for camera in served.cameras if camera.id in ids]).values())


def _require(served: Served, cameras: Iterable[str]) -> None:
    for camera in cameras:
        if camera not in served.camera_ids:
            remedy = nearest_known(camera, served.camera_ids) if served.camera_ids else "It has no cameras at all."
            what = (
                f"twin '{served.name}', version {served.version}, has no camera '{camera}', which the service looks at"
            )
            raise InputError(what, remedy=remedy)


def require_looks(settings: Settings, tasks: Iterable[GroupTask | WatchTask]) -> None:
    """Raise ``InputError`` where somebody asked for looks at stalls and there are none, or the network is of no use."""
    if settings.stalls in (None, NONE):
        return
    looks = [task.stalls for task in tasks if isinstance(task, WatchTask) and task.stalls is not None]
    if not looks:
        raise InputError("no twin with videos has a plan with stalls", remedy="Leave out --stalls.")
    StallNetwork(looks[0].network, threads=1)
