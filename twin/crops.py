"""Crops of sightings: cut out of frames, and stored, if at all, with what must not be seen made unseen first."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry import InputError, write_atomic

Picture = NDArray[np.uint8]
Blur = Callable[[Picture], Picture]
"""The hook: gets a crop (H, W, 3) uint8, RGB, and returns what may be stored of it, of the same size."""

JPEG_QUALITY = 90


def cut(picture: Picture, bbox: Sequence[float]) -> Picture:
    """Return the part of a picture (H, W, 3) in a box (x1, y1, x2, y2) px; ``InputError`` for one outside of it."""
    height, width = picture.shape[:2]
    x1, y1 = max(0, int(np.floor(bbox[0]))), max(0, int(np.floor(bbox[1])))
    x2, y2 = min(width, int(np.ceil(bbox[2]))), min(height, int(np.ceil(bbox[3])))
    if x2 <= x1 or y2 <= y1:
        raise InputError(f"the box {tuple(bbox)} is outside of the picture of {width} x {height}")
    return picture[y1:y2, x1:x2]


def coarse(cells: int = 12) -> Blur:
    """Return a hook that leaves ``cells`` blocks along the longer side: colours and shape, no plate and no face."""
    if cells < 1:
        raise InputError(f"can't leave {cells} cells of a crop")

    def blur(crop: Picture) -> Picture:
        height, width = crop.shape[:2]
        scale = cells / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)

    return blur


def store_crop(crop: Picture, id: str, folder: Path, blur: Blur | None) -> str:
    """Write a sighting's crop into ``folder`` as JPEG, through the hook, and return its file name for ``meta.crop``."""
    kept = crop if blur is None else blur(crop.copy())
    if kept.shape != crop.shape or kept.dtype != np.uint8:
        raise InputError(f"the blurring hook returned {kept.shape} {kept.dtype}, not {crop.shape} uint8")
    done, content = cv2.imencode(
        ".jpg", cv2.cvtColor(kept, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise InputError("a crop can't be written as JPEG", where=id)
    name = f"{hashlib.sha256(id.encode()).hexdigest()[:24]}.jpg"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / name, content.tobytes())
    return name
