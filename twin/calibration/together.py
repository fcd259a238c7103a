"""Fixed cameras adjusted together by the feet of people that several of them saw at one time.

A camera that calibrated itself in the twin is sure to a centimetre at its own evidence, and less far from it; where two
see one walker their floors have to meet. Vehicles don't count: what their boxes stand on is no one point.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry import FixedCamera, InputError
from geometry.camera_network import AdjustedNetwork, NetworkCamera, SharedPoints, adjust_network
from geometry.track_records import Observation, TrackRow
from twin.calibration.answer import CameraCalibration
from twin.calibration.history import with_calibration

Array = NDArray[np.float64]

FOOT_SIGMA_PX, FLOOR_SIGMA_M = 3.0, 0.02
UNKNOWN_M, UNKNOWN_DEG = 0.1, 0.5
"""Sigmas of a camera whose calibration has no covariance."""
MAX_APART_S = 0.06
"""From the time of the track: a walker goes 8 cm in that."""
EDGE_PX = 3.0
MAX_POINTS = 4000
MAP_REACH_M = 20.0
"""A map that is off by so many metres at this distance is turned by the quotient."""


class Adjusted(NamedTuple):
    """Cameras with their new calibrations, and how they were found; ``feet`` were seen by two cameras or more."""

    cameras: tuple[FixedCamera, ...]
    network: AdjustedNetwork
    feet: int


def adjust_together(
    cameras: Sequence[FixedCamera],
    rows: Iterable[TrackRow],
    *,
    since: float,
    calibrated: float,
    free_map_m: float | None = None,
) -> Adjusted:
    """Adjust all cameras by what tracks show of people; what is replaced goes to ``history``.

    since: from when the new calibrations hold; calibrated: when this was found out, both in epoch seconds
    free_map_m: sigma by which the whole map may be off, metres; None where it is fixed
    Raises ``InputError`` where fewer than two cameras are given and ``DegenerateError`` where none see one person.
    """
    if len(cameras) < 2:
        raise InputError("one camera alone can't be adjusted together with others")
    shared, people = shared_feet(cameras, rows)
    of_map = None
    if free_map_m is not None:
        of_map = np.diag(np.repeat([free_map_m / MAP_REACH_M, free_map_m], 3) ** 2)
    # Boxes of one person err together: so many of them count as one.
    together = float(np.sqrt(max(len(shared.floor_z), 1) / max(people, 1)))
    network = adjust_network(
        [NetworkCamera(camera=c.camera(), cam_from_site=c.pose(), covariance=_covariance(c)) for c in cameras],
        shared,
        sigma_px=FOOT_SIGMA_PX * together,
        sigma_floor_m=FLOOR_SIGMA_M,
        map_covariance=of_map,
    )
    found = [
        CameraCalibration(
            id=camera.id, status="ok", camera=camera.camera(), cam_from_site=pose, covariance=covariance,
            method=f"adjusted together with {len(cameras) - 1} others", level=camera.level,
        )
        for camera, pose, covariance in zip(cameras, network.cams_from_site, network.covariances, strict=True)
    ]  # fmt: skip
    after = tuple(
        with_calibration(camera, answer, since=since, calibrated=calibrated)
        for camera, answer in zip(cameras, found, strict=True)
    )
    return Adjusted(after, network, len(shared.floor_z))


def shared_feet(cameras: Sequence[FixedCamera], rows: Iterable[TrackRow]) -> tuple[SharedPoints, int]:
    """Return the feet of people that two cameras or more saw whole at one time, and of how many people they are.

    At most ``MAX_POINTS`` of them, spread over the time.
    """
    index = {camera.id: number for number, camera in enumerate(cameras)}
    people: list[tuple[int, float, dict[int, tuple[float, float]]]] = []
    for row in rows:
        if row.kind != "person":
            continue
        feet = {
            index[seen.camera]: ((seen.bbox[0] + seen.bbox[2]) / 2, seen.bbox[3])
            for seen in row.observations
            if seen.camera in index and _counts(cameras[index[seen.camera]], seen, row.time)
        }
        if len(feet) > 1:
            people.append((row.track, row.position[2], feet))
    if len(people) > MAX_POINTS:
        people = [people[k] for k in np.linspace(0, len(people) - 1, MAX_POINTS).astype(int).tolist()]
    flat = [(camera, point, foot) for point, (_, _, feet) in enumerate(people) for camera, foot in feet.items()]
    shared = SharedPoints(
        camera=np.array([camera for camera, _, _ in flat], dtype=np.int64),
        point=np.array([point for _, point, _ in flat], dtype=np.int64),
        pixels=np.array([foot for _, _, foot in flat], dtype=np.float64).reshape(-1, 2),
        floor_z=np.array([height for _, height, _ in people], dtype=np.float64),
    )
    return shared, len({track for track, _, _ in people})


def _counts(camera: FixedCamera, seen: Observation, time: float) -> bool:
    """Tell whether a box is of that time, by the camera's corrected clock, and not cut by the picture's edge."""
    x1, _, x2, y2 = seen.bbox
    whole = x1 > EDGE_PX and x2 < camera.width - EDGE_PX and y2 < camera.height - EDGE_PX
    return whole and abs(camera.utc(seen.time) - time) <= MAX_APART_S


def _covariance(camera: FixedCamera) -> Array:
    if camera.covariance is not None:
        return np.array(camera.covariance, dtype=np.float64)
    return np.diag(np.repeat([np.radians(UNKNOWN_DEG), UNKNOWN_M], 3) ** 2)
