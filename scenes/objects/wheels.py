"""Wheels: turned tyres with painted rims."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from scenes.objects.lofts import Patch, grid
from scenes.rendering.shapes import Texture

TEXTURE_M, PX_PER_M, FINER = 0.64, 200.0, 4
DESIGNS = 4
"""How many rims there are."""


def wheel(radius: float, width: float, *, sides: int = 18) -> Patch:
    """Return a wheel about the y axis with its hub in the origin; its left face, at positive y, has a recessed rim."""
    face = np.array([[1.0, 0.80], [0.90, 1.0], [0.70, 0.98], [0.65, 0.66], [0.22, 0.52], [0.0, 0.60]])
    profile = np.array([[0.0, -0.7], [0.85, -1.0], [1.0, -0.8], *face]) * [radius, width / 2]
    turns = np.linspace(0, 2 * np.pi, sides + 1)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    rings = np.stack([np.column_stack([r * circle[:, 1], np.full(sides + 1, y), r * circle[:, 0]]) for r, y in profile])
    return grid(rings)


def wheel_uv(wheel_patch: Patch, radius: float) -> np.ndarray:
    """Return texture coordinates (V, 2): the picture seen along the axle, the tread in the tyre's colour."""
    scale = TEXTURE_M / 2 / radius
    return np.column_stack([wheel_patch.vertices[:, 0], -wheel_patch.vertices[:, 2]]) * scale * 0.98 + TEXTURE_M / 2


@lru_cache(maxsize=DESIGNS)
def wheel_texture(design: int) -> Texture:
    """Return tyre and rim seen from the side: black, with a rim of one of ``DESIGNS`` designs."""
    side = round(TEXTURE_M * PX_PER_M) * FINER
    picture = Image.new("RGB", (side, side), (24, 24, 26))
    draw, middle = ImageDraw.Draw(picture), side / 2
    rim = ((176, 178, 182), (120, 122, 126), (196, 198, 200), (52, 53, 56))[design]
    draw.circle((middle, middle), 0.80 * middle, outline=(38, 38, 40), width=side // 90)
    draw.circle((middle, middle), 0.66 * middle, fill=rim)
    draw.circle((middle, middle), 0.60 * middle, fill=(30, 30, 33))
    spokes, spread = ((5, 0.26), (10, 0.10), (7, 0.20), (6, 0.22))[design]
    for turn in np.arange(spokes) * 2 * np.pi / spokes:
        outer, inner = (
            ((0.63, turn - 0.75 * spread), (0.63, turn + 0.75 * spread)),
            ((0.2, turn + 0.8), (0.2, turn - 0.8)),
        )
        corners = [(middle * (1 + r * np.sin(t)), middle * (1 - r * np.cos(t))) for r, t in (*outer, *inner)]
        draw.polygon(corners, fill=rim)
    draw.circle((middle, middle), 0.20 * middle, fill=rim, outline=(70, 70, 74), width=side // 120)
    for turn in np.arange(5) * 2 * np.pi / 5:
        draw.circle(
            (middle * (1 + 0.13 * np.sin(turn)), middle * (1 - 0.13 * np.cos(turn))), 0.022 * middle, fill=(40, 40, 44)
        )
    return Texture(image=np.asarray(picture.reduce(FINER)), px_per_m=PX_PER_M)
