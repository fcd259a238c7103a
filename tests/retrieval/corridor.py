"""Two levels of one straight two-way lane each, joined by a ramp, with a gate in the west, and cameras over them."""

import numpy as np
import pycolmap
from scipy.spatial.transform import Rotation

from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from retrieval.sightings import NO_TRACK, Sightings

LENGTH_M, RISE_M, RAMP_M = 60.0, 3.0, 20.0
SPEED_MPS = 3.0


def corridor() -> FloorPlan:
    """P1 from x = 0 to 60, a ramp from 60 to 80 along y = 0, P2 from x = 80 to 140; stalls north of the lanes."""

    def box(x0: float, x1: float, y0: float, y1: float) -> dict[str, object]:
        return {"type": "Polygon", "coordinates": [[[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]]}

    def line(*points: tuple[float, float]) -> dict[str, object]:
        return {"type": "LineString", "coordinates": [list(point) for point in points]}

    far = LENGTH_M + RAMP_M
    return FloorPlan.model_validate(
        {
            "format": 1,
            "units": "m",
            "levels": [
                {"id": "P1", "name": "P1", "elevation": 0.0, "ceiling": 2.5, "outline": box(-1, LENGTH_M, -10, 10)},
                {
                    "id": "P2",
                    "name": "P2",
                    "elevation": RISE_M,
                    "ceiling": 5.5,
                    "outline": box(far, far + LENGTH_M, -10, 10),
                },
            ],
            "ramps": [
                {
                    "id": "R",
                    "from": "P1",
                    "to": "P2",
                    "polygon": {
                        "type": "Polygon",
                        "coordinates": [
                            [[LENGTH_M, 3], [LENGTH_M, -3], [far, -3], [far, 3], [LENGTH_M, 3]],
                        ],
                    },
                    "profile": [[0, 0], [float(np.hypot(RAMP_M, RISE_M)), RISE_M]],
                }
            ],
            "stalls": [
                {
                    "id": f"{level}-{i}",
                    "level": level,
                    "polygon": box(x + 3 * i, x + 3 * i + 2.5, 3, 8),
                    "kind": "normal",
                }
                for level, x in (("P1", 5.0), ("P2", far + 5.0))
                for i in range(10)
            ],
            "lanes": [
                {
                    "id": "low",
                    "level": "P1",
                    "line": line((0, 0), (LENGTH_M, 0)),
                    "oneway": False,
                    "speed_mps": SPEED_MPS,
                    "to": ["ramp"],
                },
                {
                    "id": "ramp",
                    "level": "P1",
                    "line": line((LENGTH_M, 0), (far, 0)),
                    "oneway": False,
                    "speed_mps": SPEED_MPS,
                    "to": ["high"],
                },
                {
                    "id": "high",
                    "level": "P2",
                    "line": line((far, 0), (far + LENGTH_M, 0)),
                    "oneway": False,
                    "speed_mps": SPEED_MPS,
                },
            ],
            "gates": [{"id": "G", "level": "P1", "line": line((0, -2), (0, 2)), "direction": "both"}],
        },
        strict=False,
    )


def looking_down(id: str, level: str, x: float, height: float) -> FixedCamera:
    """Return a camera above the lane at x that sees some 8 m of it to either side."""
    lens = pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[90.0, 90.0, 320.0, 240.0])
    cam_from_site = Rotation.from_euler("x", 180, degrees=True)
    centre = np.array([x, 0.0, height])
    pose = pycolmap.Rigid3d(pycolmap.Rotation3d(cam_from_site.as_quat()), -cam_from_site.apply(centre))
    return FixedCamera.of(id, lens, pose, level=level)


def sightings(
    *views: tuple[str, float, float, tuple[float, float, float], tuple[float, float, float], str],
) -> Sightings:
    """Return sightings of one look from (id, first, last, start, end, camera)."""
    n = len(views)
    vectors = np.tile(np.array([1.0, 0.0], dtype=np.float32), (n, 1))
    return Sightings(
        ids=tuple(view[0] for view in views),
        vectors=vectors,
        first=np.array([view[1] for view in views]),
        last=np.array([view[2] for view in views]),
        start=np.array([view[3] for view in views], dtype=np.float64).reshape(-1, 3),
        end=np.array([view[4] for view in views], dtype=np.float64).reshape(-1, 3),
        camera=tuple(view[5] for view in views),
        track=np.full(n, NO_TRACK),
    )
