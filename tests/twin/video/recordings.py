"""Recordings to read: a bright square that moves over a grey floor."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (160, 120)


def picture(number: int) -> NDArray[np.uint8]:
    """Return a frame (120, 160, 3) whose square is at x = 4 * number; nothing before frame 20."""
    rng = np.random.default_rng(number)
    pixels = np.clip(110 + rng.normal(0, 3, (SIZE[1], SIZE[0], 3)), 0, 255).astype(np.uint8)
    if number >= 20:
        x = 4 * (number - 20)
        pixels[50:70, x : x + 30] = (200, 30, 30)
    return pixels


def write_video(path: Path, frames: int = 30, fps: float = 10.0) -> Path:
    """Write a video of MJPG in AVI."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, SIZE)  # type: ignore[attr-defined]
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.ascontiguousarray(picture(number)[:, :, ::-1]))
    writer.release()
    return path


def write_folder(folder: Path, camera: str, times: Sequence[float] | None, frames: int = 30) -> Path:
    """Write pictures into folder/camera, and folder/frames.csv with ``times`` unless None."""
    (folder / camera).mkdir(parents=True)
    for number in range(frames):
        Image.fromarray(picture(number)).save(folder / camera / f"{number:06d}.jpg", quality=95)
    if times is not None:
        lines = [f"{camera},{camera}/{number:06d}.jpg,{time}" for number, time in enumerate(times)]
        (folder / "frames.csv").write_text("camera,frame,time\n" + "\n".join(lines) + "\n")
    return folder / camera
