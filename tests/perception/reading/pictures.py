"""Pictures with text of known corners, drawn with matplotlib's own font."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

Array = np.ndarray


def skip_without_reader() -> None:
    """Skip a test where the packages of the extra 'signs' are not installed."""
    if find_spec("onnxruntime") is None or find_spec("rapidocr_onnxruntime") is None:
        pytest.skip("the extra 'signs' is not installed")


def board_picture(
    text: str, *, size: tuple[int, int] = (360, 120), colour: tuple[int, int, int] = (20, 60, 150), letters: int = 70
) -> Array:
    """Return a board (H, W, 3) with ``text`` in its middle and a white border line."""
    picture = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((6, 6, size[0] - 7, size[1] - 7), outline=(240, 240, 235), width=4)
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    draw.text(
        (size[0] / 2, size[1] / 2), text, font=ImageFont.truetype(file, letters), fill=(240, 240, 235), anchor="mm"
    )
    return np.asarray(picture)


def on_wall(board: Array, corners: Array, size: tuple[int, int] = (640, 480), *, noise: float = 3.0) -> Array:
    """Return a gray, noisy picture (H, W, 3) with a board drawn between ``corners`` (4, 2) px, first centre (0.5, 0.5).

    Corners are top-left, top-right, bottom-right, bottom-left.
    """
    width, height = board.shape[1::-1]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32) - 0.5
    warp = cv2.getPerspectiveTransform(source, np.asarray(corners, dtype=np.float32) - 0.5)
    wall = np.full((size[1], size[0], 3), 118, dtype=np.uint8)
    finer = cv2.GaussianBlur(board, (0, 0), max(0.3, 0.4 * width / np.ptp(np.asarray(corners)[:, 0])))
    drawn = cv2.warpPerspective(finer, warp, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpPerspective(np.full(board.shape, 255, np.uint8), warp, size, flags=cv2.INTER_LINEAR) / 255.0
    noisy = inside * drawn + (1 - inside) * wall + np.random.default_rng(0).normal(0, noise, wall.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Array:
    """Return corners (4, 2) of an upright rectangle, top-left first, clockwise."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)
