"""Light of a whole scene, computed once for each lighting state: lamps with shadows, ambient occlusion, one bounce."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from scenes.rendering.illumination import gather, lamp_light, sunlight
from scenes.rendering.lighting import Lighting, emitters
from scenes.rendering.lumels import LightMap, lay_out, light_at, light_map
from scenes.rendering.mesh import Mesh
from scenes.rendering.model_light import cage, corner_light
from scenes.rendering.raycasting import Hits
from scenes.rendering.shapes import Instance

FloatArray = NDArray[np.float32]

CHUNK_POINTS = 2048


@dataclass(frozen=True, kw_only=True)
class LightOptions:
    """How finely light is computed.

    lumels_per_m: places a metre on large planes; lamps: how many of the strongest light a place, the others none;
    rays: how many look around from a place for the bounce and for what keeps ambient light away
    """

    lumels_per_m: float = 6.0
    lamps: int = 8
    rays: int = 48

    def __post_init__(self) -> None:
        if not (0.5 <= self.lumels_per_m <= 50 and 1 <= self.lamps <= 64 and 4 <= self.rays <= 1024):
            raise InputError(f"light options out of range: {self}", remedy="Try the defaults.")


DRAFT_LIGHT = LightOptions(lumels_per_m=3.0, lamps=5, rays=20)


@dataclass(frozen=True, kw_only=True, eq=False)
class BakedLight:
    """Light on a mesh: all of it but the sun's (``final``), and what is bounced: lamps' and sun's (``source``)."""

    final: LightMap
    source: LightMap


@dataclass(frozen=True, kw_only=True, eq=False)
class Illuminator:
    """Computes light at any points.

    scene: ray caster of what shades; solid: (T,) bool, its triangles that bound walls and floors, not models;
    reflectance: (T, 3) float32, mean colour
    """

    scene: Any
    lighting: Lighting
    options: LightOptions
    solid: NDArray[np.bool_]
    reflectance: FloatArray

    def direct(self, points: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return light of the lamps (N, 3) and of the sun (N, 3), with shadows."""
        lamps = emitters(self.lighting.lamps)
        sun = self.lighting.sun

        def of_chunk(p: FloatArray, n: FloatArray) -> FloatArray:
            lit = lamp_light(self.scene, p, n, lamps, self.options.lamps)
            return np.hstack([lit, sunlight(self.scene, p, n, sun) if sun else np.zeros_like(lit)])

        both = _in_chunks(of_chunk, points, normals, 6)
        return both[:, :3], both[:, 3:]

    def indirect(self, points: FloatArray, normals: FloatArray, source: LightMap) -> tuple[FloatArray, FloatArray]:
        """Return light (N, 3) that ``source`` bounces, with ambient light, and how buried (N,) the points are."""
        ambient = np.array(self.lighting.ambient, dtype=np.float32)

        def sent_by(hits: Hits) -> FloatArray:
            return light_at(source, hits) * self.reflectance[hits.triangle]

        def of_chunk(p: FloatArray, n: FloatArray) -> FloatArray:
            seen = gather(self.scene, p, n, self.lighting, self.options.rays, sent_by, self.solid)
            return np.column_stack([seen.bounced + seen.open[:, None] * ambient, seen.buried])

        both = _in_chunks(of_chunk, points, normals, 4)
        return both[:, :3], both[:, 3]


def bake(mesh: Mesh, instances: Sequence[Instance], world: Illuminator, building: Illuminator) -> BakedLight:
    """Compute the light on a mesh of shapes followed by ``instances``.

    ``building`` shades the instances and holds the shapes alone, ``world`` shades the shapes and holds everything.
    """
    layout = lay_out(mesh, world.solid, world.options.lumels_per_m)
    lamps, sun = world.direct(layout.points, layout.normals)
    cages = _cages(instances)
    cage_lamps, cage_sun = building.direct(*cages)
    unknown = np.zeros(len(layout.points), dtype=np.float32)
    at_cage = np.zeros(len(cages[0]), dtype=np.float32)
    on_models = corners_of_instances(mesh, world.solid, instances, cage_lamps + cage_sun, at_cage)
    source = light_map(layout, lamps + sun, unknown, on_models)
    bounced, buried = world.indirect(layout.points, layout.normals, source)
    source = light_map(layout, lamps + sun, buried, on_models)
    cage_bounced, cage_buried = building.indirect(*cages, source)
    on_models = corners_of_instances(mesh, world.solid, instances, cage_lamps + cage_bounced, cage_buried)
    return BakedLight(final=light_map(layout, lamps + bounced, buried, on_models), source=source)


def corners_of_instances(
    mesh: Mesh, solid: NDArray[np.bool_], instances: Sequence[Instance], light: FloatArray, buried: FloatArray
) -> FloatArray:
    """Return light (T, 3, 3) at the corners of the mesh's triangles, 0 but for the instances'."""
    corners = np.zeros((len(mesh.triangles), 3, 3), dtype=np.float32)
    if instances:
        per_cage = len(light) // len(instances)
        parts = [
            corner_light(instance, light[i * per_cage :][:per_cage], buried[i * per_cage :][:per_cage])
            for i, instance in enumerate(instances)
        ]
        corners[~solid] = np.concatenate(parts)
    return corners


def _cages(instances: Sequence[Instance]) -> tuple[FloatArray, FloatArray]:
    empty = np.zeros((0, 3), dtype=np.float32)
    cages = [cage(instance) for instance in instances]
    return np.concatenate([empty, *(c[0] for c in cages)]), np.concatenate([empty, *(c[1] for c in cages)])


def light_on_instances(mesh: Mesh, instances: Sequence[Instance], around: Illuminator, source: LightMap) -> LightMap:
    """Return the light on a mesh of nothing but instances, which ``around`` shades and ``source`` sends light to."""
    points, normals = _cages(instances)
    lamps, _ = around.direct(points, normals)
    bounced, buried = around.indirect(points, normals, source)
    models = np.zeros(len(mesh.triangles), dtype=bool)
    return LightMap(
        page=np.ones((1, 1, 4), dtype=np.float32),
        mapped=models,
        corner_lumel=np.zeros((0, 3, 2), dtype=np.float32),
        corner_light=corners_of_instances(mesh, models, instances, lamps + bounced, buried),
    )


def _in_chunks(
    function: Callable[[FloatArray, FloatArray], FloatArray], points: FloatArray, normals: FloatArray, width: int
) -> FloatArray:
    """Apply ``function`` to points and normals some thousand at a time, in threads; returns (N, width)."""
    starts = range(0, len(points), CHUNK_POINTS)
    with ThreadPoolExecutor() as pool:
        parts = pool.map(lambda s: function(points[s : s + CHUNK_POINTS], normals[s : s + CHUNK_POINTS]), starts)
        return np.concatenate([np.zeros((0, width), dtype=np.float32), *parts])
