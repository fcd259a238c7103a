"""Text on vehicles, in the font that matplotlib ships, so that every machine draws the same letters."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenes.rendering.shapes import Texture

PLATE_SIZE_M = (0.52, 0.11)
PLATE_PX_PER_M, FINER = 300.0, 4


def draw_text(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], text: str, fill: tuple[int, int, int]
) -> None:
    """Write ``text`` as large as fits in ``box`` = (left, top, right, bottom) pixels, centred."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=_font(100), anchor="ls")
    size = 100 * min((box[2] - box[0]) / (right - left), (box[3] - box[1]) / (bottom - top))
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw.text(middle, text, font=_font(max(4, int(size))), fill=fill, anchor="mm")


@lru_cache(maxsize=256)
def plate_texture(text: str) -> Texture:
    """Return a number plate, ``PLATE_SIZE_M``: black letters on white, a blue field on the left."""
    width, height = (round(side * PLATE_PX_PER_M) * FINER for side in PLATE_SIZE_M)
    picture = Image.new("RGB", (width, height), (236, 236, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 0.08 * width, height), fill=(24, 58, 140))
    draw_text(draw, (0.11 * width, 0.14 * height, 0.97 * width, 0.86 * height), text, (18, 18, 20))
    draw.rectangle((0, 0, width - 1, height - 1), outline=(30, 30, 32), width=FINER * 2)
    return Texture(image=np.asarray(picture.reduce(FINER)), px_per_m=PLATE_PX_PER_M)


@lru_cache(maxsize=64)
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf", size_px)
