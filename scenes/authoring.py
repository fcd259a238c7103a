"""Authoring: put surfaces and their textures together by name, and know where a person can stand."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import ArrayLike

from geometry.errors import InputError
from scenes.lighting import Lighting
from scenes.meshes import Surface, box, wall
from scenes.mipmaps import Texture
from scenes.renderer import Scene, build_scene
from scenes.textures import Size

Material = Callable[[Size, np.random.Generator, float], Texture]
"""Makes a texture for a surface of (width, height) metres at about so many texels a metre."""

HEADROOM_M = 2.3
"""What begins higher than this above the ground is in nobody's way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A scene and the part of its ground, in site x and y, where a person can stand."""

    name: str
    scene: Scene
    free_space: shapely.Geometry


class Builder:
    """Collects the surfaces of a place.

    Every texture is drawn with a generator seeded by the place's seed and the surface's name, so that adding a thing
    does not change the look of the others.
    """

    def __init__(self, name: str, seed: int, px_per_m: float) -> None:
        self.name, self.seed, self.px_per_m = name, seed, px_per_m
        self.surfaces: list[Surface] = []
        self.recipes: list[tuple[str, Size, Material]] = []
        self.obstacles: list[shapely.Polygon] = []

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator that belongs to ``name``."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def ground(self, name: str, corners: tuple[float, float, float, float], material: Material) -> None:
        """Add level ground at height 0 over (min x, min y, max x, max y); its texture's down is site -y."""
        min_x, min_y, max_x, max_y = corners
        size = (max_x - min_x, max_y - min_y)
        surface = Surface(
            name=name,
            corner=np.array([min_x, max_y, 0.0]),
            right=np.array([1.0, 0.0, 0.0]),
            down=np.array([0.0, -1.0, 0.0]),
            size=size,
            texture=self._texture(name, size, material),
        )
        self.surfaces.append(surface)

    def wall(
        self, name: str, left: ArrayLike, right: ArrayLike, heights: tuple[float, float], material: Material
    ) -> Surface:
        """Add an upright wall as ``scenes.meshes.wall`` does and return its surface, to mount things on."""
        width = float(np.linalg.norm(np.subtract(right, left)))
        texture = self._texture(name, (width, heights[1] - heights[0]), material)
        self.surfaces.append(wall(name, left, right, heights, texture))
        return self.surfaces[-1]

    def box(self, name: str, centre: ArrayLike, size: ArrayLike, yaw: float, materials: Mapping[str, Material]) -> None:
        """Add a box as ``scenes.meshes.box`` does, one material for each face wanted, and keep people out of it."""
        length, width, height = (float(n) for n in np.asarray(size))
        sizes = dict.fromkeys(("front", "back"), (width, height)) | dict.fromkeys(("left", "right"), (length, height))
        sizes |= dict.fromkeys(("top", "bottom"), (length, width))
        textures = {face: self._texture(f"{name}/{face}", sizes[face], make) for face, make in materials.items()}
        self.surfaces += box(name, centre, size, yaw, textures)
        x, y, z = (float(n) for n in np.asarray(centre))
        if z < HEADROOM_M:
            footprint = shapely.box(-length / 2, -width / 2, length / 2, width / 2)
            turned = shapely.affinity.rotate(footprint, yaw, origin=(0, 0), use_radians=True)
            self.obstacles.append(shapely.affinity.translate(turned, x, y))

    def mount(
        self, name: str, on: Surface, at: tuple[float, float], size: Size, depth: float, face: Material, edge: Material
    ) -> None:
        """Add a flat box on a wall, ``depth`` thick, its front's top-left corner ``at`` metres from the wall's."""
        middle = on.points_in_site((at[0] + size[0] / 2, at[1] + size[1])) + on.normal * depth / 2
        yaw = float(np.arctan2(on.normal[1], on.normal[0]))
        faces = {"front": face} | dict.fromkeys(("left", "right", "top", "bottom"), edge)
        self.box(name, middle, (depth, size[0], size[1]), yaw, faces)

    def build(self, outline: shapely.Polygon, lighting: Lighting) -> Place:
        """Draw, light and prefilter everything; ``outline`` bounds the ground inside the walls."""
        free_space = outline.difference(shapely.union_all(self.obstacles))
        if free_space.is_empty:
            raise InputError(f"nobody can stand anywhere in '{self.name}'")
        with ThreadPoolExecutor() as pool:
            textures = list(pool.map(self._draw, self.recipes))
        return Place(name=self.name, scene=build_scene(self.surfaces, textures, lighting), free_space=free_space)

    def _texture(self, name: str, size: Size, material: Material) -> int:
        self.recipes.append((name, size, material))
        return len(self.recipes) - 1

    def _draw(self, recipe: tuple[str, Size, Material]) -> Texture:
        name, size, material = recipe
        return material(size, self.rng(name), self.px_per_m)
