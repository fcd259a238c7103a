"""Things that move through a world, prepared for one frame."""

from collections.abc import Sequence

from scenes.rendering.atlas import Atlas, build_atlas
from scenes.rendering.baking import light_on_instances
from scenes.rendering.mesh import build_mesh, check_unique, textures_of
from scenes.rendering.raycasting import raycaster
from scenes.rendering.shapes import Instance, Texture
from scenes.rendering.world import World


class TextureStore:
    """The textures that moving things have needed so far, packed again only when a new one comes."""

    def __init__(self) -> None:
        self.textures: list[Texture] = []
        self._known: set[int] = set()
        self._atlas: Atlas | None = None

    def atlas(self, instances: Sequence[Instance]) -> Atlas:
        """Return an atlas of ``self.textures``, which then hold all that ``instances`` use."""
        new = [texture for texture in textures_of((), instances) if id(texture) not in self._known]
        if new or self._atlas is None:
            self.textures += new
            self._known |= {id(texture) for texture in new}
            self._atlas = build_atlas(self.textures)
        return self._atlas


def moving_world(world: World, instances: Sequence[Instance], textures: TextureStore) -> World:
    """Return a world of nothing but ``instances``, lit by the light of ``world``; object ids go on where its end.

    The instances don't shade each other here. Raises ``InputError`` for a name that is used twice.
    """
    names = tuple(instance.object for instance in instances)
    check_unique([*world.objects, *names])
    atlas = textures.atlas(instances)
    mesh = build_mesh((), instances, textures.textures, len(world.objects))
    return World(
        objects=names,
        mesh=mesh,
        atlas=atlas,
        light=light_on_instances(mesh, instances, world.illuminator, world.source),
        source=world.source,
        lighting=world.lighting,
        illuminator=world.illuminator,
        raycaster=raycaster(mesh.vertices, mesh.triangles),
    )
