"""What a process that looks at videos is told: which ones, with what, and which stalls and floors cameras look at."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from perception.detection.floor_below import FloorBelow
from perception.detection.making import habits_of
from perception.detection.onnx_detector import OnnxOptions
from perception.occupancy.network import StallSight
from twin.events.stall_views import stall_sights
from twin.video import DetectionOptions, SourceOptions


@dataclass(frozen=True, kw_only=True)
class StallTask:
    """Which stalls are looked at, by which network.

    Plan and cameras are here as they are, and not as files, so that those of another version, or another calibration,
    make another task: nobody goes on looking by what held before.
    """

    network: Path
    plan: FloorPlan
    cameras: tuple[FixedCamera, ...]

    def sights(self) -> dict[str, StallSight]:
        """Return what each camera looks at, of those that see a stall."""
        return stall_sights(self.plan, self.cameras)


@dataclass(frozen=True, kw_only=True)
class WatchTask:
    """Videos of one group of cameras: (camera, file, folder or address) each; ``tracked`` is the group's name.

    stalls: None where none are looked at; floors: what calibrated cameras look down at, of those whose level is known
    """

    twin: str
    tracked: str
    database: str
    videos: tuple[tuple[str, str], ...]
    detector: str
    max_backlog: int
    stalls: StallTask | None = None
    floors: tuple[FloorBelow, ...] = ()

    @property
    def group(self) -> str:
        """The name of this process among the twin's."""
        return f"video of {self.tracked}"

    def detection_options(self) -> DetectionOptions:
        """Return how the videos are looked at from now on; a camera that can't look at stalls still detects."""
        habits, usual = habits_of(self.detector), OnnxOptions()
        options = DetectionOptions(
            detector=self.detector,
            network=usual if habits is None else replace(usual, score=habits.low_score),
            sources=SourceOptions(start=time.time()),
            must_look=False,
            floors={floor.camera.id: floor for floor in self.floors},
        )
        sights = {} if self.stalls is None else self.stalls.sights()
        if self.stalls is None or not sights:
            return options
        return replace(options, stall_network=self.stalls.network, sights=sights)
