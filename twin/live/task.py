"""What a worker process is told: whose cameras it tracks, where it keeps what it knows, and how."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geometry.floorplan import FloorPlan, read_plan
from geometry.interchange import read_cameras_json
from geometry.records import FixedCamera
from perception.detection.making import habits_of
from perception.tracking.options import TrackerOptions
from twin.events.engine import EventEngine
from twin.live.snapshot import fingerprint
from twin.live_tracking import LiveTracker
from twin.tracking import TrackingOptions

DEFAULT_GROUP = "all"


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """How the engine runs.

    delay_s: how long a frame waits for others that were exposed earlier; it adds to how old the state is
    rows_per_s, clock_sigma_s: as of ``TrackingOptions``; clocks are taken as they are unless told otherwise
    whole_boxes: whether boxes go around the whole object, hidden parts too
    boxes_by: the detector that all boxes come from, whose habits count where they are known; None for several
    keep_frames_s, keep_records_s: how long frames that are done, and history, are kept
    save_every_s: how often the whole state is saved; after a crash so much is tracked again
    still_m, still_every_s: a track that moved less is written to the history only so often
    max_backlog: frames that may wait to be tracked before no more are taken
    """

    delay_s: float = 0.3
    rows_per_s: float = 5.0
    clock_sigma_s: float = 0.0
    whole_boxes: bool = False
    boxes_by: str | None = None
    keep_frames_s: float = 24 * 3600.0
    keep_records_s: float = 30 * 24 * 3600.0
    save_every_s: float = 20.0
    still_m: float = 0.1
    still_every_s: float = 5.0
    max_backlog: int = 5_000

    def tracking(self) -> TrackingOptions:
        """Return the options of the tracker."""
        habits = None if self.boxes_by is None else habits_of(self.boxes_by)
        return TrackingOptions(
            tracker=TrackerOptions.of(habits, visible_boxes=not self.whole_boxes),
            clock_sigma_s=self.clock_sigma_s,
            rows_per_s=self.rows_per_s,
        )


@dataclass(frozen=True, kw_only=True)
class GroupTask:
    """Cameras of one twin that are tracked together, by one process.

    ids: the group's cameras; None for all of the file
    content: what ``content_of`` tells of both files, so that it is another task when one was changed in place
    """

    twin: str
    group: str
    database: str
    cameras: Path
    ids: tuple[str, ...] | None = None
    plan: Path | None = None
    options: LiveOptions = LiveOptions()
    content: str = ""

    def members(self) -> tuple[FixedCamera, ...]:
        """Read the group's cameras."""
        found = read_cameras_json(self.cameras)
        return found if self.ids is None else tuple(camera for camera in found if camera.id in self.ids)

    def floor_plan(self) -> FloorPlan | None:
        """Read the plan, if there is one."""
        return read_plan(self.plan) if self.plan is not None else None

    def tracker(self) -> LiveTracker:
        """Return a fresh tracker."""
        return LiveTracker(
            self.members(), plan=self.floor_plan(), options=self.options.tracking(), delay_s=self.options.delay_s
        )

    def events(self) -> EventEngine | None:
        """Return what tells events and occupancy, which needs a plan."""
        plan = self.floor_plan()
        return None if plan is None else EventEngine(plan, self.members())

    def made_with(self) -> str:
        """Return what a saved state must have been made with to be taken up again."""
        parts = [fingerprint().encode(), repr(self.ids).encode(), repr(self.options.tracking()).encode()]
        parts.append(content_of(self.cameras, self.plan).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def content_of(cameras: Path, plan: Path | None) -> str:
    """Return a digest of what a file of cameras and a plan, if there is one, hold by now."""
    parts = [path.read_bytes() for path in (cameras, plan) if path is not None]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def group_of(camera: str, groups: Iterable[tuple[str, tuple[str, ...] | None]]) -> str:
    """Return the group that a camera belongs to."""
    return next((name for name, ids in groups if ids is None or camera in ids), DEFAULT_GROUP)
