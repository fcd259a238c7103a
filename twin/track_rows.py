"""States of objects on the ground as rows of tracks.jsonl, many at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from geometry.location import Locator
from geometry.track_records import Observation, TrackRow

Array = NDArray[np.float64]
Place = tuple[str | None, str | None, str | None]

FLOOR_SIGMA_M = 0.02
AHEAD_MPS = 0.5
"""What is faster than this is taken to look where it goes, if it is known to look there or the other way."""


class Places:
    """The names of places, from a plan that is prepared once; without one there are none."""

    def __init__(self, plan: FloorPlan | None) -> None:
        self._locator = Locator(plan) if plan is not None else None

    def names(self, positions_in_site: Array) -> list[Place | None]:
        """Return (level, zone, stall) of positions (N, 3), None for each without a plan."""
        if self._locator is None or len(positions_in_site) == 0:
            return [None] * len(positions_in_site)
        plan, at = self._locator.plan, self._locator.locate(positions_in_site)

        def names(elements: Sequence[object], index: NDArray[np.int64]) -> list[str | None]:
            return [str(getattr(elements[i], "id")) if i >= 0 else None for i in index.tolist()]  # noqa: B009

        columns = names(plan.levels, at.level), names(plan.zones, at.zone), names(plan.stalls, at.stall)
        return list(zip(*columns, strict=True))


def track_rows(
    times: Sequence[float],
    numbers: Sequence[int],
    kinds: Sequence[str],
    places: Sequence[Place],
    positions: Array,
    slopes: Array,
    means: Array,
    covariances: Array,
    observations: Sequence[Sequence[Observation]],
) -> list[TrackRow]:
    """Return N rows: the ground's slopes (N, 2) under positions (N, 3) carry covariance and velocity to z.

    means: (N, 8) states as in ``perception.tracking.states``; covariances: (N, M, M) of at least x and y
    """
    n = len(positions)
    lift = np.concatenate([np.broadcast_to(np.eye(2), (n, 2, 2)), slopes[:, None]], axis=1)
    spread = lift @ covariances[:, :2, :2] @ np.swapaxes(lift, 1, 2)
    spread[:, 2, 2] += FLOOR_SIGMA_M**2
    velocity = (lift @ means[:, 2:4, None])[..., 0]
    cos, sin = np.cos(means[:, 4]), np.sin(means[:, 4])
    backwards = (np.hypot(means[:, 2], means[:, 3]) > AHEAD_MPS) & (cos * means[:, 2] + sin * means[:, 3] < 0)
    heading = np.arctan2(np.where(backwards, -sin, sin), np.where(backwards, -cos, cos))
    columns = zip(
        times,
        numbers,
        kinds,
        places,
        np.round(positions, 4).tolist(),
        np.round(spread, 8).tolist(),
        np.round(velocity, 4).tolist(),
        np.round(heading, 4).tolist(),
        np.round(means[:, 5:], 3).tolist(),
        observations,
        strict=True,
    )
    return [
        TrackRow.model_construct(
            time=time,
            track=number,
            kind=kind,
            level=place[0],
            zone=place[1],
            stall=place[2],
            position=tuple(position),
            position_covariance=tuple(map(tuple, covariance)),
            velocity=tuple(moves),
            heading=looks,
            size=tuple(size),
            observations=tuple(seen),
        )
        for time, number, kind, place, position, covariance, moves, looks, size, seen in columns
    ]
