"""Textured surfaces: rectangles and boxes in site metres, and the triangle mesh made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError

Array = NDArray[np.float64]

CORNER_UV = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
"""Top left, top right, bottom right, bottom left of a rectangle seen from its front, as fractions of its size."""

RECTANGLE_TRIANGLES = np.array([[0, 3, 2], [0, 2, 1]])
"""Corner indices of the two triangles, counter-clockwise seen from the front."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """A rectangle with a texture, seen from its front like a picture on a wall.

    name: unique in its scene, for instance "van/left"
    corner: (3,) site metres, the picture's top-left corner
    right, down: (3,) unit vectors of the picture's axes in site, at a right angle
    size: (width, height) in metres
    texture: index of the texture in its scene
    uv_corner: where the top-left corner lies on the texture, in metres, so that surfaces can share a texture
    """

    name: str
    corner: Array
    right: Array
    down: Array
    size: tuple[float, float]
    texture: int
    uv_corner: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        axes = np.stack([self.right, self.down])
        if np.abs(axes @ axes.T - np.eye(2)).max() > 1e-6 or not np.isfinite(self.corner).all():
            raise InputError("a surface needs a finite corner and two unit axes at a right angle", where=self.name)
        if not (min(self.size) > 0 and np.isfinite(self.size).all()):
            raise InputError(f"a surface needs a positive size, got {self.size}", where=self.name)

    @property
    def normal(self) -> Array:
        """The unit normal (3,) on the front side."""
        return np.cross(self.down, self.right)

    def points_in_site(self, uv: ArrayLike) -> Array:
        """Map positions on the picture (..., 2), in metres from the top-left corner, to points (..., 3) in site."""
        uv = np.asarray(uv, dtype=np.float64)
        return self.corner + uv[..., :1] * self.right + uv[..., 1:] * self.down


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles with texture coordinates.

    vertices: (V, 3) float32, site metres
    triangles: (T, 3) uint32, counter-clockwise seen from the front
    uv: (T, 3, 2) float32, metres from the top-left corner of the texture, a row per triangle corner
    texture_ids, surface_ids: (T,) int32
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    uv: NDArray[np.float32]
    texture_ids: NDArray[np.int32]
    surface_ids: NDArray[np.int32]


def wall(
    name: str,
    left: ArrayLike,
    right: ArrayLike,
    heights: tuple[float, float],
    texture: int,
    uv: tuple[float, float] = (0, 0),
) -> Surface:
    """Return an upright rectangle whose front shows ``left`` (2,) on the left and ``right`` (2,) on the right.

    heights: (bottom, top) in metres above the site's zero.
    """
    start, end = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    width = float(np.linalg.norm(end - start))
    if width == 0:
        raise InputError("a wall needs two different ends", where=name)
    return Surface(
        name=name,
        corner=np.append(start, heights[1]),
        right=np.append((end - start) / width, 0.0),
        down=np.array([0.0, 0.0, -1.0]),
        size=(width, heights[1] - heights[0]),
        texture=texture,
        uv_corner=uv,
    )


FACES = ("front", "right", "back", "left", "top", "bottom")


def box(name: str, centre: ArrayLike, size: ArrayLike, yaw: float, textures: Mapping[str, int]) -> list[Surface]:
    """Return the faces of a box standing upright.

    centre: (3,) of the box's base, site metres; size: (length, width, height) in metres; yaw: of the box's length
    axis against site x, in radians. ``textures`` names the faces wanted, of front (+length), back, left (+width),
    right, top and bottom, and their textures; a face left out is open.
    """
    unknown = set(textures) - set(FACES)
    if unknown:
        raise InputError(f"a box has no face {sorted(unknown)}", where=name, remedy=f"Faces: {', '.join(FACES)}.")
    along = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    across, up = np.array([-along[1], along[0], 0.0]), np.array([0.0, 0.0, 1.0])
    length, width, height = np.asarray(size, dtype=np.float64)
    middle = np.asarray(centre, dtype=np.float64) + up * height / 2
    frames = {  # face: outward normal, right, down, and the box's extent along each
        "front": (along, across, -up, length, width, height),
        "back": (-along, -across, -up, length, width, height),
        "left": (across, -along, -up, width, length, height),
        "right": (-across, along, -up, width, length, height),
        "top": (up, along, -across, height, length, width),
        "bottom": (-up, along, across, height, length, width),
    }
    return [_face(f"{name}/{face}", middle, *frames[face], texture) for face, texture in textures.items()]


def _face(
    name: str,
    middle: Array,
    normal: Array,
    right: Array,
    down: Array,
    depth: float,
    width: float,
    height: float,
    texture: int,
) -> Surface:
    corner = middle + normal * depth / 2 - right * width / 2 - down * height / 2
    return Surface(name=name, corner=corner, right=right, down=down, size=(width, height), texture=texture)


def build_mesh(surfaces: Sequence[Surface]) -> Mesh:
    """Triangulate surfaces, two triangles each; raises ``InputError`` for none or for a name used twice."""
    names = [surface.name for surface in surfaces]
    if not names or len(set(names)) < len(names):
        raise InputError("a scene needs surfaces with unique names", remedy=f"Given: {len(names)} surfaces.")
    fractions = [CORNER_UV * surface.size for surface in surfaces]
    corners = np.stack([s.points_in_site(uv) for s, uv in zip(surfaces, fractions, strict=True)])
    uv = np.stack([uv + s.uv_corner for s, uv in zip(surfaces, fractions, strict=True)])
    ids = np.arange(len(surfaces), dtype=np.int32)
    triangles = 4 * ids[:, None, None] + RECTANGLE_TRIANGLES
    return Mesh(
        vertices=corners.reshape(-1, 3).astype(np.float32),
        triangles=triangles.reshape(-1, 3).astype(np.uint32),
        uv=uv[:, RECTANGLE_TRIANGLES].reshape(-1, 3, 2).astype(np.float32),
        texture_ids=np.repeat(np.array([s.texture for s in surfaces], dtype=np.int32), 2),
        surface_ids=np.repeat(ids, 2),
    )
