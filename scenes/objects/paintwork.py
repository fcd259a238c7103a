"""The picture on a vehicle's body: five views of it on one texture, painted with seams, lamps, grille and lettering.

A point of the body is painted where the nearest view shows it, so that what is drawn at model coordinates appears
there in three dimensions, and never mirrored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from scenes.materials.lettering import draw_text
from scenes.objects.body import BodySize
from scenes.objects.lofts import Array, Patch
from scenes.rendering.shapes import Texture

View = Literal["left", "right", "top", "front", "back"]
Rgb = tuple[int, int, int]
PX_PER_M, FINER = 96.0, 3
GAP_M = 0.24
"""Between two views, so that what is drawn at the edge of one, a wheel arch, stays out of the other."""
SEAM: Rgb = (22, 22, 24)
PLASTIC: Rgb = (38, 39, 41)
LENS: Rgb = (206, 212, 216)
RED: Rgb = (150, 18, 20)

_AXES: dict[View, tuple[Array, Array]] = {  # what points right and down in each view
    "left": (np.array([-1.0, 0, 0]), np.array([0, 0, -1.0])),
    "right": (np.array([1.0, 0, 0]), np.array([0, 0, -1.0])),
    "top": (np.array([1.0, 0, 0]), np.array([0, -1.0, 0])),
    "front": (np.array([0, 1.0, 0]), np.array([0, 0, -1.0])),
    "back": (np.array([0, -1.0, 0]), np.array([0, 0, -1.0])),
}
_SEEN_FROM = np.array([[0, 1.0, 0], [0, -1.0, 0], [0, 0, 1.0], [1.35, 0, 0], [-1.35, 0, 0]])
"""Directions of the views; ends win over flanks at rounded corners."""


@dataclass(frozen=True)
class Atlas:
    """Where the views lie on the texture, for a body of ``size``."""

    size: BodySize

    def centre(self, view: View) -> Array:
        """Return where (u, v), in metres, the view shows the model's axis at half the height."""
        length, width, height = (side + GAP_M for side in (self.size.length, self.size.width, self.size.height))
        return {
            "left": np.array([length / 2, height / 2]),
            "right": np.array([length / 2, 1.5 * height]),
            "top": np.array([length / 2, 2 * height + width / 2]),
            "front": np.array([width / 2, 2.5 * height + width]),
            "back": np.array([1.5 * width, 2.5 * height + width]),
        }[view]

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the texture in metres."""
        length, width, height = (side + GAP_M for side in (self.size.length, self.size.width, self.size.height))
        return max(length, 2 * width), 3 * height + width

    def uv(self, view: View, points: ArrayLike) -> Array:
        """Map points (..., 3) of the model to metres (..., 2) on the texture."""
        right, down = _AXES[view]
        offset = np.asarray(points, dtype=np.float64) - [0, 0, self.size.height / 2]
        return self.centre(view) + np.stack([offset @ right, offset @ down], axis=-1)

    def unwrap(self, surface: Patch) -> tuple[Patch, Array]:
        """Return the surface cut up by view, and its texture coordinates (V, 2)."""
        corners = surface.vertices[surface.triangles]
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        views = np.argmax(facing @ _SEEN_FROM.T, axis=1)
        keys, triangles = np.unique(surface.triangles * 5 + views[:, None], return_inverse=True)
        cut = Patch(
            vertices=surface.vertices[keys // 5],
            triangles=triangles.reshape(-1, 3),
            normals=surface.normals[keys // 5],
        )
        every = np.stack([self.uv(view, cut.vertices) for view in _AXES])
        return cut, every[keys % 5, np.arange(len(keys))]


class Brush:
    """Draws on the texture at model coordinates."""

    def __init__(self, atlas: Atlas, colour: Rgb) -> None:
        self.atlas, self.colour = atlas, colour
        extent = [round(side * PX_PER_M) * FINER for side in atlas.extent]
        self.picture = Image.new("RGB", (extent[0], extent[1]), colour)
        self._draw = ImageDraw.Draw(self.picture)

    def _px(self, view: View, points: ArrayLike) -> list[tuple[float, float]]:
        return [(u, v) for u, v in (self.atlas.uv(view, points) * PX_PER_M * FINER).tolist()]

    def polygon(self, views: Sequence[View], points: ArrayLike, fill: Rgb, outline: Rgb | None = None) -> None:
        """Fill the polygon through ``points`` (N, 3) in each view."""
        for view in views:
            self._draw.polygon(self._px(view, points), fill=fill, outline=outline, width=2 * FINER)

    def line(self, views: Sequence[View], points: ArrayLike, *, width: float = 0.012, fill: Rgb = SEAM) -> None:
        """Draw a line through ``points`` (N, 3), ``width`` metres wide, in each view."""
        for view in views:
            self._draw.line(self._px(view, points), fill=fill, width=round(width * PX_PER_M * FINER), joint="curve")

    def disc(self, views: Sequence[View], centre: ArrayLike, radius: float, fill: Rgb) -> None:
        """Fill a circle in each view."""
        for view in views:
            self._draw.circle(self._px(view, np.asarray(centre)[None])[0], radius * PX_PER_M * FINER, fill=fill)

    def text(self, view: View, corners: ArrayLike, text: str, fill: Rgb) -> None:
        """Write ``text`` as large as fits between two opposite ``corners`` (2, 3), readable in the view."""
        box = np.sort(np.array(self._px(view, corners)), axis=0).reshape(-1)
        draw_text(self._draw, (box[0], box[1], box[2], box[3]), text, fill)

    def texture(self, rng: np.random.Generator) -> Texture:
        """Return the finished paint, a little uneven and dusty."""
        image = np.asarray(self.picture.reduce(FINER), dtype=np.float32)
        cells = rng.standard_normal((image.shape[0] // 12 + 1, image.shape[1] // 12 + 1), dtype=np.float32)
        uneven = cv2.resize(cells, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        grain = rng.standard_normal(image.shape[:2], dtype=np.float32)
        image = image * (1 + 0.012 * uneven + 0.012 * grain)[..., None] + 1.5 * uneven[..., None]
        return Texture(image=np.clip(image + 0.5, 0, 255).astype(np.uint8), px_per_m=PX_PER_M)
