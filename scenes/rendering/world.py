"""A scene ready to be rendered: its mesh, its textures, its light and a ray caster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scenes.rendering.atlas import Atlas, build_atlas
from scenes.rendering.baking import Illuminator, LightOptions, bake
from scenes.rendering.lighting import Lighting
from scenes.rendering.lumels import LightMap
from scenes.rendering.mesh import Mesh, build_mesh, textures_of
from scenes.rendering.raycasting import raycaster
from scenes.rendering.shapes import Instance, Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """What does not move, in one lighting state.

    objects: names by object id: the shapes first, then the instances
    light: all but the sun's; illuminator: computes light at other points; source: light that surfaces bounce
    """

    objects: tuple[str, ...]
    mesh: Mesh
    atlas: Atlas
    light: LightMap
    source: LightMap
    lighting: Lighting
    illuminator: Illuminator
    raycaster: Any


def build_world(
    shapes: Sequence[Shape],
    instances: Sequence[Instance] = (),
    lighting: Lighting | None = None,
    options: LightOptions | None = None,
) -> World:
    """Build the mesh of shapes and of instances that stand still, pack their textures and compute the light.

    Raises ``InputError`` where there is no shape or instance, or two of one name.
    """
    lighting, options = lighting or Lighting(), options or LightOptions()
    textures = textures_of(shapes, instances)
    mesh, atlas = build_mesh(shapes, instances, textures), build_atlas(textures)
    solid = mesh.object_ids < len(shapes)
    reflectance = atlas.means[mesh.texture_ids]
    caster = raycaster(mesh.vertices, mesh.triangles)
    illuminator = Illuminator(scene=caster, lighting=lighting, options=options, solid=solid, reflectance=reflectance)
    count = int(solid.sum())
    building = Illuminator(
        scene=raycaster(mesh.vertices, mesh.triangles[:count]),
        lighting=lighting,
        options=options,
        solid=solid,
        reflectance=reflectance,
    )
    baked = bake(mesh, instances, illuminator, building)
    return World(
        objects=(*(shape.name for shape in shapes), *(instance.object for instance in instances)),
        mesh=mesh,
        atlas=atlas,
        light=baked.final,
        source=baked.source,
        lighting=lighting,
        illuminator=illuminator,
        raycaster=caster,
    )
