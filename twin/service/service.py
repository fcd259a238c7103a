"""Everything the routes need, put together once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from geometry.errors import InputError, nearest_known
from twin.live.database.connection import Database
from twin.live.engine import Engine
from twin.live.ingest import Ingest
from twin.live.task import DEFAULT_GROUP, GroupTask, group_of
from twin.live.watching import WatchTask
from twin.service.audit import Audit
from twin.service.catalog import PLAN_FILE, Catalog, Served
from twin.service.feed import Feed
from twin.service.keys import Keys
from twin.service.localizing import serve
from twin.service.metrics import Metrics
from twin.service.settings import Settings
from twin.service.sightings import SightingStores
from twin.service.workers import Pool
from twin.video import parse_videos


class Service:
    """The parts of a running service; ``start`` begins processes, ``stop`` ends them and loses nothing acknowledged."""

    def __init__(self, settings: Settings) -> None:
        """Open the database and look at the twins. Raises ``TiepointError`` for what is wrong with either."""
        settings.data.mkdir(parents=True, exist_ok=True)
        self.settings, self.limits = settings, settings.limits
        self.uploads = settings.data / "tmp"
        self.uploads.mkdir(exist_ok=True)
        self.database = Database(settings.database_url)
        self.database.upgrade()
        given = {folder.resolve().name: folder for folder in settings.twins}
        self.catalog = Catalog(settings.data, given, settings.cameras)
        for what, named in (("videos", settings.videos), ("groups", settings.groups)):
            for name in named.keys() - set(self.catalog.names()):
                raise InputError(f"there are {what} of '{name}', which is not served")
        for name, groups in settings.groups.items():
            known = self.catalog.get(name).camera_ids
            for camera in {camera for cameras in groups.values() for camera in cameras} - known:
                raise InputError(f"twin '{name}' has no camera '{camera}'", remedy=nearest_known(camera, known))
        self.keys, self.audit, self.metrics = Keys(self.database), Audit(self.database), Metrics()
        self.feed = Feed(self.database)
        self.sightings = SightingStores(settings)
        self.threads = ThreadPoolExecutor(8, thread_name_prefix="service")
        self.stopping = threading.Event()
        self.pool: Pool | None = None
        self.engine: Engine | None = None
        self.ingest: Ingest | None = None

    def start(self) -> None:
        """Start the processes and threads."""
        twins = tuple(s.folder for name in self.catalog.names() if (s := self.catalog.get(name)).manifest is not None)
        limits = self.limits
        self.pool = Pool(
            serve,
            (twins, self.settings.detector),
            workers=self.settings.workers,
            waiting=limits.waiting,
            seconds=limits.localize_s,
        )
        self.engine = Engine(self.database)
        self.engine.set_tasks(self.tasks())
        self.ingest = Ingest(self.database, self.engine.wake)

    def stop(self) -> None:
        """Store what was taken in, save the engine's state, and end all processes."""
        self.stopping.set()
        if self.ingest is not None:
            self.ingest.close()
        if self.engine is not None:
            self.engine.stop()
        if self.pool is not None:
            self.pool.close()
        self.threads.shutdown()
        self.sightings.close()
        self.database.close()

    @property
    def limits_of_backlog(self) -> int:
        """How many frames may wait to be tracked."""
        return self.settings.live.max_backlog

    def groups(self, served: Served) -> list[tuple[str, tuple[str, ...] | None]]:
        """Return the groups of a twin's cameras; those that no group names are one more."""
        named = self.settings.groups.get(served.name, {})
        return [*named.items(), *([(DEFAULT_GROUP, None)] if not named else [(DEFAULT_GROUP, _rest(served, named))])]

    def group_of(self, served: Served, camera: str) -> str:
        """Return the group of one of a twin's cameras."""
        return group_of(camera, self.groups(served))

    def tasks(self) -> list[GroupTask | WatchTask]:
        """Return what the live engine has to do for the current versions of all twins."""
        tasks: list[GroupTask | WatchTask] = []
        for name in self.catalog.names():
            served = self.catalog.get(name)
            plan: Path | None = served.folder / PLAN_FILE
            for group, ids in self.groups(served):
                if served.cameras_file is not None and (ids is None or ids):
                    tasks.append(
                        GroupTask(
                            twin=name,
                            group=group,
                            database=self.settings.database_url,
                            cameras=served.cameras_file,
                            ids=ids,
                            plan=plan if served.plan is not None else None,
                            options=self.settings.live,
                        )
                    )
            tasks += self._videos(served)
        return tasks

    def _videos(self, served: Served) -> list[WatchTask]:
        """Return what has to be looked at. Raises ``InputError`` for a camera that the twin does not have."""
        videos = parse_videos(
            [f"{c}={w}" for c, w in self.settings.videos.get(served.name, {}).items()], [*served.camera_ids]
        )
        by_group: dict[str, list[tuple[str, str]]] = {}
        for camera, where in videos.items():
            by_group.setdefault(self.group_of(served, camera), []).append((camera, where))
        return [
            WatchTask(
                twin=served.name,
                tracked=group,
                database=self.settings.database_url,
                videos=tuple(found),
                detector=self.settings.detector or "",
                max_backlog=self.settings.live.max_backlog,
            )
            for group, found in by_group.items()
        ]

    def reload(self) -> None:
        """Let the engine follow a change of versions."""
        if self.engine is not None:
            self.engine.set_tasks(self.tasks())

    def problems(self) -> list[str]:
        """Return why the service is not ready; empty when it is."""
        found = []
        if self.stopping.is_set():
            found.append("it is stopping")
        if self.pool is None or not self.pool.is_alive:
            found.append("no localizing process is ready")
        for each in self.engine.health() if self.engine is not None else []:
            if each["finished"]:
                continue
            if not each["alive"]:
                found.append(f"the tracking of {each['twin']} does not run")
            elif each["beat"] is None:
                found.append(f"the tracking of {each['twin']} is about to begin")
        begin = time.monotonic()
        with self.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        if time.monotonic() - begin > 5.0:
            found.append("the database is slow")
        return found


def _rest(served: Served, named: object) -> tuple[str, ...]:
    taken = {camera for ids in dict(named).values() for camera in ids}  # type: ignore[call-overload]
    return tuple(camera.id for camera in served.cameras if camera.id not in taken)
