"""Text in DejaVu Sans Bold, the font that matplotlib ships, so that every machine draws the same letters."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenes.materials.patterns import Extent, Mask


def draw_text(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], text: str, fill: int | tuple[int, ...]
) -> None:
    """Write ``text`` as large as fits in ``box`` = (left, top, right, bottom) pixels, centred."""
    width, height = box[2] - box[0], box[3] - box[1]
    extent = draw.multiline_textbbox((0, 0), text, font=font(100), align="center")
    size = 100 * min(width / max(extent[2] - extent[0], 1), height / max(extent[3] - extent[1], 1))
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw.multiline_text(middle, text, font=font(max(4, int(size))), fill=fill, anchor="mm", align="center")


def text_mask(shape: Extent, text: str) -> Mask:
    """Return a mask of ``text`` filling a picture of ``shape``."""
    picture = Image.new("L", shape[::-1])
    draw_text(ImageDraw.Draw(picture), (0, 0, shape[1], shape[0]), text, 255)
    return np.array(picture)


@lru_cache(maxsize=64)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the font at a size in pixels."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf", size_px)
