"""What is rendered: textured triangles, the rigid models made of them, and where instances of a model stand."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Texture:
    """A picture of a surface: sRGB uint8 (H, W, 3) with ``px_per_m`` texels a metre."""

    image: NDArray[np.uint8]
    px_per_m: float

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise InputError(f"a texture is uint8 (H, W, 3), got {self.image.dtype} {self.image.shape}")
        if not self.px_per_m > 0:
            raise InputError(f"a texture needs texels a metre, got {self.px_per_m}")


@dataclass(frozen=True, kw_only=True)
class Finish:
    """How a surface treats light besides its colour.

    mirror: share of light mirrored at normal incidence (Schlick's F0): 0 for matt, 0.04 for lacquer and wet floor, 0.1
        for glass
    emission: radiance sent out, as a multiple of the texture's colour; lamps and lit signs
    """

    mirror: float = 0.0
    emission: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """Triangles with one texture and one finish: a wall's face, a floor, the glass of a car.

    name: unique in its model or scene, for instance "P1/floor" or "body"
    vertices: (V, 3) float32 metres, in site for a static shape and in the model's frame otherwise
    triangles: (T, 3) uint32, counter-clockwise seen from the front
    normals: (V, 3) float32, unit shading normals on the front side
    uv: (V, 2) float32, metres on the texture from its top-left corner, x right and y down
    """

    name: str
    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    texture: Texture
    finish: Finish = Finish()

    def __post_init__(self) -> None:
        count = len(self.vertices)
        expected = {"vertices": (count, 3), "normals": (count, 3), "uv": (count, 2)}
        for field, shape in expected.items():
            found = getattr(self, field)
            if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
                raise InputError(
                    f"{field} are finite float32 {shape}, got {found.dtype} {found.shape}", where=self.name
                )
        if self.triangles.dtype != np.uint32 or self.triangles.ndim != 2 or self.triangles.shape[1] != 3:
            raise InputError("triangles are uint32 (T, 3)", where=self.name)
        if len(self.triangles) == 0 or self.triangles.max() >= count:
            raise InputError("triangles name vertices that are not there, or there are none", where=self.name)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A rigid thing in its own frame: x forward, y left, z up, the origin on the ground under its middle.

    size: (length, width, height) metres of the box around it
    """

    name: str
    shapes: tuple[Shape, ...]
    size: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """A model standing somewhere; ``object`` is its name in the truth, unique in a scene."""

    object: str
    model: Model
    site_from_model: pycolmap.Rigid3d
