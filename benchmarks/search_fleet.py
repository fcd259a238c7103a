"""A fleet in the reference garage, simulated: what fixed cameras see of 200 vehicles, 80 of them look-alikes in pairs.

Boxes come from the scene's traffic and cameras, without pictures. A sighting is an object's stay in one camera as a
tracker of that camera would end it. Its embedding is SIMULATED, as no appearance network is part of this: a vector of
the vehicle's identity, which look-alikes share exactly, in part one of its make, and noise of the camera and the view.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from retrieval.sightings import NO_TRACK, Sightings
from scenes.building import build_facility
from scenes.captures.boxes import FrameBoxes
from scenes.captures.mounting import mounted_cameras
from scenes.captures.recording import FixedOptions, boxes_without_pictures, record
from scenes.library.garage import garage
from scenes.plan import floor_plan

VEHICLES, LOOK_ALIKES = 200, 80
SECONDS, FPS, REDUCTION = 1200.0, 1.0, 4
GAP_S, MIN_SIDE_PX, MIN_VISIBLE = 3.0, 16.0, 0.3
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
    plan = floor_plan(facility)
    parked = round(facility.traffic.parked * len(plan.stalls))
    moves = 2 * (VEHICLES - parked)
    traffic = facility.traffic.model_copy(update={"vehicles": 60.0 * moves / SECONDS, "people": 0, "look_alikes": 0})
    facility = facility.model_copy(update={"traffic": traffic})
    options = FixedOptions(seed=seed, seconds=SECONDS, fps=FPS)
    file = cache / f"fleet-{seed}.json" if cache else None
    if file is not None and file.exists():
        stays = tuple(
            Stay(**{**row, "start": tuple(row["start"]), "end": tuple(row["end"])})
            for row in json.loads(file.read_text())
        )
    else:
        recording = record(facility, plan, options)
        frames = boxes_without_pictures(recording, build_facility(facility).shapes, REDUCTION)
        stays = tuple(sorted(_stays(frames), key=lambda stay: (stay.first, stay.id)))
        if file is not None:
            file.write_text(json.dumps([asdict(stay) for stay in stays]))
    rng = np.random.default_rng([seed, 77])
    true_stays, stays = stays, tuple(_noisy(stay, rng) for stay in stays)
    vehicles = sorted({stay.vehicle for stay in stays})
    looks = dict(zip(vehicles, range(len(vehicles)), strict=True))
    order = rng.permutation(vehicles).tolist()
    for one, other in zip(order[0:look_alikes:2], order[1:look_alikes:2], strict=True):
        looks[other] = looks[one]
    return Fleet(
        plan=plan,
        cameras=mounted_cameras(facility, options.start_utc).installed,
        stays=stays,
        true_stays=true_stays,
        embeddings=_embeddings(stays, looks, rng),
        looks=looks,
        begin=options.start_utc,
        end=options.start_utc + SECONDS,
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


def _stays(frames: Iterable[FrameBoxes]) -> list[Stay]:
    """Return the stays of all vehicles in all cameras; what is less than half a minute hidden is still there."""
    open_stays: dict[tuple[str, str], Stay] = {}
    ended: list[Stay] = []
    for frame in frames:
        for box in frame.boxes:
            if box.kind == "person" or box.bbox_visible is None or box.visible_fraction < MIN_VISIBLE:
                continue
            left, top, right, bottom = box.bbox_visible
            if min(right - left, bottom - top) < MIN_SIDE_PX:
                continue
            key, here = (frame.camera, box.object), tuple(map(float, box.position))
            stay = open_stays.get(key)
            if stay is not None and frame.utc - stay.last > GAP_S:
                ended.append(open_stays.pop(key))
                stay = None
            if stay is None:
                id = f"{frame.camera}-{box.object}-{frame.utc:.1f}"
                stay = Stay(
                    id=id,
                    vehicle=box.object,
                    camera=frame.camera,
                    first=frame.utc,
                    last=frame.utc,
                    start=here,
                    end=here,
                )
            open_stays[key] = Stay(**{**asdict(stay), "last": frame.utc, "end": here})
    return [stay for stay in [*ended, *open_stays.values()] if stay.last > stay.first]


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
