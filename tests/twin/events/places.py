"""A small lot to make things happen in, and tracks that do them.

A one-way lane runs along y = 10 from the gate at x = 0 to the one at x = 40; ten stalls lie south of it, in two zones.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely

from geometry import FixedCamera, FloorPlan, camera_from_opencv
from geometry.floorplan import Gate, Lane, Level, Pillar, Stall, Zone
from geometry.location import locate
from geometry.track_records import Observation, TrackRow
from scenes.captures.views import look

START = 1000.0
SIGMA_M = 0.1


def plan(**more: Any) -> FloorPlan:
    stalls = [
        Stall(id=f"S{i}", level="L", polygon=shapely.Polygon([(x + 2.5, 8), (x, 8), (x, 3), (x + 2.5, 3)][::-1]))
        for i, x in enumerate(np.arange(8.0, 33.0, 2.5))
    ]
    return FloorPlan(
        levels=(Level(id="L", elevation=0.0, outline=shapely.box(-6, 0, 46, 20)),),
        stalls=tuple(stalls),
        lanes=(Lane(id="lane", level="L", line=shapely.LineString([(-5, 10), (45, 10)]), width=4.0),),
        zones=(
            Zone(id="west", level="L", polygon=shapely.box(0, 0, 20, 20)),
            Zone(id="east", level="L", polygon=shapely.box(20, 0, 40, 20)),
        ),
        gates=(
            Gate(id="in", level="L", line=shapely.LineString([(0, 8), (0, 12)]), direction="in"),
            Gate(id="out", level="L", line=shapely.LineString([(40, 8), (40, 12)]), direction="out"),
        ),
        **more,
    )


def pillar_before(stall: int) -> Pillar:
    """Return a pillar that stands between the camera and most of a stall."""
    x = 8.0 + 2.5 * stall
    return Pillar(id="P", level="L", polygon=shapely.box(x - 0.4, 8.2, x + 2.9, 8.6))


def camera() -> FixedCamera:
    """Return one that looks over the whole lot from its north."""
    lens = camera_from_opencv(np.array([[500.0, 0, 639.5], [0, 500, 359.5], [0, 0, 1]]), [], (1280, 720))
    return FixedCamera.of("cam", lens, look((20.0, 24.0, 6.0), -np.pi / 2, -0.35), level="L")


def track(
    number: int,
    where: Callable[[float], tuple[float, float]],
    begin: float,
    end: float,
    *,
    kind: str = "car",
    heading: float | None = None,
    site: FloorPlan | None = None,
    rate: float = 5.0,
    sigma: float = SIGMA_M,
) -> list[TrackRow]:
    """Return rows of a track that is at ``where(t)``, t seconds after the start."""
    times = np.arange(round(begin * rate), round(end * rate) + 1) / rate
    xy = np.array([where(float(t)) for t in times])
    velocity = np.array([np.subtract(where(float(t) + 0.05), where(float(t) - 0.05)) / 0.1 for t in times])
    positions = np.column_stack([xy, np.zeros(len(xy))])
    site = site or plan()
    at = locate(site, positions)

    def name(elements: Sequence[Any], index: int) -> str | None:
        return str(elements[index].id) if index >= 0 else None

    variance = sigma**2
    return [
        TrackRow(
            time=START + float(t),
            track=number,
            kind=kind,
            level=name(site.levels, at.level[i]),
            zone=name(site.zones, at.zone[i]),
            stall=name(site.stalls, at.stall[i]),
            position=(float(xy[i, 0]), float(xy[i, 1]), 0.0),
            position_covariance=((variance, 0.0, 0.0), (0.0, variance, 0.0), (0.0, 0.0, 1e-4)),
            velocity=(float(velocity[i, 0]), float(velocity[i, 1]), 0.0),
            heading=heading if heading is not None else float(np.arctan2(velocity[i, 1], velocity[i, 0])),
            size=(0.55, 0.55, 1.7) if kind == "person" else (4.4, 1.8, 1.5),
            observations=(Observation(camera="cam", time=START + float(t), bbox=(0.0, 0.0, 10.0, 10.0)),),
        )
        for i, t in enumerate(times)
    ]


def standing(x: float, y: float) -> Callable[[float], tuple[float, float]]:
    return lambda t: (x, y)


def going(x: float, y: float, dx: float, dy: float = 0.0, since: float = 0.0) -> Callable[[float], tuple[float, float]]:
    return lambda t: (x + dx * (t - since), y + dy * (t - since))


def mixed(*tracks: list[TrackRow]) -> list[TrackRow]:
    """Return the rows of several tracks in the order of time."""
    return sorted((row for each in tracks for row in each), key=lambda row: (row.time, row.track))
