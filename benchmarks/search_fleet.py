"""A fleet in the reference garage, simulated: what fixed cameras see of 200 vehicles, 80 of them look-alikes in pairs.

A sighting is a vehicle's stay in one camera (``benchmarks.search_traffic``), as a tracker of that camera would end it.
Its embedding is SIMULATED, as no appearance network is part of this: a vector of the vehicle's identity, which
look-alikes share exactly, in part one of its make, and noise of the camera and the view.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_traffic import Movements, movements, seen
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from retrieval.sightings import NO_TRACK, Sightings
from scenes.captures.mounting import mounted_cameras
from scenes.library.garage import garage
from scenes.plan import floor_plan

LOOK_ALIKES = 80
SECONDS, START = 1200.0, 1_750_000_000.0
GAP_S, MIN_SAMPLES = 3.0, 3
MISSED = 0.05
"""Share of stays that a camera's tracker misses altogether."""
POSITION_SIGMA_M = 0.25
"""Of a ground position, as the tracking benchmark measures it."""
DIMENSION, MAKES = 128, 12
MAKE_SHARE, CAMERA_NOISE, VIEW_NOISE = 0.6, 0.35, 0.75
EMBEDDING = "simulated/1"


@dataclass(frozen=True, kw_only=True)
class Stay:
    """An object's stay in a camera: when and where it was first and last seen there, epoch seconds and site metres."""

    id: str
    vehicle: str
    camera: str
    first: float
    last: float
    start: tuple[float, float, float]
    end: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Stays of vehicles, with their embeddings (N, D) float32.

    true_stays: without the noise of their positions; looks: of each vehicle, the number of what it looks like
    begin, end: of the recording
    """

    plan: FloorPlan
    cameras: tuple[FixedCamera, ...]
    stays: tuple[Stay, ...]
    true_stays: tuple[Stay, ...]
    embeddings: NDArray[np.float32]
    looks: dict[str, int]
    begin: float
    end: float


def simulate_fleet(seed: int, cache: Path | None = None, *, look_alikes: int = LOOK_ALIKES) -> Fleet:
    """Simulate 20 minutes of the garage; stays are kept in ``cache``, as they take minutes."""
    facility = garage(seed=seed)
    plan, cameras = floor_plan(facility), mounted_cameras(facility, START).installed
    file = cache / f"fleet-{seed}.json" if cache else None
    if file is not None and file.exists():
        rows = json.loads(file.read_text())
        stays = tuple(Stay(**{**row, "start": tuple(row["start"]), "end": tuple(row["end"])}) for row in rows)
    else:
        moved = movements(plan, SECONDS, np.random.default_rng([seed, 76]))
        found = [stay for camera in cameras for stay in _stays(camera.id, seen(plan, camera, moved), moved)]
        stays = tuple(sorted(found, key=lambda stay: (stay.first, stay.id)))
        if file is not None:
            file.write_text(json.dumps([asdict(stay) for stay in stays]))
    rng = np.random.default_rng([seed, 77])
    stays = tuple(stay for stay, draw in zip(stays, rng.random(len(stays)), strict=True) if draw >= MISSED)
    true_stays, stays = stays, tuple(_noisy(stay, rng) for stay in stays)
    vehicles = sorted({stay.vehicle for stay in stays})
    looks = dict(zip(vehicles, range(len(vehicles)), strict=True))
    order = rng.permutation(vehicles).tolist()
    for one, other in zip(order[0:look_alikes:2], order[1:look_alikes:2], strict=True):
        looks[other] = looks[one]
    return Fleet(
        plan=plan,
        cameras=cameras,
        stays=stays,
        true_stays=true_stays,
        embeddings=_embeddings(stays, looks, rng),
        looks=looks,
        begin=START,
        end=START + SECONDS,
    )


def sightings_of(stays: Sequence[Stay], embeddings: NDArray[np.float32]) -> Sightings:
    """Return stays as sightings whose tracks are not linked."""
    return Sightings(
        ids=tuple(stay.id for stay in stays),
        vectors=embeddings,
        first=np.array([stay.first for stay in stays]),
        last=np.array([stay.last for stay in stays]),
        start=np.array([stay.start for stay in stays]).reshape(-1, 3),
        end=np.array([stay.end for stay in stays]).reshape(-1, 3),
        camera=tuple(stay.camera for stay in stays),
        track=np.full(len(stays), NO_TRACK),
    )


def _stays(camera: str, seen_at: NDArray[np.bool_], moved: Movements) -> list[Stay]:
    """Return the stays in one camera; who is hidden for no longer than ``GAP_S`` is still there."""
    stays = []
    for vehicle in range(seen_at.shape[1]):
        times = np.flatnonzero(seen_at[:, vehicle])
        if not len(times):
            continue
        breaks = np.flatnonzero(np.diff(moved.seconds[times]) > GAP_S) + 1
        for run in np.split(times, breaks):
            if len(run) < MIN_SAMPLES:
                continue
            first, last = int(run[0]), int(run[-1])
            start, end = (tuple(moved.position[at, vehicle].tolist()) for at in (first, last))
            stays.append(
                Stay(
                    id=f"{camera}-v{vehicle:03d}-{moved.seconds[first]:.0f}",
                    vehicle=f"v{vehicle:03d}",
                    camera=camera,
                    first=START + float(moved.seconds[first]),
                    last=START + float(moved.seconds[last]),
                    start=start,
                    end=end,
                )
            )
    return stays


def _noisy(stay: Stay, rng: np.random.Generator) -> Stay:
    offsets = np.column_stack([rng.normal(0, POSITION_SIGMA_M, (2, 2)), np.zeros(2)])
    start, end = (tuple(place) for place in (np.array([stay.start, stay.end]) + offsets).tolist())
    return Stay(**{**asdict(stay), "start": start, "end": end})


def _embeddings(stays: tuple[Stay, ...], looks: dict[str, int], rng: np.random.Generator) -> NDArray[np.float32]:
    def directions(count: int) -> NDArray[np.float64]:
        drawn = rng.normal(size=(count, DIMENSION))
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))

    makes, cameras = directions(MAKES), sorted({stay.camera for stay in stays})
    count = max(looks.values()) + 1
    own = directions(count)
    identity = MAKE_SHARE * makes[rng.integers(MAKES, size=count)] + np.sqrt(1 - MAKE_SHARE**2) * own
    bias = dict(zip(cameras, directions(len(cameras)), strict=True))
    which = [looks[stay.vehicle] for stay in stays]
    views = directions(len(stays))
    vectors = identity[which] + CAMERA_NOISE * np.array([bias[stay.camera] for stay in stays]) + VIEW_NOISE * views
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
