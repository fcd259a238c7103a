"""Contents made of a box room with a few landmarks, lines and a camera, the same in a test and its process."""

import numpy as np

from tests.twin.export.conftest import fixed_camera
from tests.twin.surface.rooms import noise_surface, room
from twin.viewer.contents import Contents
from twin.viewer.layers import NO_LEVEL, Lines, Points, levels_of, lines, polyline

STOREYS = (0.0, 3.0)
LAYERS = ("walk", "cameras", "plan", "tracks", "photos")


def contents(landmarks: int = 200) -> Contents:
    rng = np.random.default_rng(4)
    positions = rng.uniform((0.5, 0.5, 0.0), (7.5, 5.5, 5.0), (landmarks, 3))
    colours = rng.integers(60, 255, (landmarks, 3), dtype=np.uint8)
    points = Points(name="landmarks", positions=positions, colours=colours, level=levels_of(positions[:, 2], STOREYS))
    layers: dict[str, Lines] = {name: lines(name, []) for name in LAYERS}
    square = np.array([[2.0, 2, 0.03], [4, 2, 0.03], [4, 4, 0.03], [2, 4, 0.03]])
    layers["plan"] = lines("plan", [(polyline(square, closed=True), (255, 255, 255), 0)])
    layers["cameras"] = lines("cameras", [(polyline([[0, 0, 1], [8, 6, 1]]), (255, 140, 0), NO_LEVEL)])
    return Contents(
        surface=noise_surface(room(), texel_m=0.5),
        landmarks=points,
        modes={"photo": colours, "level": colours[::-1].copy()},
        layers=layers,
        storeys=STOREYS,
        names=("A", "B"),
        cameras=(fixed_camera("north", "PINHOLE", [500.0, 510.0, 320.0, 180.0]),),
    )
