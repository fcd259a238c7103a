"""A made-up site with signs: photos around them, and what a perfect reader would read, with noise as asked."""

from pathlib import Path

import numpy as np
import pycolmap

from geometry import pose_from_matrix, project, transform_points
from perception.reading import TextReading
from perception.reading.ctc import BLANK, CLASSES, LETTERS
from twin.photos import MapPhoto
from twin.signs import PhotoReading

CAMERA = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[500.0, 320.0, 240.0, -0.02])


def looking(eye: np.ndarray, target: np.ndarray) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of an upright camera at ``eye`` that looks at ``target``."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return pose_from_matrix(rotation, -rotation @ eye)


def walk_past(target: np.ndarray, normal: np.ndarray, *, count: int, distance: float = 6.0, step: float = 1.0) -> list:
    """Return photos from a line in front of a sign, all looking at it."""
    aside = np.cross([0.0, 0.0, 1.0], normal)
    eyes = [target + distance * normal + (i - (count - 1) / 2) * step * aside - [0, 0, 0.8] for i in range(count)]
    return [
        MapPhoto(name=f"{i:04d}.jpg", path=Path(f"{i:04d}.jpg"), camera=CAMERA, cam_from_site=looking(eye, target))
        for i, eye in enumerate(eyes)
    ]


def corners_of(centre: np.ndarray, normal: np.ndarray, width: float, height: float) -> np.ndarray:
    """Return top-left, top-right, bottom-right, bottom-left (4, 3) of an upright rectangle."""
    right = np.cross([0.0, 0.0, 1.0], normal)
    up = np.array([0.0, 0.0, 1.0])
    signs = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) / 2
    return centre + signs[:, :1] * width * right + signs[:, 1:] * height * up


def frames_of(text: str, sureness: float = 0.98, instead: str = "") -> np.ndarray:
    """Return log frames that spell ``text``; the letters of ``instead`` share the rest of each letter's probability."""
    rows = []
    for number, letter in enumerate(text):
        row = np.full(CLASSES, 1e-6)
        row[LETTERS.index(letter) + 1] = sureness
        row[LETTERS.index(instead[number]) + 1 if instead else BLANK] += 1 - sureness
        blank = np.full(CLASSES, 1e-6)
        blank[BLANK] = 1.0
        rows += [row / row.sum(), blank / blank.sum()]
    return np.log(rows).astype(np.float32)


def reading_of(text: str, quad: np.ndarray, sureness: float = 0.98, instead: str = "") -> TextReading:
    """Return a reading with a distribution around ``text``."""
    frames = frames_of(text, sureness, instead)
    return TextReading(quad=quad, text=text, confidence=sureness ** len(text), detection=0.8, log_frames=frames)


def sighted(
    photos: list,
    corners: np.ndarray,
    text: str,
    *,
    noise_px: float = 0.0,
    seed: int = 0,
    board: np.ndarray | None = None,
) -> list[PhotoReading]:
    """Return readings of a text with ``corners`` (4, 3) in all photos, and outlines of its board where it has one."""
    rng = np.random.default_rng(seed)
    found = []
    for number, photo in enumerate(photos):
        quad, valid = project(photo.camera, transform_points(photo.cam_from_site, corners))
        if not valid.all():
            continue
        outline = None
        if board is not None:
            outline = project(photo.camera, transform_points(photo.cam_from_site, board))[0]
            outline = outline + rng.normal(0, noise_px, (4, 2))
        seen = quad + rng.normal(0, noise_px, (4, 2))
        found.append(PhotoReading(photo=number, reading=reading_of(text, seen), board=outline))
    return found
