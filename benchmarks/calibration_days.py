"""A day before fixed cameras, a frame every twenty minutes: other cars, lamps and sun each time; and cameras that move.

Harder than a real day, where most cars stay for hours: nothing that is parked stays from one frame to the next. To each
camera of a scene come two that hang beside it and look elsewhere, as a scene's light costs more than a picture. Frames
are drafts (one ray a pixel) with the noise of cheap cameras; a rerun keeps the frames it finds.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry import FixedCamera, perturb, write_atomic
from scenes.building import build_facility
from scenes.captures.day import DayOptions, draw_day, world_of
from scenes.captures.mounting import mounted_cameras
from scenes.captures.recording import CHEAP_CAMERA
from scenes.library import facility
from scenes.noise import add_noise, encode_jpeg
from scenes.plan import floor_plan
from scenes.rendering import DRAFT, DRAFT_LIGHT, render

Array = NDArray[np.float64]

SCENES = ("garage", "lot")
TIMES, FIRST_HOUR, STEP_HOURS = 36, 6.0, 1 / 3
REFERENCE = 6
"""Frames from which the cameras' state is learned; what follows is judged."""
MOVES, FRAMES_A_MOVE = 60, 3
BESIDE = {"": (0.0, 0.0, 0.0), "b": (18.0, 0.25, -2.0), "c": (-16.0, -0.25, 3.0)}
"""Of a camera's neighbours, by the ending of their names: degrees to the left, metres up, degrees further down."""
SUNRISE, SUNSET = 5.0, 19.6
SEED = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Move:
    """A camera pushed aside at a time: rotation vector (3,) radians and shift (3,) metres, in its own frame."""

    scene: str
    camera: str
    number: int
    time: int
    turn: Array
    shift: Array

    @property
    def times(self) -> range:
        """Return when frames are taken after it."""
        return range(self.time, self.time + FRAMES_A_MOVE)


def moves() -> list[Move]:
    """Return the moves of both scenes: turned by 0.5 to 3 degrees, shifted by 3 to 10 cm, or both.

    All come early in the day, so that a run that is stopped has judged them; unmoved frames go on to its end.
    """
    rng = np.random.default_rng(SEED)
    cameras = [(scene, camera.id) for scene in SCENES for camera in true_cameras(scene)]
    found = []
    for number in range(MOVES):
        scene, camera = cameras[number % len(cameras)]
        turn = _direction(rng) * np.radians(np.exp(rng.uniform(np.log(0.5), np.log(3.0))))
        shift = _direction(rng) * np.exp(rng.uniform(np.log(0.03), np.log(0.10)))
        rng.integers(REFERENCE, TIMES - FRAMES_A_MOVE)  # keeps the moves those of earlier runs, whose times were drawn
        found.append(
            Move(
                scene=scene,
                camera=camera,
                number=number,
                time=REFERENCE + 1,
                turn=turn if number % 3 != 1 else np.zeros(3),
                shift=shift if number % 3 != 0 else np.zeros(3),
            )
        )
    return found


def _direction(rng: np.random.Generator) -> Array:
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))


def moved_pose(pose: pycolmap.Rigid3d, move: Move) -> pycolmap.Rigid3d:
    """Return cam_from_site after a move: about the camera's centre, then along its axes."""
    turned = Rotation.from_rotvec(move.turn)
    step = pycolmap.Rigid3d(pycolmap.Rotation3d(turned.as_quat()), np.zeros(3))
    return perturb(step * pose, np.concatenate([np.zeros(3), -move.shift]))


def frame_path(folder: Path, scene: str, camera: str, time: int, move: int | None = None) -> Path:
    """Return where a frame lies; ``move`` is the number of the camera's move."""
    return folder / scene / camera / (f"{time:03d}.jpg" if move is None else f"{time:03d}-move{move}.jpg")


@cache
def true_cameras(scene: str) -> tuple[FixedCamera, ...]:
    """Return a scene's cameras as mounted, and those beside them."""
    place = facility(scene)
    beside = [
        camera.model_copy(
            update={
                "id": camera.id + ending,
                "yaw_deg": camera.yaw_deg + left,
                "height": camera.height + up,
                "pitch_deg": camera.pitch_deg - down,
            }
        )
        for camera in place.cameras
        for ending, (left, up, down) in BESIDE.items()
    ]
    return mounted_cameras(place.model_copy(update={"cameras": tuple(beside)})).true


def render_days(folder: Path, scenes: tuple[str, ...], times: range = range(TIMES)) -> Iterator[Path]:
    """Render what is missing of the frames, one time after the other, and yield what was written."""
    sites = {scene: _Site(scene) for scene in scenes}
    for time in times:
        for scene, site in sites.items():
            yield from site.render(folder, scene, time)


class _Site:
    """A scene's building, its cameras and their moves."""

    def __init__(self, scene: str) -> None:
        self.place = facility(scene)
        self.plan, self.building = floor_plan(self.place), build_facility(self.place)
        self.cameras = true_cameras(scene)
        self.moves = [move for move in moves() if move.scene == scene]

    def render(self, folder: Path, scene: str, time: int) -> Iterator[Path]:
        """Render the frames of a time that are missing, in the light of that time."""
        wanted: list[tuple[FixedCamera, Move | None, Path]] = []
        for camera in self.cameras:
            wanted.append((camera, None, frame_path(folder, scene, camera.id, time)))
            for move in self.moves:
                if move.camera == camera.id and time in move.times:
                    wanted.append((camera, move, frame_path(folder, scene, camera.id, time, move.number)))
        missing = [each for each in wanted if not each[2].exists()]
        if not missing:
            return
        rng = np.random.default_rng([SEED, SCENES.index(scene), time])
        day = draw_day(self.place, self.plan, self.building, rng, self._conditions(rng, time))
        world = world_of(self.place, self.building, day, DRAFT_LIGHT)
        for camera, move, path in missing:
            pose = camera.pose() if move is None else moved_pose(camera.pose(), move)
            image = render(world, camera.camera(), pose, DRAFT).image
            of_move = 0 if move is None else 1 + move.number
            noise = np.random.default_rng([SEED, time, zlib.crc32(camera.id.encode()), of_move])
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, encode_jpeg(add_noise(image, CHEAP_CAMERA, noise), CHEAP_CAMERA))
            yield path

    def _conditions(self, rng: np.random.Generator, time: int) -> DayOptions:
        hour = float(np.clip(FIRST_HOUR + STEP_HOURS * time, SUNRISE, SUNSET))
        start = self.place.sun.hour if self.place.sun is not None else 0.0
        return DayOptions(
            lamps_off=float(rng.uniform(0, 0.2)),
            people_per_100m2=0.3,
            puddles_per_100m2=float(rng.choice([0.0, 0.5])),
            hours=hour - start,
        )
