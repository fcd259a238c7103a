"""The options of what looks at videos."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geometry.floorplan import FloorPlan
    from geometry.records import FixedCamera
    from perception.detection.habits import DetectorHabits
    from twin.video import DetectionOptions

USUAL_SCORE = 0.15

OPTIONS = (
    click.option(
        "--detector",
        default="tiepoint",
        show_default=True,
        help="What looks at videos: tiepoint, tiepoint-fast, either with -int8, background, or an .onnx file.",
    ),
    click.option(
        "--score", type=float, help="Detections below this are dropped. [default: what the network says, else 0.15]"
    ),
    click.option("--provider", "providers", multiple=True, help="What ONNX Runtime executes on, best first."),
    click.option("--tiles", help="COLUMNSxROWS: look at wide pictures in tiles, for instance 2x1."),
    click.option(
        "--appearance",
        help="What describes what is found by vectors, kinds and colours: tiepoint, or an .onnx file.",
    ),
    click.option(
        "--stalls",
        help="What looks at the plan's stalls: tiepoint, an .onnx file, none. [default: tiepoint for its own detector]",
    ),
    click.option("--start", default=0.0, help="When videos without times begin, epoch seconds."),
    click.option("--fps", type=float, help="Frames a second of folders without frames.csv."),
    click.option("--every", default=0.0, help="Leave out frames that come sooner after the last, seconds."),
    click.option("--workers", type=int, help="Processes that look at videos."),
)


@dataclass(frozen=True, kw_only=True)
class Looking:
    """What the options say; a field for each."""

    detector: str
    score: float | None
    providers: tuple[str, ...]
    tiles: str | None
    appearance: str | None
    stalls: str | None
    start: float
    fps: float | None
    every: float
    workers: int | None

    @cached_property
    def habits(self) -> "DetectorHabits | None":
        """How the detector errs, where that is known."""
        from perception.detection.making import habits_of

        return habits_of(self.detector)

    def detection_options(
        self, plan: "FloorPlan | None" = None, cameras: "Sequence[FixedCamera]" = ()
    ) -> "DetectionOptions":
        """Return the options of ``detect_videos``; with a plan, ``cameras`` look at the stalls that they see
        and measure vehicles."""
        from perception.appearance.network import appearance_file
        from perception.detection.floor_below import floors_below
        from perception.detection.onnx_detector import OnnxOptions
        from perception.detection.tiles import TileOptions
        from perception.occupancy.network import stall_network_for
        from twin.video import DetectionOptions, SourceOptions

        cut = None
        if self.tiles is not None:
            columns, times, rows = self.tiles.lower().partition("x")
            if not (times and columns.isdigit() and rows.isdigit()):
                raise click.UsageError(f"--tiles is COLUMNSxROWS, such as 2x1, not '{self.tiles}'.")
            cut = TileOptions(columns=int(columns), rows=int(rows))
        score = self.score if self.score is not None else self.habits.low_score if self.habits else USUAL_SCORE
        network = OnnxOptions(score=score, threads=1, providers=self.providers or OnnxOptions().providers)
        sources = SourceOptions(start=self.start, fps=self.fps, every_s=self.every)
        looks: dict[str, Any] = {} if plan is None else {"floors": floors_below(plan, cameras)}
        if self.stalls not in (None, "none") and (plan is None or not plan.stalls):
            raise click.UsageError("--stalls needs a plan with stalls.")
        stall_network = stall_network_for(self.stalls, self.detector)
        if plan is not None and plan.stalls and stall_network is not None:
            from twin.events.stall_views import stall_sights

            looks |= {"stall_network": stall_network, "sights": stall_sights(plan, cameras)}
        return DetectionOptions(
            detector=self.detector,
            **looks,
            network=network,
            appearance=None if self.appearance is None else appearance_file(self.appearance),
            tiles=cut,
            sources=sources,
            workers=self.workers,
        )


def looking_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it gets them as one argument, ``looking``."""

    @wraps(command)
    def collected(**given: Any) -> None:
        own = {field.name: given.pop(field.name) for field in fields(Looking)}
        command(looking=Looking(**own), **given)

    decorated: Callable[..., None] = collected
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
