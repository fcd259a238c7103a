"""Number plates."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from scenes.materials.lettering import draw_text
from scenes.rendering.shapes import Texture

PLATE_SIZE_M = (0.52, 0.11)
PLATE_PX_PER_M, FINER = 300.0, 4


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
