"""Everything the routes need, put together once."""

import threading
import time

from geometry.errors import InputError
from twin.live.database.connection import Database
from twin.live.engine import Engine
from twin.live.ingest import Ingest
from twin.live.task import GroupTask, group_of
from twin.live.watch_task import WatchTask
from twin.service.audit import Audit
from twin.service.catalog import Catalog, Served
from twin.service.feed import Feed
from twin.service.keys import Keys
from twin.service.leftovers import remove_leftovers
from twin.service.localizing import serve
from twin.service.metrics import Metrics
from twin.service.settings import Settings
from twin.service.sightings import SightingStores
from twin.service.tasks import groups_of, require_looks, tasks_of
from twin.service.workers import Pool


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
        remove_leftovers(self.uploads, self.catalog.folder)
        require_looks(settings, self.tasks())  # a camera that is not there is told before anything runs
        self.keys, self.audit, self.metrics = Keys(self.database), Audit(self.database), Metrics()
        self.feed = Feed(self.database)
        self.sightings = SightingStores(settings)
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
        self.sightings.close()
        self.database.close()

    @property
    def limits_of_backlog(self) -> int:
        """How many frames may wait to be tracked."""
        return self.settings.live.max_backlog

    def group_of(self, served: Served, camera: str) -> str:
        """Return the group of one of a twin's cameras."""
        return group_of(camera, groups_of(self.settings, served))

    def tasks(self) -> list[GroupTask | WatchTask]:
        """Return what the live engine has to do for the current versions of all twins."""
        served = [self.catalog.get(name) for name in self.catalog.names()]
        return [task for each in served for task in tasks_of(self.settings, each)]

    def require_tasks(self, candidate: Served) -> None:
        """Refuse, as ``InputError``, a version that the live engine couldn't follow with this service's settings."""
        tasks_of(self.settings, candidate)

    def reload(self) -> None:
        """Let the engine follow a change of versions."""
        if self.engine is not None:
            self.engine.set_tasks(self.tasks())

    def standing_by(self) -> list[str]:
        """Return the groups that another service tracks; this one takes over when that one goes."""
        health = [] if self.engine is None else self.engine.health()
        return [f"{each['twin']} {each['group']}" for each in health if each["stands_by"]]

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
