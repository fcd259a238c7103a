"""What questions to a plan cost: where a million positions are, and a hundred thousand least travel times.

OMP_NUM_THREADS=2 python -c "from benchmarks.plan_speed import measure_speed; print(measure_speed())"
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.protocol import spread
from geometry import FloorPlan, TravelTimes, floor_height, locate
from scenes import floor_plan
from scenes.library import facility

POSITIONS = 1_000_000
TRAVEL_TIMES = 100_000
RUNS = 5


def measure_speed(*, seed: int = 7, runs: int = RUNS) -> dict[str, Any]:
    """Return seconds of point location and of travel times in the garage's plan, by vehicle and on foot.

    Preparing the plan is part of each run. Positions lie anywhere over the outlines, at the heights of phones, cars
    and errors; those of travel times stand on the floors.
    """
    plan = floor_plan(facility("garage"))
    rng = np.random.default_rng(seed)
    positions = _on_floors(plan, rng, POSITIONS) + rng.uniform((0, 0, -0.4), (0, 0, 2.0), (POSITIONS, 3))
    starts, ends = _on_floors(plan, rng, TRAVEL_TIMES), _on_floors(plan, rng, TRAVEL_TIMES)
    tasks: dict[str, Callable[[], Any]] = {
        "locate": lambda: locate(plan, positions),
        "between": lambda: TravelTimes.of(plan).between(starts, ends),
        "on_foot": lambda: TravelTimes.of(plan).on_foot(starts, ends),
    }
    seconds = {name: spread([_seconds(task) for _ in range(runs)]) for name, task in tasks.items()}
    return {"positions": POSITIONS, "travel_times": TRAVEL_TIMES, "seconds": seconds}


def _on_floors(plan: FloorPlan, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Draw positions (N, 3) that stand on any level, or on a ramp."""
    low, high = shapely.total_bounds([level.outline for level in plan.levels]).reshape(2, 2)
    xy, level = rng.uniform(low, high, (count, 2)), rng.integers(0, len(plan.levels), count)
    return np.column_stack([xy, floor_height(plan, xy, level)])


def _seconds(task: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin
